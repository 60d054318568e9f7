"""Writes what the helpdesk holds. The same page twice changes nothing; older states never replace newer ones.

Whole pages are written at once: a statement a row and a query a row were too slow for accounts with 100,000 tickets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from connectors import clock
from connectors.records import (
    Article,
    Brand,
    Comment,
    Deletion,
    Group,
    Macro,
    Organization,
    Recheck,
    Record,
    Satisfaction,
    Thread,
    Ticket,
    TicketField,
    TicketMetrics,
    User,
)
from connectors.store.due import DUE, DUE_ALONE
from connectors.store.part import Part, batches, to_json
from connectors.store.suggestions import WITHOUT_TEXT
from connectors.store.tombstones import Tombstones

T = TypeVar("T")
Row = dict[str, Any]

_TABLES: dict[type, str] = {
    Organization: "organizations",
    Brand: "brands",
    User: "users",
    Group: "groups",
    TicketField: "ticket_fields",
    Macro: "macros",
    Article: "articles",
    Satisfaction: "satisfaction_ratings",
    TicketMetrics: "ticket_metrics",
    Comment: "comments",
}
# What becomes of a row that the helpdesk's listing no longer has. Groups and the like are named by old tickets; an
# article's text must not be quoted any more.
_GONE = {
    "groups": "update groups set deleted = 1 where deleted = 0 and",
    "macros": "update macros set active = 0 where active = 1 and",
    "brands": "update brands set active = 0 where active = 1 and",
    "ticket_fields": "update ticket_fields set active = 0 where active = 1 and",
    "articles": "delete from articles where",
    "organizations": "delete from organizations where",
}
# Of a deleted ticket, all that holds or tells of its text.
_PARTS_OF_A_TICKET = (
    "comments", "attachments", "ticket_field_values", "ticket_metrics", "examples", "satisfaction_ratings", "drafting",
    "told_facts",
)  # fmt: skip


class Mirror(Part):
    """The store's copy of the helpdesk."""

    def save(self, helpdesk: str, records: Iterable[Record]) -> Counter[str]:
        """Stores records, all or nothing; returns how many were new or changed, per table.

        A ticket whose `generated_at` is older than the stored one is left out. A deleted ticket keeps its row (so that
        it is not fetched again) and loses its text, its comments and everything made from them. Comments of tickets
        that are not here are left out, and so is what forgotten people wrote.
        """
        kinds: dict[type, list[Any]] = {}
        changed: Counter[str] = Counter()
        with self._store.transaction():
            for record in Tombstones(self._store, helpdesk).leave_out(records):
                kinds.setdefault(type(record), []).append(record)
            # What others refer to comes first; what takes away comes last.
            for kind, table in _TABLES.items():
                if kind is not Comment and kind is not Satisfaction and kind is not TicketMetrics and kind in kinds:
                    changed[table] += self._save_rows(helpdesk, table, kinds[kind])
            changed["tickets"] += self._save_tickets(helpdesk, kinds.get(Ticket, ()))
            # A rating may come before its ticket does, and will not come again; comments do, with their ticket.
            for kind, must_be_here in ((Satisfaction, False), (TicketMetrics, True), (Comment, True)):
                kept = self._of_kept_tickets(helpdesk, kinds.get(kind, ()), must_be_here=must_be_here)
                changed[_TABLES[kind]] += self._save_rows(helpdesk, _TABLES[kind], kept)
            for thread in kinds.get(Thread, ()):
                changed["comments"] += self.save_thread(helpdesk, thread)
            for recheck in kinds.get(Recheck, ()):
                sql = "update tickets set comments_due = ? where helpdesk = ? and id = ? and deleted = 0"
                self._store.execute(sql, (DUE_ALONE, helpdesk, recheck.ticket_id))
            for deletion in kinds.get(Deletion, ()):
                changed["tickets"] += self._delete(helpdesk, deletion)
        return +changed

    def _save_tickets(self, helpdesk: str, tickets: Sequence[Ticket]) -> int:
        changed = 0
        for batch in batches(tickets):
            known = {row["id"]: row for row in self._by_ids(helpdesk, "tickets", _STATE, [one.id for one in batch])}
            rows: list[Row] = []
            for ticket in batch:
                old = known.get(ticket.id)
                if old and _is_older(ticket, old):
                    continue
                new = (
                    not old
                    or old["generated_at"] < ticket.generated_at
                    or old["updated_at"] != ticket.updated_at
                    or (ticket.deleted and not old["deleted"])
                )
                changed += new
                row = _row(helpdesk, ticket, omit=("fields",))
                due = DUE if new else 0
                row["comments_due"] = 0 if ticket.deleted else max(due, old["comments_due"] if old else 0)
                if ticket.deleted:
                    row |= {"subject": "", "tags": "[]", "url": "", "raw": "{}"}
                rows.append(row)
                # The same ticket may come twice in a page; the second is compared with the first.
                known[ticket.id] = row
                if ticket.deleted:
                    self._erase(helpdesk, ticket.id, was_there=bool(old and not old["deleted"]))
            self._upsert("tickets", rows)
            written = {row["id"] for row in rows}
            self._save_fields(helpdesk, [one for one in batch if one.id in written])
        return changed

    def _save_fields(self, helpdesk: str, tickets: Sequence[Ticket]) -> None:
        self._store.many(
            "delete from ticket_field_values where helpdesk = ? and ticket_id = ?", [(helpdesk, t.id) for t in tickets]
        )
        values = [
            (helpdesk, ticket.id, field_id, to_json(value))
            for ticket in tickets
            if not ticket.deleted
            for field_id, value in ticket.fields
        ]
        self._store.many("insert or replace into ticket_field_values values (?, ?, ?, ?)", values)

    def _save_rows(self, helpdesk: str, table: str, records: Sequence[Record]) -> int:
        changed = 0
        key = "ticket_id" if table == "ticket_metrics" else "id"
        for batch in batches(records):
            # The last one wins where one comes twice.
            rows = {row[key]: row for row in (_row(helpdesk, one, omit=("attachments",)) for one in batch)}
            known = {row[key]: row for row in self._by_ids(helpdesk, table, "*", list(rows), key)}
            news = [row for row in rows.values() if known.get(row[key]) != row]
            self._upsert(table, news, key)
            # The same comment has other raw JSON in the helpdesk's events than in the ticket's own list.
            changed += sum(_typed(known.get(row[key])) != _typed(row) for row in news)
            if table == "comments":
                self._save_attachments(helpdesk, [one for one in batch if isinstance(one, Comment)])
        return changed

    def _save_attachments(self, helpdesk: str, comments: Sequence[Comment]) -> None:
        self._store.many(
            "delete from attachments where helpdesk = ? and comment_id = ?", [(helpdesk, one.id) for one in comments]
        )
        rows = [
            (helpdesk, one.id, file.id, one.ticket_id, file.name, file.media_type, file.size_bytes, int(file.inline))
            for one in comments
            for file in one.attachments
        ]
        self._store.many("insert or replace into attachments values (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _of_kept_tickets(self, helpdesk: str, records: Sequence[T], *, must_be_here: bool = True) -> list[T]:
        """Those whose ticket is not deleted, and is here where it must be.

        Ratings and events are listed for deleted tickets too; a comment may have been read just before the deletion.
        """
        wanted = {one.ticket_id for one in records}  # type: ignore[attr-defined]
        deleted = {
            row["id"]: bool(row["deleted"])
            for batch in batches(wanted)
            for row in self._by_ids(helpdesk, "tickets", "id, deleted", batch)
        }
        return [one for one in records if not deleted.get(one.ticket_id, must_be_here)]  # type: ignore[attr-defined]

    def save_thread(self, helpdesk: str, thread: Thread) -> int:
        """Replaces a ticket's comments by the ones just read and marks them as complete; returns how many changed."""
        with self._store.transaction():
            thread = Tombstones(self._store, helpdesk).thread(thread)
            self._save_rows(helpdesk, "users", thread.authors)
            known = self._of_kept_tickets(helpdesk, thread.comments)
            gone = self._store.rows(
                "select id from comments where helpdesk = ? and ticket_id = ?", (helpdesk, thread.ticket_id)
            )
            kept = {comment.id for comment in known}
            keys = [(helpdesk, row["id"]) for row in gone if row["id"] not in kept]
            self._store.many("delete from comments where helpdesk = ? and id = ?", keys)
            self._store.many("delete from attachments where helpdesk = ? and comment_id = ?", keys)
            changed = self._save_rows(helpdesk, "comments", known)
            self._store.execute(
                """update tickets set comments_due = 0, comments_through = generated_at
                   where helpdesk = ? and id = ?""",
                (helpdesk, thread.ticket_id),
            )
        return changed + len(keys)

    def save_conversation(self, helpdesk: str, ticket: Ticket, thread: Thread) -> bool:
        """A ticket and its comments, read one after the other; returns False where a newer state is known already."""
        with self._store.transaction():
            row = next(self._by_ids(helpdesk, "tickets", _STATE, [ticket.id]), None)
            older = row is not None and row["generated_at"] > ticket.generated_at
            if not older:
                self.save(helpdesk, [ticket])
                self.save_thread(helpdesk, thread)
            elif row and row["comments_due"]:
                # The export's timestamp may be later than the ticket's own `updated_at`, so an equal state can look
                # older. Where its comments are still missing, the ones just read are the best there are; they stay due.
                self.save_thread(helpdesk, thread)
                self._store.execute(
                    "update tickets set comments_due = ? where helpdesk = ? and id = ?",
                    (row["comments_due"], helpdesk, ticket.id),
                )
        return not older

    def prune(self, helpdesk: str, table: str, listed: set[str]) -> int:
        """Takes out of use what a whole listing did not have; returns how many rows that were."""
        with self._store.transaction():
            rows = list(self._store.rows(f"select id from {table} where helpdesk = ?", (helpdesk,)))  # noqa: S608
            gone = [(helpdesk, row["id"]) for row in rows if row["id"] not in listed]
            return self._store.many(f"{_GONE[table]} helpdesk = ? and id = ?", gone) if gone else 0

    def _delete(self, helpdesk: str, deletion: Deletion) -> int:
        old = next(self._by_ids(helpdesk, "tickets", _STATE, [deletion.ticket_id]), None)
        there = bool(old and not old["deleted"])
        self._erase(helpdesk, deletion.ticket_id, was_there=there)
        if not there:
            return 0
        self._store.execute(
            """update tickets set deleted = 1, status = 'deleted', comments_due = 0, url = '',
                   generated_at = max(generated_at, ?), updated_at = max(updated_at, ?)
               where helpdesk = ? and id = ?""",
            (deletion.at, clock.from_epoch(deletion.at), helpdesk, deletion.ticket_id),
        )
        return 1

    def _erase(self, helpdesk: str, ticket_id: str, *, was_there: bool) -> None:
        key = (helpdesk, ticket_id)
        for table in _PARTS_OF_A_TICKET:
            self._store.execute(f"delete from {table} where helpdesk = ? and ticket_id = ?", key)  # noqa: S608
        self._store.execute("delete from passages where helpdesk = ? and kind = 'ticket' and source_id = ?", key)
        self._store.execute(f"update suggestions set {WITHOUT_TEXT} where helpdesk = ? and ticket_id = ?", key)  # noqa: S608
        self._store.execute(
            """update feedback set reason = ''
               where suggestion_id in (select id from suggestions where helpdesk = ? and ticket_id = ?)""",
            key,
        )
        self._store.execute(
            "update tickets set subject = '', raw = '{}', tags = '[]' where helpdesk = ? and id = ?", key
        )
        if was_there:
            self.erase_excerpts(helpdesk, ticket_id)

    def erase_excerpts(self, helpdesk: str, ticket_id: str) -> None:
        """Other tickets' suggestions quote the tickets that they were written after, and offer their replies."""
        is_it = "json_extract({0}.value, '$.kind') = 'ticket' and json_extract({0}.value, '$.id') = :id"
        sql = f"""update suggestions set
                      sources = (select json_group_array(json(value)) from json_each(suggestions.sources) as source
                          where not ({is_it.format("source")})),
                      alternatives = (select json_group_array(json(other.value))
                          from json_each(suggestions.alternatives) as other
                          where not exists (select 1 from json_each(other.value, '$.sources') as source
                              where {is_it.format("source")}))
                  where helpdesk = :helpdesk and instr(sources || alternatives, '"id":' || json_quote(:id))"""  # noqa: S608
        self._store.execute(sql, {"helpdesk": helpdesk, "id": ticket_id})

    def _by_ids(self, helpdesk: str, table: str, columns: str, ids: Sequence[str], key: str = "id") -> Iterator[Row]:
        marks = ",".join("?" * len(ids))
        sql = f"select {columns} from {table} where helpdesk = ? and {key} in ({marks})"  # noqa: S608
        return self._store.rows(sql, (helpdesk, *ids))

    def _upsert(self, table: str, rows: Sequence[Row], key: str = "id") -> None:
        if not rows:
            return
        names = list(rows[0])
        updates = ", ".join(f"{name} = excluded.{name}" for name in names if name not in ("helpdesk", key))
        sql = f"""insert into {table} ({", ".join(names)}) values ({", ".join(f":{name}" for name in names)})
                  on conflict (helpdesk, {key}) do update set {updates}"""  # noqa: S608
        self._store.many(sql, rows)


_STATE = "id, generated_at, updated_at, deleted, comments_due"


def _is_older(ticket: Ticket, old: Row) -> bool:
    """Whether the stored state is the better one.

    Equal timestamps are written again: the export may repeat a second whose content has moved on. But somebody who read
    the ticket in the second of its deletion does not bring its text back.
    """
    if old["generated_at"] == ticket.generated_at:
        return bool(old["deleted"]) and not ticket.deleted
    return bool(old["generated_at"] > ticket.generated_at)


def _typed(row: Row | None) -> Row | None:
    return row and {name: value for name, value in row.items() if name != "raw"}


def _row(helpdesk: str, record: Record, omit: tuple[str, ...] = ()) -> Row:
    row: Row = {"helpdesk": helpdesk}
    for name in record.__dataclass_fields__:
        if name not in omit:
            value = getattr(record, name)
            kind = type(value)
            # Most are texts. Asking for the exact type takes half of what `isinstance` does, once for each value.
            if kind is bool:
                value = int(value)
            elif kind is tuple or kind is dict:
                value = to_json(value)
            row[name] = value
    return row
