"""What monitors watch, counted where it lies: a few aggregates, no texts and no people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.store.inbox import DEAD, LEASED, WAITING
from connectors.store.part import Part
from connectors.store.suggestions import SILENT


@dataclass(frozen=True, slots=True)
class Queue:
    """The inbox.

    Attributes:
        states: Rows by state; those that are done are left out.
        oldest_at: When the oldest open row came in; None where none is open.
    """

    states: dict[str, int]
    oldest_at: str | None


@dataclass(frozen=True, slots=True)
class Latency:
    """How long drafts took.

    Attributes:
        counts: For each bound, how many took at most so long; the last one is all of them.
        total_s: All of them together.
    """

    counts: tuple[int, ...]
    total_s: float


class Figures(Part):
    """Aggregates over one helpdesk."""

    def queue(self, helpdesk: str) -> Queue:
        """What is in the inbox."""
        sql = """select status, count(*) as n, min(received_at) as oldest from inbox
                 where helpdesk = ? and status in (?, ?, ?) group by status"""
        rows = list(self._store.rows(sql, (helpdesk, WAITING, LEASED, DEAD)))
        states = {WAITING: 0, LEASED: 0, DEAD: 0} | {row["status"]: row["n"] for row in rows}
        return Queue(states, min((row["oldest"] for row in rows if row["status"] != DEAD), default=None))

    def suggestions(self, helpdesk: str) -> dict[tuple[str, str], int]:
        """Suggestions by state and by reason of silence, which is empty for all but silent ones."""
        sql = "select state, silence, count(*) as n from suggestions where helpdesk = ? group by state, silence"
        return {(row["state"], row["silence"]): row["n"] for row in self._store.rows(sql, (helpdesk,))}

    def latency(self, helpdesk: str, bounds_s: Sequence[float]) -> Latency:
        """How long drafts took that the model was asked for.

        Args:
            bounds_s: Upper bounds, ascending.
        """
        within = "".join(f", total(latency_s <= ?) as within_{number}" for number in range(len(bounds_s)))
        sql = f"""select total(latency_s) as seconds, count(*) as n{within}
                  from suggestions where helpdesk = ? and latency_s > 0"""  # noqa: S608
        total_s, number, *counts = (self._store.row(sql, (*bounds_s, helpdesk)) or {"seconds": 0.0, "n": 0}).values()
        return Latency(tuple(int(count) for count in (*counts, number)), total_s)

    def coverage(self, helpdesk: str, since: str) -> float | None:
        """Share of customer turns since then (ISO 8601) with a draft that was good enough; None where there were none.

        Withheld drafts were good enough, too; what an administrator has switched off is left out.
        """
        sql = """select avg(state != ?) as share from suggestions
                 where helpdesk = ? and created_at >= ? and silence != 'switched_off'"""
        row = self._store.row(sql, (SILENT, helpdesk, since))
        return None if row is None or row["share"] is None else float(row["share"])

    def feedback(self, helpdesk: str) -> dict[str, int]:
        """What people did with suggestions, by action."""
        sql = """select f.action, count(*) as n from feedback f join suggestions s on s.id = f.suggestion_id
                 where s.helpdesk = ? group by f.action"""
        return {row["action"]: row["n"] for row in self._store.rows(sql, (helpdesk,))}
