"""The inbox: webhooks, stored before they are answered and worked through at least once.

The row is the truth, a lease is the lock. A worker renews the lease of its job as long as it lives; one that dies
leaves a lease that runs out, or that its successor hands back. Deaths are counted, so that a ticket that kills whoever
works on it ends as a dead letter for a person to see, and not in a loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from connectors import clock
from connectors.channels import CHATS
from connectors.store.part import Part, batches

WAITING, LEASED, DONE, DEAD = "waiting", "leased", "done", "dead"

MAX_DEATHS = 5
"""So many workers may die on one job: a kill or two can hit anybody, five in a row are the ticket's doing."""

_PRUNED_AT_ONCE = 500
_LISTED = "id, ticket_id, status, attempts, deaths, coalesce(error, '') as error"


@dataclass(frozen=True, slots=True)
class Job:
    """A leased inbox row. `attempts` counts this one."""

    id: int
    helpdesk: str
    ticket_id: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the inbox as a person looks at it.

    Attributes:
        attempts: How often it was taken; `deaths` counts the workers that died on it.
        error: Why it failed last; empty where it did not.
        at: When it was given up, or when it came where it is still open.
    """

    id: int
    ticket_id: str
    status: str
    attempts: int
    deaths: int
    error: str
    at: str


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker says of itself, every few seconds.

    Attributes:
        version: Of the model that it has loaded; empty before its first draft.
        ticket_id: What it works on; empty where it waits.
        seen_s: Unix seconds of its last sign of life.
    """

    name: str
    pid: int
    host: str
    version: str
    ticket_id: str
    started_at: str
    seen_s: float


# Every claim counts an attempt: a lease that ran out is not taken for a later one, not even of the same owner.
_HELD = "id = ? and lease_owner = ? and attempts = ? and status = ?"


def _held(job: Job, owner: str) -> tuple[int, str, int, str]:
    return job.id, owner, job.attempts, LEASED


