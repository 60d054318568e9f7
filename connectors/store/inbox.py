"""The inbox: webhooks, stored before they are answered and worked through at least once.

The row is the truth, a lease is the lock. A worker that dies leaves a lease that runs out; the row is then taken again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from connectors import clock
from connectors.store.part import Part

WAITING, LEASED, DONE, DEAD = "waiting", "leased", "done", "dead"


@dataclass(frozen=True, slots=True)
class Job:
    """A leased inbox row. `attempts` counts this one."""

    id: int
    helpdesk: str
    ticket_id: str
    attempts: int


# Every claim counts an attempt: a lease that ran out is not taken for a later one, not even of the same owner.
_HELD = "id = ? and lease_owner = ? and attempts = ? and status = ?"


def _held(job: Job, owner: str) -> tuple[int, str, int, str]:
    return job.id, owner, job.attempts, LEASED


class Inbox(Part):
    """Queue of tickets that something happened on."""

    def put(self, helpdesk: str, delivery_id: str, ticket_id: str) -> bool:
        """Stores a delivery; returns False where this delivery is known already."""
        sql = """insert into inbox (helpdesk, delivery_id, ticket_id, received_at, available_at, status, attempts)
                 values (?, ?, ?, ?, ?, ?, 0) on conflict do nothing"""
        row = (helpdesk, delivery_id, ticket_id, clock.now(), time.time(), WAITING)
        return self._store.execute(sql, row) == 1

    def claim(self, owner: str, *, lease_s: float) -> Job | None:
        """Takes the newest waiting row, and with it all older open rows of its ticket: one draft answers a burst.

        Rows of a ticket that somebody works on right now wait, so that no ticket is worked on twice at a time.
        """
        now = time.time()
        with self._store.transaction():
            row = self._store.row(
                """select * from inbox where ((status = :waiting and available_at <= :now)
                       or (status = :leased and lease_until < :now))
                   and not exists (select 1 from inbox other where other.status = :leased and other.lease_until >= :now
                       and other.helpdesk = inbox.helpdesk and other.ticket_id = inbox.ticket_id)
                   order by id desc limit 1""",
                {"waiting": WAITING, "leased": LEASED, "now": now},
            )
            if row is None:
                return None
            self._store.execute(
                """update inbox set status = ?, error = 'answered together with a newer one', finished_at = ?
                   where helpdesk = ? and ticket_id = ? and status in (?, ?) and id < ?""",
                (DONE, clock.now(), row["helpdesk"], row["ticket_id"], WAITING, LEASED, row["id"]),
            )
            self._store.execute(
                "update inbox set status = ?, lease_owner = ?, lease_until = ?, attempts = attempts + 1 where id = ?",
                (LEASED, owner, now + lease_s, row["id"]),
            )
        return Job(row["id"], row["helpdesk"], row["ticket_id"], row["attempts"] + 1)

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

    def counts(self) -> dict[str, int]:
        """Rows per status; every status is there."""
        rows = self._store.rows("select status, count(*) as n from inbox group by status")
        return {WAITING: 0, LEASED: 0, DONE: 0, DEAD: 0} | {row["status"]: row["n"] for row in rows}

    def errors(self, limit: int = 20) -> list[dict[str, object]]:
        """The last rows that were given up: id, ticket, attempts and why."""
        sql = "select id, ticket_id, attempts, error, finished_at from inbox where status = ? order by id desc limit ?"
        return list(self._store.rows(sql, (DEAD, limit)))

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
