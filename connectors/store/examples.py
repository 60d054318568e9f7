"""Examples: every answered turn with curation's verdict on it, so that an admin can see why any ticket is in or out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from connectors.store.part import Part, deleted_tickets


@dataclass(frozen=True, slots=True)
class Example:
    """One customer turn and the team's public answer to it.

    Attributes:
        comment_id: The agent's comment: the key.
        turn: 0 for a ticket's first answer, then 1, 2, …
        question: The conversation up to the answer, personal data as slots.
        reply: The answer without signature and quotes, personal data and facts as slots.
        reason: Why it was dropped; empty where it was kept.
        weight: How often it counts in training; above 1 where one example stands for several alike.
    """

    helpdesk: str
    ticket_id: str
    comment_id: str
    turn: int
    kept: bool
    reason: str
    weight: float
    question: str
    reply: str
    language: str
    group_id: str
    requester_id: str
    agent_id: str
    created_at: str


class Examples(Part):
    """The curated data set."""

    def replace(self, helpdesk: str, examples: Sequence[Example]) -> None:
        """Swaps a helpdesk's whole data set, all or nothing; leaves out tickets that were deleted while it was made."""
        with self._store.transaction():
            deleted = deleted_tickets(self._store, helpdesk)
            rows = [asdict(one) | {"kept": int(one.kept)} for one in examples if one.ticket_id not in deleted]
            self._store.execute("delete from examples where helpdesk = ?", (helpdesk,))
            self._store.insert("examples", rows)

    def kept(self, helpdesk: str) -> list[Example]:
        """What is learned from, oldest first."""
        sql = "select * from examples where helpdesk = ? and kept = 1 order by created_at, comment_id"
        return [Example(**(row | {"kept": bool(row["kept"])})) for row in self._store.rows(sql, (helpdesk,))]

    def reasons(self, helpdesk: str) -> dict[str, int]:
        """How many were dropped for which reason, most first."""
        sql = """select reason, count(*) as n from examples where helpdesk = ? and kept = 0
                 group by reason order by n desc, reason"""
        return {row["reason"]: row["n"] for row in self._store.rows(sql, (helpdesk,))}

    def verdict(self, helpdesk: str, ticket_id: str) -> list[tuple[str, bool, str]]:
        """For one ticket: each answered turn's comment id, whether it is kept, and why not."""
        sql = "select comment_id, kept, reason from examples where helpdesk = ? and ticket_id = ? order by turn"
        return [(r["comment_id"], bool(r["kept"]), r["reason"]) for r in self._store.rows(sql, (helpdesk, ticket_id))]
