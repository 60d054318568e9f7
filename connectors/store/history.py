"""What the helpdesk holds, for reading: tickets, comments, users, groups, macros, articles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connectors.records import Article, Comment, Group, Macro, Ticket, User
from connectors.store.part import Part

TABLES = (
    "groups", "brands", "ticket_fields", "organizations", "users", "macros", "articles", "tickets", "comments",
    "attachments", "ticket_metrics", "satisfaction_ratings",
)  # fmt: skip
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Turn:
    """A comment with what training needs to know of its author."""

    comment: Comment
    author: User


class History(Part):
    """Reads what the helpdesk holds; `mirror.Mirror` writes it."""

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

    def requesters(self, helpdesk: str) -> list[User]:
        """Everybody who has opened a ticket that `solved_tickets` gives."""
        sql = """select * from users where helpdesk = ? and id in (
                 select requester_id from tickets where helpdesk = ? and status in ('solved', 'closed') and deleted = 0)
                 order by id"""
        rows = self._store.rows(sql, (helpdesk, helpdesk))
        return [User(row["id"], row["name"], row["email"], row["role"], row["locale"]) for row in rows]

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
            for table in TABLES
        }


def _ticket(row: dict[str, Any]) -> Ticket:
    names = [name for name in Ticket.__dataclass_fields__ if name not in ("raw", "tags", "deleted", "merged", "fields")]
    values = {name: row[name] for name in names}
    return Ticket(
        **values,
        tags=tuple(json.loads(row["tags"] or "[]")),
        deleted=bool(row["deleted"]),
        merged=bool(row["merged"]),
        raw=json.loads(row["raw"] or "{}"),
    )
