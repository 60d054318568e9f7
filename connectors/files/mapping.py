"""`mapping.toml`: which file and column holds what, where the names are not ours.

Each of a table's fields is a column's name, or `{ column = "…" }` with any of `values` (what stands there -> what it
means, `"*"` for all else), `format` (of a time, as strptime takes it), `separator` (of a list) and `default` (where the
cell is empty), or `{ value = … }`, or `{ number = true }` for the row's number. What is not in the file is looked for
under its own name.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from connectors.errors import ConfigError
from connectors.files import kinds
from connectors.files.table import Row, Table

NAME = "mapping.toml"
# The fields of each table and what they hold; a star marks what no row can do without.
FIELDS: dict[str, dict[str, str]] = {
    "groups": {"id": "id*", "name": "text", "description": "text", "deleted": "flag", "raw": "json"},
    "brands": {"id": "id*", "name": "text", "url": "text", "active": "flag", "raw": "json"},
    "ticket_fields": {
        "id": "id*", "title": "text", "type": "text", "active": "flag", "options": "list", "raw": "json",
    },
    "organizations": {"id": "id*", "name": "text", "raw": "json"},
    "users": {"id": "id*", "name": "text", "email": "text", "role": "role*", "locale": "text", "raw": "json"},
    "macros": {"id": "id*", "title": "text", "text": "text*", "active": "flag", "raw": "json"},
    "articles": {
        "id": "id*", "title": "text*", "text": "text*", "url": "text", "locale": "text", "updated_at": "time",
        "draft": "flag", "raw": "json",
    },
    "tickets": {
        "id": "id*", "subject": "text", "status": "status", "requester_id": "id", "requester_name": "text",
        "requester_email": "text", "created_at": "time*", "updated_at": "time", "generated_at": "number",
        "group_id": "id", "assignee_id": "id", "brand_id": "id", "priority": "word", "channel": "word", "tags": "list",
        "satisfaction": "word", "organization_id": "id", "url": "text", "deleted": "flag", "merged": "flag",
        "comment_count": "number", "fields": "json", "raw": "json", "question": "text", "reply": "text",
        "reply_by": "id", "reply_at": "time",
    },
    "comments": {
        "id": "id", "ticket_id": "id*", "author_id": "id", "author_name": "text", "author_email": "text",
        "author_role": "role", "public": "flag*", "text": "text*", "created_at": "time*", "attachments": "json",
        "raw": "json",
    },
    "ticket_metrics": {
        "ticket_id": "id*", "replies": "number", "reopens": "number", "first_reply_minutes": "number",
        "resolution_minutes": "number", "solved_at": "time", "raw": "json",
    },
    "satisfaction_ratings": {
        "id": "id", "ticket_id": "id*", "score": "word*", "comment": "text", "updated_at": "time", "raw": "json",
    },
}  # fmt: skip
_WAYS = {"column", "value", "values", "number", "format", "separator", "default"}
# An empty cell is an empty text all the same, or a note that nobody said is public.
_EMPTY = {"text": "", "flag": False}
_WHY = {"public": 'say which comments customers saw: public = "a column", or { value = true } where all of them did'}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a field's value comes from; see the module."""

    kind: str
    required: bool = False
    column: str | None = None
    value: Any = None
    values: dict[str, Any] | None = None
    number: bool = False
    format: str | None = None
    separator: str = ","
    default: Any = None

    def read(self, row: Row, zone: tzinfo) -> Any:
        """The value; None where there is none.

        Raises:
            ValueError: It is not what the field holds; the message says why, without the value.
        """
        if self.number:
            return str(row.number)
        found = row.cells.get(self.column) if self.column is not None else self.value
        if self.values is not None:
            said = "" if found is None else str(found).strip()
            if said not in self.values and "*" not in self.values:
                raise ValueError(f"none of the values that {NAME} has for it")
            found = self.values.get(said, self.values.get("*"))
        if found is None or (isinstance(found, str) and not found.strip() and self.kind != "text"):
            found = _EMPTY.get(self.kind) if self.default is None else self.default
        if found is None:
            if self.required:
                raise ValueError("empty")
            return None
        if self.kind == "time":
            return kinds.time(found, self.format, zone)
        if self.kind == "list":
            return kinds.items(found, self.separator)
        return kinds.KINDS[self.kind](found)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to read one table.

    Attributes:
        custom_fields: Columns that become the ticket's custom fields.
    """

    table: Table
    sources: dict[str, Source]
    zone: tzinfo
    custom_fields: tuple[str, ...]
    known: frozenset[str]

    def read(self, row: Row) -> tuple[dict[str, Any], list[str]]:
        """A row's values by field, and what is wrong with it."""
        values: dict[str, Any] = {}
        problems = []
        for name, source in self.sources.items():
            try:
                values[name] = source.read(row, self.zone)
            except ValueError as error:
                where = f"column {source.column}" if source.column is not None else name
                problems.append(f"{self.table.name}, line {row.line}, {where}: {error}")
        if self.custom_fields:
            values["fields"] = {
                name: row.cells[name] for name in self.custom_fields if row.cells.get(name) not in (None, "")
            }
        if values.get("raw") is None:
            rest = {key: value for key, value in row.cells.items() if key not in self.known}
            values["raw"] = {key: value for key, value in rest.items() if value not in (None, "")}
        return values, problems


