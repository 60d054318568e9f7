"""Writes what the store has of a helpdesk as a folder that the `files` connector reads."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

from connectors.errors import ConfigError
from connectors.files.mapping import FIELDS
from connectors.store.database import Store

Form = Literal["jsonl", "csv"]
Row = dict[str, Any]

# Fields that stand in columns of another name, or in another table.
_NOT_STORED = {
    "tickets": {"requester_name", "requester_email", "question", "reply", "reply_by", "reply_at", "fields"},
    "comments": {"author_name", "author_email", "author_role", "attachments"},
}
_FLAGS = {"deleted", "active", "draft", "merged", "public"}
_JSON = {"raw", "tags", "options"}


def export(store: Store, helpdesk: str, folder: Path, form: Form = "jsonl") -> dict[str, int]:
    """Writes one file a table; deleted tickets are left out.

    The files hold customers' words and addresses: they can be read by their owner only.

    Args:
        helpdesk: Its name in the store.
        folder: New or empty.

    Returns:
        Rows written, per table; tables without any have no file.

    Raises:
        ConfigError: The folder has something in it, or cannot be written.
        StoreError: The store cannot be read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty", hint="name a new folder")
        written = {table: _write(store, helpdesk, table, folder / f"{table}.{form}", form) for table in FIELDS}
    except OSError as error:
        raise ConfigError(f"cannot write {folder}: {error.strerror}", hint="check the folder and the disk") from error
    return {table: count for table, count in written.items() if count}


def _write(store: Store, helpdesk: str, table: str, path: Path, form: Form) -> int:
    count = 0
    # Named so only when it is whole, for a file that was cut off looks like one that is not.
    partial = path.with_suffix(path.suffix + ".partial")
    with _private(partial) as file:
        writer = csv.DictWriter(file, _columns(table)) if form == "csv" else None
        if writer:
            writer.writeheader()
        for row in _rows(store, helpdesk, table):
            if writer:
                writer.writerow({key: _cell(value) for key, value in row.items()})
            else:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    if count:
        partial.replace(path)
    else:
        partial.unlink()
    return count


def _private(path: Path) -> IO[str]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


def _columns(table: str) -> list[str]:
    return _stored(table) + [name for name in ("fields", "attachments") if name in FIELDS[table]]


def _stored(table: str) -> list[str]:
    return [name for name in FIELDS[table] if name not in _NOT_STORED.get(table, ())]


def _rows(store: Store, helpdesk: str, table: str) -> Iterator[Row]:
    """A table's rows with what belongs to them and stands in a table of its own."""
    for rows in store.tables.batches(helpdesk, table, _stored(table)):
        ids = [row["id"] for row in rows] if "id" in rows[0] else []
        fields = store.tables.field_values(helpdesk, ids) if table == "tickets" else {}
        files = store.tables.attachments(helpdesk, ids) if table == "comments" else {}
        for row in rows:
            row |= {name: json.loads(row[name] or "null") for name in _JSON & row.keys()}
            row |= {name: bool(row[name]) for name in _FLAGS & row.keys()}
            if table == "tickets":
                row["fields"] = fields.get(row["id"], {})
            elif table == "comments":
                row["attachments"] = files.get(row["id"], [])
            yield row


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
