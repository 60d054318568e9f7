"""Forgetting a customer: everything of theirs leaves the database, and the next sync does not bring it back."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.errors import FatalError, NotFoundError
from connectors.records import Deletion
from connectors.store.database import Store, explained
from connectors.store.suggestions import WITHOUT_TEXT
from connectors.store.tombstones import Kind, Tombstones


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed.

    Attributes:
        tickets: Ids of the customer's tickets. Their rows stay, empty, so that no sync fetches them again.
        elsewhere: Tickets of others in which the customer had written; their comments there are gone.
        mentions: Tickets of others that still name the customer's address: a person has to look at them.
        examples: How many curated examples went with it.
        already: They had been forgotten before.
        overwritten: Whether the bytes are gone from the files, too; another process that reads at this moment keeps
            them in the write-ahead log.
    """

    tickets: tuple[str, ...]
    elsewhere: tuple[str, ...]
    mentions: tuple[str, ...]
    examples: int
    already: bool
    overwritten: bool


def forget(store: Store, helpdesk: str, who: str) -> Forgotten:
    """Removes a customer, by id or e-mail address, and overwrites what was there.

    Raises:
        NotFoundError: Nobody here has this id or address.
        FatalError: It is somebody of the team: their replies are other customers' tickets.
        StoreError: The file cannot be written, or the disk has no room for a second copy of it.
    """
    who = who.strip()
    kind: Kind = "email" if "@" in who else "id"
    with store.transaction():
        tombstones = Tombstones(store, helpdesk)
        already = tombstones.has(kind, who)
        column = "lower(email)" if kind == "email" else "id"
        people = list(
            store.rows(
                f"select id, email, role from users where helpdesk = ? and {column} = ?",  # noqa: S608
                (helpdesk, who.lower() if kind == "email" else who),
            )
        )
        if any(person["role"] == "agent" for person in people):
            raise FatalError(
                "this is somebody of the team, whose replies stand in customers' tickets",
                hint="to leave their replies out of training, set [trainer] exclude_agents",
            )
        ids = [person["id"] for person in people] or ([who] if kind == "id" and who else [])
        found = [_erase_person(store, helpdesk, one) for one in ids]
        tickets = [ticket for one in found for ticket in one[0]]
        elsewhere = [ticket for one in found for ticket in one[1] if ticket not in tickets]
        if not people and not tickets and not elsewhere and not already:
            raise NotFoundError(
                "nobody in the database has this id or address", hint="it may be spelt otherwise, or was never synced"
            )
        emails = sorted({person["email"] for person in people if person["email"]})
        for person_id in ids:
            tombstones.put("id", person_id)
        for email in emails:
            tombstones.put("email", email)
        mentions = _mentions(store, helpdesk, emails)
    overwritten = overwrite(store)
    examples = sum(one[2] for one in found)
    return Forgotten(tuple(tickets), tuple(elsewhere), mentions, examples, already, overwritten)


def tickets_of(store: Store, helpdesk: str, who: str) -> list[tuple[str, str]]:
    """Tickets in which a customer, by id or address, asked or wrote: (id, when it was created)."""
    sql = """with person as (select id from users where helpdesk = :desk and (id = :who or lower(email) = lower(:who))
                 union select :who)
             select id, created_at from tickets where helpdesk = :desk and (requester_id in (select id from person)
                 or id in (select ticket_id from comments where helpdesk = :desk
                           and author_id in (select id from person)))
             order by created_at, id"""
    return [(row["id"], row["created_at"]) for row in store.rows(sql, {"desk": helpdesk, "who": who.strip()})]