class Mapping:
    """The folder's tables and how to read them.

    Attributes:
        plans: By table, for those that there are.
        text: The file's own text; another one means another reading.

    Raises:
        ConfigError: A file cannot be read, or the mapping does not fit it. All problems are in the message.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._problems: list[str] = []
        self.text, sections = self._read()
        settings = self._section(sections, "settings", {"encoding", "delimiter", "timezone"})
        self._encoding = self._checked_encoding(str(settings.get("encoding", "utf-8")))
        self._delimiter = settings.get("delimiter")
        if not (self._delimiter is None or (isinstance(self._delimiter, str) and len(self._delimiter) == 1)):
            self._problem("settings", "delimiter: not one character")
            self._delimiter = None
        zone = self._zone(str(settings.get("timezone", "UTC")))
        if unknown := sorted(set(sections) - {"settings", *FIELDS}):
            self._problems.append(f"{NAME}: there is no table {', '.join(unknown)}; there are {', '.join(FIELDS)}")
        self.plans: dict[str, Plan] = {}
        for name in FIELDS:
            section = self._section(sections, name, {"file", "custom_fields", *FIELDS[name]})
            if path := self._file(name, section):
                table = Table(path, encoding=self._encoding, delimiter=self._delimiter)
                self.plans[name] = self._plan(name, section, table, zone)
        if "tickets" not in self.plans and not self._problems:
            self._problems.append(
                f"there is no tickets.csv or tickets.jsonl in {folder}, and {NAME} names no other file"
            )
        if self._problems:
            raise ConfigError(
                f"{len(self._problems)} problem(s) with {folder}:\n" + "\n".join(f"  {one}" for one in self._problems),
                hint=f"see docs/import.md for what {NAME} can say",
            )

    def _problem(self, section: str, why: str) -> None:
        self._problems.append(f"{NAME}, [{section}] {why}")

    def _read(self) -> tuple[str, dict[str, Any]]:
        path = self._folder / NAME
        if not self._folder.is_dir():
            raise ConfigError(f"there is no folder {self._folder}", hint="set path under [helpdesk] in config.toml")
        try:
            text = path.read_text(encoding="utf-8-sig")
            return text, tomllib.loads(text)
        except FileNotFoundError:
            return "", {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not valid TOML: {error}", hint="mend the line") from None
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}", hint="check its owner and mode") from error

    def _section(self, sections: dict[str, Any], name: str, allowed: set[str]) -> dict[str, Any]:
        section = sections.get(name, {})
        if not isinstance(section, dict):
            self._problems.append(f"{NAME}: {name} is not a section; write [{name}]")
            return {}
        for key in section.keys() - allowed:
            self._problem(name, f"{key}: not known here; there are {', '.join(sorted(allowed))}")
        return {key: value for key, value in section.items() if key in allowed}

    def _checked_encoding(self, encoding: str) -> str:
        try:
            if '",\n'.encode(encoding) == b'",\n':
                return encoding
        except LookupError:
            pass
        self._problem("settings", f"encoding: '{encoding}' is not known or not possible; try utf-8 or cp1252")
        return "utf-8"

    def _zone(self, name: str) -> tzinfo:
        try:
            return UTC if name == "UTC" else ZoneInfo(name)
        except (LookupError, ValueError, OSError):
            self._problem("settings", f"timezone: '{name}' is not known; it is a name such as Europe/Amsterdam")
            return UTC

    def _file(self, name: str, section: dict[str, Any]) -> Path | None:
        given = section.get("file")
        if given is not None:
            path = self._folder / str(given)
            if not path.is_file():
                self._problem(name, f"file: there is no {given} in the folder")
                return None
            if not {".csv", ".jsonl"} & set(path.suffixes):
                self._problem(name, "file: neither .csv nor .jsonl")
                return None
            return path
        names = [f"{name}{ending}{zipped}" for ending in (".csv", ".jsonl") for zipped in ("", ".gz")]
        found = [self._folder / one for one in names if (self._folder / one).is_file()]
        if len(found) > 1:
            self._problems.append(
                f"both {found[0].name} and {found[1].name} are there; say which one by file in {NAME}"
            )
        return found[0] if found else None

    def _plan(self, name: str, section: dict[str, Any], table: Table, zone: tzinfo) -> Plan:
        sources = {}
        columns = {_plain(column): column for column in table.columns}
        for field, kind in FIELDS[name].items():
            given = section.get(field)
            if given is None and field in columns:
                given = columns[field]
            if given is not None:
                sources[field] = self._source(name, field, kind, given, table)
            elif kind.endswith("*"):
                why = _WHY.get(field, "no column has this name; say which one holds it")
                self._problem(name, f"{field}: {why} (there are {', '.join(table.columns)})")
        custom = section.get("custom_fields", [])
        if not isinstance(custom, list) or not set(map(str, custom)) <= set(table.columns):
            self._problem(name, f"custom_fields: not a list of columns of {table.name}")
            custom = []
        known = {source.column for source in sources.values() if source.column is not None}
        return Plan(table, sources, zone, tuple(map(str, custom)), frozenset(known))

    def _source(self, name: str, field: str, kind: str, given: object, table: Table) -> Source:
        required = kind.endswith("*")
        ways = {"column": given} if isinstance(given, str) else given
        if not isinstance(ways, dict) or not ways or set(ways) - _WAYS or not {"column", "value", "number"} & set(ways):
            self._problem(name, f"{field}: a column's name, or a table with {', '.join(sorted(_WAYS))}")
            return Source(kind.rstrip("*"))
        column = ways.get("column")
        if column is not None and column not in table.columns:
            self._problem(
                name, f"{field}: {table.name} has no column '{column}' (there are {', '.join(table.columns)})"
            )
        if not isinstance(ways.get("values", {}), dict):
            self._problem(name, f"{field}: values is a table of what stands there and what it means")
            ways = {key: value for key, value in ways.items() if key != "values"}
        return Source(kind.rstrip("*"), required, **ways)


def _plain(column: str) -> str:
    """`Created at` and `created_at` are one name."""
    return re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
