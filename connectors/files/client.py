"""A folder of CSV or JSON-lines files as a helpdesk: for helpdesks without a connector, and for first trials.

`docs/import.md` shows the files and `mapping.toml`, which says what their columns hold. All files are looked through
before anything of them is handed on, so that a folder with a mistake is not half imported.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from connectors.errors import ConfigError, FatalError, NotFoundError, SkippableError, WebhookError
from connectors.files import mapping, rows
from connectors.files.mapping import Plan
from connectors.files.table import Position, Reader, Row
from connectors.files.threads import Threads
from connectors.http.waits import Wait
from connectors.records import Comment, Group, Outlook, Page, Record, Thread, Ticket, User, WebhookEvent, WriteBack
from connectors.settings import HelpdeskSettings

PAGE_ROWS = 500
# So many rows with something wrong are told at once; more would not be read.
_BAD_ROWS = 20
# Short tables that are read whole, so that a row that is gone from the file goes here too.
_LISTED = frozenset({"groups", "brands", "ticket_fields", "organizations", "macros", "articles"})
_NO_WAY_BACK = "'files' is a folder: nothing can be written to it, and it sends no webhooks"
_HINT = "for suggestions in the helpdesk itself set kind and url under [helpdesk] in config.toml"


class Files:
    """See `connectors.helpdesk.Helpdesk` for the methods; everything but reading is refused."""

    streams: tuple[str, ...] = (
        "groups", "brands", "ticket_fields", "organizations", "users", "macros", "articles", "tickets",
        "ticket_metrics", "satisfaction_ratings",
    )  # fmt: skip
    bulk_comments = False
    bulk_page_price = 1.0

    def __init__(
        self,
        settings: HelpdeskSettings,
        *,
        webhook_secret: str = "",
        webhook_max_age_s: float = 300.0,
        home: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[Wait], None] | None = None,
    ) -> None:
        self.name = settings.name
        self._folder = settings.folder(home or Path())
        self._read: mapping.Mapping | None = None
        self._opened_threads: Threads | None = None
        self._checked = False

    def close(self) -> None:
        """Deletes what was put aside while reading."""
        if self._opened_threads:
            self._opened_threads.close()
        self._opened_threads = None

    @property
    def _plans(self) -> dict[str, Plan]:
        if self._read is None:
            self._read = mapping.Mapping(self._folder)
        return self._read.plans

    def _plan(self, stream: str) -> Plan | None:
        if stream not in self.streams:
            raise FatalError(f"a folder has no stream '{stream}'", hint=f"streams: {', '.join(self.streams)}")
        return self._plans.get(stream)

    def me(self) -> User:
        """A folder belongs to nobody; whoever may read it may do so."""
        self._plan("tickets")
        return User("files", "", "", "agent")

    def outlook(self, stream: str) -> Outlook:
        """See `Helpdesk.outlook`; a file's rows are known when it has been read."""
        return Outlook(None if self._plan(stream) else 0, PAGE_ROWS)

    def pages(self, stream: str, cursor: str | None, *, since: int = 0) -> Iterator[Page]:
        """See `Helpdesk.pages`. Comments come with the tickets.

        Raises:
            ConfigError: A file, or what `mapping.toml` says of it, is wrong; all problems are in the message.
        """
        plan = self._plan(stream)
        if plan is None:
            yield Page((), cursor or "", True)
            return
        prints = self._fingerprints(stream)
        stored = json.loads(cursor) if cursor else {}
        same_mapping = stored.get("prints", {}).get("mapping") == prints["mapping"]
        if same_mapping and stored.get("done") and stored["prints"] == prints:
            yield Page((), str(cursor), True)
            return
        start = None
        # Comments are added to old tickets too: where their file has changed, all tickets are looked at again.
        if same_mapping and stream not in _LISTED and stored["prints"].get("comments") == prints.get("comments"):
            start = Position(**stored["at"])
        self._check(stream, start)
        if stream == "tickets":
            yield from self._tickets(plan, start, prints, since)
        else:
            yield from self._rows(stream, plan, start, prints)

    def _fingerprints(self, stream: str) -> dict[str, Any]:
        """What the stream is made of, as it is now."""
        text = self._read.text if self._read else ""
        prints: dict[str, Any] = {"mapping": hashlib.sha256(text.encode()).hexdigest()[:16]}
        for name in (stream, "comments") if stream == "tickets" else (stream,):
            if name in self._plans:
                prints[name] = self._plans[name].table.fingerprint
        return prints

    def _check(self, stream: str, start: Position | None) -> None:
        """Looks through this stream's file and those that are still to come, once.

        Raises:
            ConfigError: Rows are wrong.
        """
        if self._checked:
            return
        problems: list[str] = []
        bad_rows = 0
        coming = self.streams[self.streams.index(stream) :]
        for name in (*coming, "comments"):
            plan = self._plans.get(name)
            if plan is None:
                continue
            for row in Reader(plan.table, start if name == stream else None):
                wrong = [f"{plan.table.name}, line {row.line}: {row}"]
                found = plan.read(row)[1] if isinstance(row, Row) else wrong
                problems += found
                bad_rows += bool(found)
                if bad_rows >= _BAD_ROWS:
                    break
        if problems:
            more = " of the first bad rows" if bad_rows >= _BAD_ROWS else ""
            raise ConfigError(
                f"{len(problems)} problem(s){more} in {self._folder}; nothing was imported:\n"
                + "\n".join(f"  {one}" for one in problems),
                hint=f"mend the rows, or say in {mapping.NAME} what is meant; see docs/import.md",
            )
        self._checked = True

    def _batches(
        self, plan: Plan, start: Position | None, prints: dict[str, Any]
    ) -> Iterator[tuple[list[rows.Values], str, bool]]:
        """Rows, the cursor behind them, and whether that is the end."""
        reader = Reader(plan.table, start)
        batch: list[rows.Values] = []
        for row in reader:
            if not isinstance(row, Row):
                raise FatalError(f"{plan.table.name}, line {row.line}: {row}", hint="do not change it while it is read")
            batch.append(plan.read(row)[0])
            if len(batch) == PAGE_ROWS:
                yield batch, _cursor(reader.position(), prints, done=False), False
                batch = []
        yield batch, _cursor(reader.position(), prints, done=True), True

    def _rows(self, stream: str, plan: Plan, start: Position | None, prints: dict[str, Any]) -> Iterator[Page]:
        make = rows.MAKERS[stream]
        listed = stream if stream in _LISTED else ""
        for batch, cursor, done in self._batches(plan, start, prints):
            yield Page(tuple(map(make, batch)), cursor, done, listed)

    def _tickets(self, plan: Plan, start: Position | None, prints: dict[str, Any], since: int) -> Iterator[Page]:
        names = self._group_ids()
        for batch, cursor, done in self._batches(plan, start, prints):
            records: list[Record] = []
            groups: dict[str, Record] = {}
            for row in batch:
                if names is not None:
                    row["group_id"] = names.get(row.get("group_id") or "", row.get("group_id"))
                elif row.get("group_id"):
                    groups[row["group_id"]] = Group(row["group_id"], row["group_id"])
                ticket = rows.ticket(row)
                if ticket.generated_at < since:
                    continue
                records.append(ticket)
                if "users" not in self._plans and not ticket.deleted and (asker := rows.requester(row)):
                    records.append(asker)
                if not ticket.deleted:
                    records.append(self._thread(row))
            yield Page((*groups.values(), *records), cursor, done)

    def _group_ids(self) -> dict[str, str] | None:
        """Ids by name, for tickets that name their group; None where there is no file of groups."""
        plan = self._plans.get("groups")
        if plan is None:
            return None
        found = (plan.read(row)[0] for row in Reader(plan.table).tolerant())
        groups = [(row["id"], row.get("name") or "") for row in found if row.get("id")]
        ids = {group_id: group_id for group_id, _ in groups}
        return {name: group_id for group_id, name in groups} | ids

    def _thread(self, row: rows.Values) -> Thread:
        comments, authors = rows.dialogue(row)
        with_authors = "users" not in self._plans
        if "comments" in self._plans:
            if self._opened_threads is None:
                self._opened_threads = Threads(self._plans["comments"])
            found = self._opened_threads.of(row, with_authors=with_authors)
            comments, authors = [*comments, *found.comments], [*authors, *found.authors]
        known = [author for author in authors if with_authors or author.id == rows.AGENT]
        return Thread(row["id"], tuple(comments), tuple(known))

    def _row(self, ticket_id: str) -> rows.Values:
        plan = self._plan("tickets")
        for row in Reader(plan.table).tolerant() if plan else ():
            values = plan.read(row)[0] if plan else {}
            if values.get("id") == ticket_id:
                return values
        raise NotFoundError(f"ticket {ticket_id} is not in the folder")

    def ticket(self, ticket_id: str) -> Ticket:
        """See `Helpdesk.ticket`; looks through the file."""
        return rows.ticket(self._row(ticket_id))

    def comments(self, ticket_id: str) -> tuple[list[Comment], list[User]]:
        """See `Helpdesk.comments`; looks through the files."""
        thread = self._thread(self._row(ticket_id))
        return list(thread.comments), list(thread.authors)

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """Nobody would see it.

        Raises:
            SkippableError: Always.
        """
        raise SkippableError(_NO_WAY_BACK, hint=_HINT)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
        """There are none.

        Raises:
            WebhookError: Always.
        """
        raise WebhookError(_NO_WAY_BACK, hint=_HINT)

    def install_webhook(self, endpoint: str) -> str:
        """There is none.

        Raises:
            SkippableError: Always.
        """
        raise SkippableError(_NO_WAY_BACK, hint=_HINT)


def _cursor(position: Position, prints: dict[str, Any], *, done: bool) -> str:
    return json.dumps({"at": asdict(position), "prints": prints, "done": done}, separators=(",", ":"))
