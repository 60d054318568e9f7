"""Tombstones: whose text must not be stored again, kept as digests so that the list itself names nobody.

A digest is an HMAC-SHA-256 under a key of this database. Whoever has the file can try known ids against it: it hides
the list from a reader, not from somebody who asks about one person.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from connectors import clock
from connectors.records import Comment, Record, Thread, Ticket, User
from connectors.store.part import Connection

Kind = Literal["id", "email"]


class Tombstones:
    """The forgotten people of one helpdesk, as they are now: read anew for every page, in the page's transaction."""

    def __init__(self, store: Connection, helpdesk: str) -> None:
        self._store = store
        self._helpdesk = helpdesk
        rows = store.rows("select digest from forgotten where helpdesk = ?", (helpdesk,))
        self._digests = {row["digest"] for row in rows}
        self._key: bytes | None = None

    def put(self, kind: Kind, value: str) -> None:
        """Remembers a person's id or address."""
        sql = "insert or ignore into forgotten (helpdesk, digest, kind, forgotten_at) values (?, ?, ?, ?)"
        digest = self._digest(kind, value)
        self._store.execute(sql, (self._helpdesk, digest, kind, clock.now()))
        self._digests.add(digest)

    def has(self, kind: Kind, value: str) -> bool:
        """Whether this id or address is one of a forgotten person."""
        return bool(self._digests) and self._digest(kind, value) in self._digests

    def leave_out(self, records: Iterable[Record]) -> list[Record]:
        """What may be stored: tickets of the forgotten come as deleted ones, their names and comments not at all.

        Threads pass as they are; see `thread`.

        A new account with a forgotten address is somebody new: what it writes was written after they were forgotten.
        """
        if not self._digests:
            return list(records)
        found: list[Record] = []
        for record in records:
            if isinstance(record, Ticket) and self.has("id", record.requester_id):
                record = replace(record, requester_id="", organization_id=None, deleted=True)
            elif (isinstance(record, User) and self.has("id", record.id)) or (
                isinstance(record, Comment) and self.has("id", record.author_id)
            ):
                continue
            found.append(record)
        return found

    def thread(self, thread: Thread) -> Thread:
        """A ticket's comments without those of the forgotten."""
        if not self._digests:
            return thread
        return replace(
            thread,
            comments=tuple(one for one in thread.comments if not self.has("id", one.author_id)),
            authors=tuple(one for one in thread.authors if not self.has("id", one.id)),
        )

    def _digest(self, kind: Kind, value: str) -> str:
        if self._key is None:
            sql = "insert or ignore into forgotten_key (id, key) values (1, ?)"
            row = self._store.row("select key from forgotten_key where id = 1")
            if row is None:
                self._store.execute(sql, (secrets.token_bytes(32),))
                row = self._store.row("select key from forgotten_key where id = 1")
            assert row is not None
            self._key = bytes(row["key"])
        text = value.strip().lower() if kind == "email" else value
        return hmac.new(self._key, f"{kind}\x1f{self._helpdesk}\x1f{text}".encode(), hashlib.sha256).hexdigest()