class Inbox(Part):
    """Queue of tickets that something happened on, and who works on it."""

    def put(self, helpdesk: str, delivery_id: str, ticket_id: str) -> bool:
        """Stores a delivery; returns False where this delivery is known already."""
        sql = f"""insert into inbox
                      (helpdesk, delivery_id, ticket_id, received_at, available_at, status, attempts, is_chat)
                  values (?, ?, ?, ?, ?, ?, 0, exists (select 1 from tickets
                      where helpdesk = ? and id = ? and channel in ({",".join("?" * len(CHATS))})))
                  on conflict do nothing"""  # noqa: S608
        row = (helpdesk, delivery_id, ticket_id, clock.now(), time.time(), WAITING, helpdesk, ticket_id, *CHATS)
        return self._store.execute(sql, row) == 1

    # ---- for workers

    def claim(self, owner: str, *, lease_s: float) -> Job | None:
        """Takes the newest waiting row, and with it all older open rows of its ticket: one draft answers a burst.

        Chats come before mails: there somebody looks at the screen. Of a new ticket nobody knows yet what it is, but
        its row is the newest. Rows of a ticket that somebody works on right now wait, so that no ticket is worked on
        twice at a time. A row that too many workers have died on is given up here: there is nobody left who could.
        """
        # Looked at first: a worker without work must not take the write lock twice a second.
        while self._next() is not None:
            with self._store.transaction():
                row = self._next()
                if row is None:
                    return None
                deaths = row["deaths"] + (row["status"] == LEASED)
                if deaths >= MAX_DEATHS:
                    self._bury_poison(row["id"], deaths)
                    continue
                self._store.execute(
                    """update inbox set status = ?, error = 'answered together with a newer one', finished_at = ?
                       where helpdesk = ? and ticket_id = ? and status in (?, ?) and id < ?""",
                    (DONE, clock.now(), row["helpdesk"], row["ticket_id"], WAITING, LEASED, row["id"]),
                )
                self._store.execute(
                    """update inbox set status = ?, lease_owner = ?, lease_until = ?, attempts = attempts + 1,
                       deaths = ? where id = ?""",
                    (LEASED, owner, time.time() + lease_s, deaths, row["id"]),
                )
            return Job(row["id"], row["helpdesk"], row["ticket_id"], row["attempts"] + 1)
        return None

    def is_overtaken(self, job: Job) -> bool:
        """Whether something newer on the job's ticket waits; whoever takes that answers both."""
        sql = "select 1 as one from inbox where helpdesk = ? and ticket_id = ? and id > ? and status = ? limit 1"
        return self._store.row(sql, (job.helpdesk, job.ticket_id, job.id, WAITING)) is not None

    def renew(self, job: Job, owner: str, *, lease_s: float) -> bool:
        """A sign of life; returns False where the lease had run out and somebody else has the row now."""
        sql = f"update inbox set lease_until = ? where {_HELD}"  # noqa: S608
        return self._store.execute(sql, (time.time() + lease_s, *_held(job, owner))) == 1

    def finish(self, job: Job, owner: str) -> bool:
        """Done; returns False where the lease had run out and somebody else has the row now."""
        sql = f"update inbox set status = ?, finished_at = ?, error = null where {_HELD}"  # noqa: S608
        return self._store.execute(sql, (DONE, clock.now(), *_held(job, owner))) == 1

    def retry(self, job: Job, owner: str, *, delay_s: float, error: str) -> None:
        """Back into the queue, not before `delay_s` seconds from now."""
        sql = f"update inbox set status = ?, available_at = ?, error = ?, lease_owner = null where {_HELD}"  # noqa: S608
        self._store.execute(sql, (WAITING, time.time() + delay_s, error, *_held(job, owner)))

    def bury(self, job: Job, owner: str, *, error: str) -> None:
        """Gives up; the row stays for a person to see."""
        sql = f"update inbox set status = ?, finished_at = ?, error = ? where {_HELD}"  # noqa: S608
        self._store.execute(sql, (DEAD, clock.now(), error, *_held(job, owner)))

    def hand_back(self, owner: str, delay_s: Callable[[int], float]) -> int:
        """Puts back what a worker of this name held when it died; returns how many rows.

        Only for who knows that it is dead: its successor under the same name, see `connectors.lock.numbered`.

        Args:
            delay_s: Seconds to wait, by the number of attempts.
        """
        with self._store.transaction():
            rows = list(self._store.rows("select * from inbox where status = ? and lease_owner = ?", (LEASED, owner)))
            for row in rows:
                if row["deaths"] + 1 >= MAX_DEATHS:
                    self._bury_poison(row["id"], row["deaths"] + 1)
                    continue
                self._store.execute(
                    """update inbox set status = ?, available_at = ?, deaths = deaths + 1, lease_owner = null,
                       error = 'the worker died on it' where id = ?""",
                    (WAITING, time.time() + delay_s(row["attempts"]), row["id"]),
                )
        return len(rows)

    def _bury_poison(self, row_id: int, deaths: int) -> None:
        self._store.execute(
            "update inbox set status = ?, finished_at = ?, error = ?, deaths = ?, lease_owner = null where id = ?",
            (DEAD, clock.now(), f"{deaths} workers died on it", deaths, row_id),
        )

    def _next(self) -> dict[str, Any] | None:
        # These indexes hold open rows alone, and are walked from their newest: with 20,000 rows waiting 0.3 ms instead
        # of the 390 ms that SQLite's own plan takes, and that every webhook would wait for.
        for index, condition in (("inbox_chats", "is_chat = 1 and"), ("inbox_open", "")):
            row = self._store.row(
                f"""select * from inbox indexed by {index} where {condition} status in ('waiting', 'leased')
                    and ((status = 'waiting' and available_at <= :now) or (status = 'leased' and lease_until < :now))
                    and not exists (select 1 from inbox other where other.status = 'leased'
                        and other.lease_until >= :now
                        and other.helpdesk = inbox.helpdesk and other.ticket_id = inbox.ticket_id)
                    order by id desc limit 1""",  # noqa: S608
                {"now": time.time()},
            )
            if row is not None:
                return row
        return None

    # ---- for people

    def counts(self) -> dict[str, int]:
        """Rows per status; every status is there."""
        rows = self._store.rows("select status, count(*) as n from inbox group by status")
        return {WAITING: 0, LEASED: 0, DONE: 0, DEAD: 0} | {row["status"]: row["n"] for row in rows}

    def dead(self, limit: int = 50) -> list[Entry]:
        """The rows that were given up, newest first."""
        sql = f"select {_LISTED}, finished_at as at from inbox where status = 'dead' order by id desc limit ?"  # noqa: S608
        return [Entry(**row) for row in self._store.rows(sql, (limit,))]

    def open(self, limit: int = 50) -> list[Entry]:
        """The rows that wait or are being worked on, newest first, which is the order they are taken in."""
        sql = f"""select {_LISTED}, received_at as at from inbox where status in ('waiting', 'leased')
                  order by id desc limit ?"""  # noqa: S608
        return [Entry(**row) for row in self._store.rows(sql, (limit,))]

    def statuses(self, ids: Sequence[int]) -> dict[int, str]:
        """The status of each of these rows that is there, by id."""
        found = {}
        for batch in batches(ids):
            marks = ", ".join("?" * len(batch))
            rows = self._store.rows(f"select id, status from inbox where id in ({marks})", batch)  # noqa: S608
            found.update({row["id"]: row["status"] for row in rows})
        return found

    def revive(self, ids: Sequence[int] | None = None) -> int:
        """Puts dead letters back into the queue as if they had just come; returns how many.

        Args:
            ids: Which ones; None takes all. Rows that are no dead letters are left alone.
        """
        sql = """update inbox set status = 'waiting', attempts = 0, deaths = 0, available_at = ?, error = null,
                 finished_at = null, lease_owner = null where status = 'dead'"""
        now = time.time()
        if ids is None:
            return self._store.execute(sql, (now,))
        return self._store.many(f"{sql} and id = ?", [(now, row_id) for row_id in ids])

    def prune(self, before_s: float) -> int:
        """Deletes what was done and came before a moment, in Unix seconds; returns how many rows.

        With a row its delivery id is forgotten: the moment must lie before all that could be delivered again.
        """
        came = clock.from_epoch(before_s)
        pruned = 0
        while True:
            # A few at a time: the write lock is what webhooks wait for.
            gone = self._store.execute(
                """delete from inbox where id in (select id from inbox
                       where status = 'done' and available_at < ? and received_at < ? limit ?)""",
                (before_s, came, _PRUNED_AT_ONCE),
            )
            pruned += gone
            if gone < _PRUNED_AT_ONCE:
                return pruned

    def overdue(self, seconds: float) -> int:
        """How many rows could have been taken so long ago and were not."""
        sql = "select count(*) as n from inbox where status = 'waiting' and available_at < ?"
        return int(next(self._store.rows(sql, (time.time() - seconds,)))["n"])

    # ---- who works on it

    def seen(self, worker: WorkerState) -> None:
        """A worker's sign of life."""
        self._store.execute("insert or replace into workers values (?, ?, ?, ?, ?, ?, ?)", astuple(worker))

    def left(self, name: str) -> None:
        """A worker ended as it should."""
        self._store.execute("delete from workers where name = ?", (name,))

    def workers(self, within_s: float | None = None) -> list[WorkerState]:
        """Workers by name: all that have not ended as they should, or only those seen so few seconds ago."""
        since = time.time() - within_s if within_s is not None else 0.0
        rows = self._store.rows("select * from workers where seen_s >= ? order by name", (since,))
        return [WorkerState(**row) for row in rows]

    # ---- about one ticket

    def open_for(self, helpdesk: str, ticket_id: str) -> bool:
        """Whether something on this ticket still waits or is being worked on."""
        sql = "select 1 as one from inbox where helpdesk = ? and ticket_id = ? and status in (?, ?) limit 1"
        return self._store.row(sql, (helpdesk, ticket_id, WAITING, LEASED)) is not None

    def failed_for(self, helpdesk: str, ticket_id: str) -> str:
        """Why the newest row of a ticket was given up; empty where it was not."""
        sql = "select status, error from inbox where helpdesk = ? and ticket_id = ? order by id desc limit 1"
        row = self._store.row(sql, (helpdesk, ticket_id))
        return str(row["error"] or "unknown") if row and row["status"] == DEAD else ""

    def has(self, helpdesk: str, ticket_id: str) -> bool:
        """Whether anything on this ticket has ever arrived."""
        sql = "select 1 as one from inbox where helpdesk = ? and ticket_id = ? limit 1"
        return self._store.row(sql, (helpdesk, ticket_id)) is not None