def overwrite(store: Store) -> bool:
    """Writes the files anew without what was deleted; returns False where another process still reads the old bytes.

    Deleted rows are overwritten at once already (`secure_delete`), but the search index keeps words of theirs in its
    segments, and the write-ahead log keeps pages as they were.
    """
    with explained(store.path):
        indexes = "select name from sqlite_master where type = 'table' and sql like '%using fts5(%'"
        for name in [row["name"] for row in store.rows(indexes)]:
            store.execute(f"insert into {name}({name}) values ('rebuild')")  # noqa: S608
        # Neither runs inside a transaction.
        connection = sqlite3.connect(store.path, timeout=15.0)
        try:
            connection.execute("pragma secure_delete = on")
            connection.execute("vacuum")
            # A reader of ours is done within milliseconds; who reads for longer is not waited for.
            connection.execute("pragma busy_timeout = 1000")
            busy = connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
        finally:
            connection.close()
    return not busy


def _erase_person(store: Store, helpdesk: str, person_id: str) -> tuple[list[str], list[str], int]:
    """Returns (their tickets, others' tickets they wrote in, how many examples)."""
    sql = "select id from tickets where helpdesk = ? and requester_id = ? order by created_at, id"
    tickets = [row["id"] for row in store.rows(sql, (helpdesk, person_id))]
    elsewhere = [
        row["ticket_id"]
        for row in store.rows(
            """select distinct c.ticket_id from comments c
               join tickets t on t.helpdesk = c.helpdesk and t.id = c.ticket_id
               where c.helpdesk = ? and c.author_id = ? and t.requester_id != ?""",
            (helpdesk, person_id, person_id),
        )
    ]
    examples = sum(_count_examples(store, helpdesk, ticket_id) for ticket_id in tickets + elsewhere)
    store.mirror.save(helpdesk, [Deletion(ticket_id, int(time.time())) for ticket_id in tickets])
    store.execute(
        """update tickets set requester_id = '', organization_id = null, url = '', raw = '{}'
           where helpdesk = ? and requester_id = ?""",
        (helpdesk, person_id),
    )
    for table in ("inbox", "frozen_tickets"):
        store.many(
            f"delete from {table} where helpdesk = ? and ticket_id = ?",  # noqa: S608
            [(helpdesk, ticket_id) for ticket_id in tickets],
        )
    store.execute(
        """delete from attachments where helpdesk = ? and comment_id in
           (select id from comments where helpdesk = ? and author_id = ?)""",
        (helpdesk, helpdesk, person_id),
    )
    store.execute("delete from comments where helpdesk = ? and author_id = ?", (helpdesk, person_id))
    for ticket_id in elsewhere:
        _erase_what_was_made(store, helpdesk, ticket_id)
    store.execute("delete from users where helpdesk = ? and id = ?", (helpdesk, person_id))
    return tickets, elsewhere, examples


def _erase_what_was_made(store: Store, helpdesk: str, ticket_id: str) -> None:
    """Examples, passages and drafts of a ticket that goes on without the person's comments; curation makes new ones."""
    key = (helpdesk, ticket_id)
    store.execute("delete from examples where helpdesk = ? and ticket_id = ?", key)
    store.execute("delete from passages where helpdesk = ? and kind = 'ticket' and source_id = ?", key)
    store.execute(f"update suggestions set {WITHOUT_TEXT} where helpdesk = ? and ticket_id = ?", key)  # noqa: S608
    store.drafting.forget(helpdesk, ticket_id)
    store.mirror.erase_excerpts(helpdesk, ticket_id)


def _count_examples(store: Store, helpdesk: str, ticket_id: str) -> int:
    sql = "select count(*) as n from examples where helpdesk = ? and ticket_id = ? and kept = 1"
    return int(next(store.rows(sql, (helpdesk, ticket_id)))["n"])


def _mentions(store: Store, helpdesk: str, emails: Sequence[str]) -> tuple[str, ...]:
    sql = (
        "select distinct ticket_id from comments where helpdesk = ? and instr(lower(text), lower(?)) order by ticket_id"
    )
    return tuple(dict.fromkeys(row["ticket_id"] for email in emails for row in store.rows(sql, (helpdesk, email))))
