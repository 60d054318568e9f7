"""The helpdesk's history: tickets, comments, users, groups, macros, articles, ratings, and the cursors of the sync."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from connectors import clock
from connectors.records import Article, Comment, Group, Macro, Record, Satisfaction, Ticket, User
from connectors.store.part import Part, to_json
from connectors.store.suggestions import WITHOUT_TEXT

KEY = ("helpdesk", "id")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Turn:
    """A comment with what training needs to know of its author."""

    comment: Comment
    author: User


class History(Part):
    """Reads and writes the mirrors. Writes are idempotent: the same page twice changes nothing."""

    def save(self, helpdesk: str, records: Iterable[Record]) -> int:
        """Stores records; returns how many were new or newer than what was there.

        A ticket whose `generated_at` is older than the stored one is left out. A deleted ticket keeps its row (so that
        it is not fetched again) and loses its text, its comments and everything made from them.
        """
        changed = 0
        with self._store.transaction():
            for record in records:
                changed += (
                    self._save_ticket(helpdesk, record)
                    if isinstance(record, Ticket)
                    else self._save_other(helpdesk, record)
                )
        return changed

    def _save_ticket(self, helpdesk: str, ticket: Ticket) -> int:
        old = self._store.row(
            "select generated_at, updated_at, deleted, comments_due from tickets where helpdesk = ? and id = ?",
            (helpdesk, ticket.id),
        )
        if old and old["generated_at"] > ticket.generated_at:
            return 0
        # Equal timestamps are written again: the export may repeat a second whose content has moved on. But somebody
        # who read the ticket in the second of its deletion does not bring its text back.
        if old and old["generated_at"] == ticket.generated_at and old["deleted"] and not ticket.deleted:
            return 0
        new = not old or old["generated_at"] < ticket.generated_at or old["updated_at"] != ticket.updated_at
        row = _row(helpdesk, ticket, omit=("tags", "deleted"))
        row |= {"tags": to_json(ticket.tags), "deleted": int(ticket.deleted)}
        row["comments_due"] = int(not ticket.deleted and (new or bool(old and old["comments_due"])))
        self._store.upsert("tickets", [row], KEY)
        if ticket.deleted:
            self._erase(helpdesk, ticket.id)
            if old and not old["deleted"]:
                self._erase_excerpts(helpdesk, ticket.id)
        return int(new)

    def _erase(self, helpdesk: str, ticket_id: str) -> None:
        for table, column in (
            ("comments", "ticket_id"),
            ("examples", "ticket_id"),
            ("satisfaction_ratings", "ticket_id"),
        ):
            self._store.execute(f"delete from {table} where helpdesk = ? and {column} = ?", (helpdesk, ticket_id))  # noqa: S608
        self._store.execute(
            "delete from passages where helpdesk = ? and kind = 'ticket' and source_id = ?", (helpdesk, ticket_id)
        )
        self._store.execute(
            f"update suggestions set {WITHOUT_TEXT} where helpdesk = ? and ticket_id = ?",  # noqa: S608
            (helpdesk, ticket_id),
        )
        self._store.execute(
            """update feedback set reason = ''
               where suggestion_id in (select id from suggestions where helpdesk = ? and ticket_id = ?)""",
            (helpdesk, ticket_id),
        )
        self._store.execute(
            "update tickets set subject = '', raw = '{}', tags = '[]' where helpdesk = ? and id = ?",
            (helpdesk, ticket_id),
        )

    def _erase_excerpts(self, helpdesk: str, ticket_id: str) -> None:
        """Other tickets' suggestions quote the tickets that they were written after."""
        sql = """update suggestions set sources = (
                     select json_group_array(json(value)) from json_each(suggestions.sources)
                     where not (json_extract(value, '$.kind') = 'ticket' and json_extract(value, '$.id') = :id))
                 where helpdesk = :helpdesk and instr(sources, '"id":' || json_quote(:id))"""
        self._store.execute(sql, {"helpdesk": helpdesk, "id": ticket_id})

    def _save_other(self, helpdesk: str, record: Record) -> int:
        # Ratings are listed for deleted tickets too, and a comment may have been read just before the deletion.
        if isinstance(record, Comment | Satisfaction) and self._is_deleted(helpdesk, record.ticket_id):
            return 0
        table = _TABLES[type(record)]
        row = _row(helpdesk, record)
        for flag in ("public", "active", "draft", "deleted"):
            if flag in row:
                row[flag] = int(row[flag])
        old = self._store.row(f"select * from {table} where helpdesk = ? and id = ?", (helpdesk, row["id"]))  # noqa: S608
        if old == row:
            return 0
        self._store.upsert(table, [row], KEY)
        return 1

    def _is_deleted(self, helpdesk: str, ticket_id: str) -> bool:
        sql = "select 1 as one from tickets where helpdesk = ? and id = ? and deleted = 1"
        return self._store.row(sql, (helpdesk, ticket_id)) is not None

    def save_comments(
        self, helpdesk: str, ticket_id: str, comments: Iterable[Comment], authors: Iterable[User] = ()
    ) -> int:
        """Replaces a ticket's comments by the ones just read, and marks the ticket as complete."""
        with self._store.transaction():
            self.save(helpdesk, authors)
            comments = list(comments)
            kept = [comment.id for comment in comments]
            marks = ",".join("?" * len(kept))
            self._store.execute(
                f"delete from comments where helpdesk = ? and ticket_id = ? and id not in ({marks})",  # noqa: S608
                (helpdesk, ticket_id, *kept),
            )
            changed = self.save(helpdesk, comments)
            self._store.execute(
                "update tickets set comments_due = 0 where helpdesk = ? and id = ?", (helpdesk, ticket_id)
            )
        return changed

    def save_conversation(
        self, helpdesk: str, ticket: Ticket, comments: Iterable[Comment], authors: Iterable[User] = ()
    ) -> bool:
        """A ticket and its comments, read one after the other; returns False where a newer state is known already."""
        with self._store.transaction():
            known = self.ticket(helpdesk, ticket.id)
            older = known is not None and known.generated_at > ticket.generated_at
            if not older:
                self.save(helpdesk, [ticket])
                self.save_comments(helpdesk, ticket.id, comments, authors)
            elif self.is_due(helpdesk, ticket.id):
                # The export's timestamp may be later than the ticket's own `updated_at`, so an equal state can look
                # older. Where its comments are still missing, the ones just read are the best there are; they stay due.
                self.save_comments(helpdesk, ticket.id, comments, authors)
                self._store.execute(
                    "update tickets set comments_due = 1 where helpdesk = ? and id = ?", (helpdesk, ticket.id)
                )
        return not older

    def comments_gone(self, helpdesk: str, ticket_id: str) -> None:
        """The helpdesk no longer has this ticket: nothing more to fetch for it."""
        self._store.execute("update tickets set comments_due = 0 where helpdesk = ? and id = ?", (helpdesk, ticket_id))

    def tickets_due(self, helpdesk: str) -> list[str]:
        """Ids of the tickets whose comments are missing or out of date, newest first: they matter most."""
        rows = self._store.rows(
            "select id from tickets where helpdesk = ? and comments_due = 1 order by created_at desc", (helpdesk,)
        )
        return [row["id"] for row in rows]

    def is_due(self, helpdesk: str, ticket_id: str) -> bool:
        """Whether the comments of a ticket are still missing or out of date."""
        sql = "select 1 as one from tickets where helpdesk = ? and id = ? and comments_due = 1"
        return self._store.row(sql, (helpdesk, ticket_id)) is not None

    def cursor(self, helpdesk: str, stream: str) -> str | None:
        """Where the next sync of a stream starts; None at the very first."""
        row = self._store.row("select cursor from cursors where helpdesk = ? and stream = ?", (helpdesk, stream))
        return row["cursor"] if row else None

    def save_cursor(self, helpdesk: str, stream: str, cursor: str) -> None:
        """Keeps a cursor; call it in the transaction that stores its page."""
        row = {"helpdesk": helpdesk, "stream": stream, "cursor": cursor, "updated_at": clock.now()}
        self._store.upsert("cursors", [row], ("helpdesk", "stream"))

    def forget_cursors(self, helpdesk: str) -> None:
        """The next sync reads everything again (`deskhand sync --full`)."""
        self._store.execute("delete from cursors where helpdesk = ?", (helpdesk,))

    def last_synced_at(self, helpdesk: str) -> str | None:
        """When a page was last stored."""
        row = self._store.row("select max(updated_at) as at from cursors where helpdesk = ?", (helpdesk,))
        return row["at"] if row else None

    def ticket(self, helpdesk: str, ticket_id: str) -> Ticket | None:
        """One ticket, or None."""
        row = self._store.row("select * from tickets where helpdesk = ? and id = ?", (helpdesk, ticket_id))
        return _ticket(row) if row else None

    def solved_tickets(self, helpdesk: str) -> Iterator[Ticket]:
        """Tickets that a team has finished, oldest first, without deleted ones."""
        # In batches: one query left open for a whole curation would keep this connection from writing as soon as
        # another process has, and the write-ahead log from being emptied.
        sql = """select * from tickets where helpdesk = ? and status in ('solved', 'closed') and deleted = 0
                 and (created_at, id) > (?, ?) order by created_at, id limit ?"""
        last = ("", "")
        while rows := list(self._store.rows(sql, (helpdesk, *last, _BATCH))):
            yield from map(_ticket, rows)
            last = (rows[-1]["created_at"], rows[-1]["id"])

    def turns(self, helpdesk: str, ticket_id: str) -> list[Turn]:
        """A ticket's comments with their authors, oldest first. An author we do not know counts as a customer."""
        sql = """select c.*, u.name, u.email, u.role, u.locale from comments c
                 left join users u on u.helpdesk = c.helpdesk and u.id = c.author_id
                 where c.helpdesk = ? and c.ticket_id = ? order by c.created_at, length(c.id), c.id"""
        return [
            Turn(
                Comment(r["id"], r["ticket_id"], r["author_id"], bool(r["public"]), r["text"], r["created_at"]),
                User(r["author_id"], r["name"] or "", r["email"] or "", r["role"] or "requester", r["locale"] or ""),
            )
            for r in self._store.rows(sql, (helpdesk, ticket_id))
        ]

    def user(self, helpdesk: str, user_id: str) -> User | None:
        """One user, or None."""
        row = self._store.row("select * from users where helpdesk = ? and id = ?", (helpdesk, user_id))
        return User(row["id"], row["name"], row["email"], row["role"], row["locale"]) if row else None

    def agents(self, helpdesk: str) -> list[User]:
        """Everybody of the team."""
        rows = self._store.rows("select * from users where helpdesk = ? and role = 'agent' order by id", (helpdesk,))
        return [User(row["id"], row["name"], row["email"], row["role"], row["locale"]) for row in rows]

    def groups(self, helpdesk: str) -> list[Group]:
        """Groups that tickets can be routed to, by name."""
        rows = self._store.rows("select * from groups where helpdesk = ? and deleted = 0 order by name", (helpdesk,))
        return [Group(row["id"], row["name"], row["description"]) for row in rows]

    def macros(self, helpdesk: str) -> list[Macro]:
        """Active macros."""
        rows = self._store.rows("select * from macros where helpdesk = ? and active = 1 order by title", (helpdesk,))
        return [Macro(row["id"], row["title"], row["text"]) for row in rows]

    def articles(self, helpdesk: str) -> list[Article]:
        """Published articles."""
        rows = self._store.rows("select * from articles where helpdesk = ? and draft = 0 order by id", (helpdesk,))
        return [Article(r["id"], r["title"], r["text"], r["url"], r["locale"], r["updated_at"]) for r in rows]

    def counts(self, helpdesk: str) -> dict[str, int]:
        """Rows per table, for summaries."""
        return {
            table: next(self._store.rows(f"select count(*) as n from {table} where helpdesk = ?", (helpdesk,)))["n"]  # noqa: S608
            for table in ("tickets", "comments", "users", "groups", "macros", "articles", "satisfaction_ratings")
        }


_TABLES: dict[type, str] = {
    Comment: "comments",
    User: "users",
    Group: "groups",
    Macro: "macros",
    Article: "articles",
    Satisfaction: "satisfaction_ratings",
}


def _row(helpdesk: str, record: Record, omit: tuple[str, ...] = ()) -> dict[str, Any]:
    names = [name for name in record.__dataclass_fields__ if name not in ("raw", *omit)]
    return {"helpdesk": helpdesk} | {name: getattr(record, name) for name in names} | {"raw": to_json(record.raw)}


def _ticket(row: dict[str, Any]) -> Ticket:
    names = [name for name in Ticket.__dataclass_fields__ if name not in ("raw", "tags", "deleted")]
    values = {name: row[name] for name in names}
    return Ticket(
        **values,
        tags=tuple(json.loads(row["tags"] or "[]")),
        deleted=bool(row["deleted"]),
        raw=json.loads(row["raw"] or "{}"),
    )
