"""Examples: every answered turn with curation's verdict on it, so that an admin can see why any ticket is in or out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from connectors import clock
from connectors.channels import CHATS
from connectors.store.part import Part, batches, deleted_tickets

_BATCH = 500


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
        route_label: Whether routing may learn from its group; False where the ticket probably stands in a wrong one.
        weight_reason: Why it weighs less than its agent's other answers; empty where it does not.
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
    route_label: bool = True
    weight_reason: str = ""


class Examples(Part):
    """The curated data set, and what curation reads of the store beside the tickets themselves."""

    def replace(self, helpdesk: str, examples: Iterable[Example]) -> None:
        """Swaps a helpdesk's whole data set, all or nothing; leaves out tickets that were deleted while it was made."""
        with self._store.transaction():
            deleted = deleted_tickets(self._store, helpdesk)
            self._store.execute("delete from examples where helpdesk = ?", (helpdesk,))
            for batch in batches(one for one in examples if one.ticket_id not in deleted):
                self._store.insert("examples", [asdict(one) for one in batch])

    def kept(self, helpdesk: str) -> list[Example]:
        """What is learned from, oldest first."""
        sql = "select * from examples where helpdesk = ? and kept = 1 order by created_at, comment_id"
        return [_example(row) for row in self._store.rows(sql, (helpdesk,))]

    def of_ticket(self, helpdesk: str, ticket_id: str) -> list[Example]:
        """All of one ticket, turn by turn, kept or not."""
        sql = "select * from examples where helpdesk = ? and ticket_id = ? order by turn"
        return [_example(row) for row in self._store.rows(sql, (helpdesk, ticket_id))]

    def reasons(self, helpdesk: str) -> dict[str, int]:
        """How many were dropped for which reason, most first."""
        sql = """select reason, count(*) as n from examples where helpdesk = ? and kept = 0
                 group by reason order by n desc, reason"""
        return {row["reason"]: row["n"] for row in self._store.rows(sql, (helpdesk,))}

    def verdict(self, helpdesk: str, ticket_id: str) -> list[tuple[str, bool, str]]:
        """For one ticket: each answered turn's comment id, whether it is kept, and why not."""
        sql = "select comment_id, kept, reason from examples where helpdesk = ? and ticket_id = ? order by turn"
        return [(r["comment_id"], bool(r["kept"]), r["reason"]) for r in self._store.rows(sql, (helpdesk, ticket_id))]

    def freeze(self, helpdesk: str, ticket_ids: Iterable[str]) -> None:
        """These tickets judge every version from now on; they are never trained on."""
        at = clock.now()
        self._store.many(
            "insert or ignore into frozen_tickets (helpdesk, ticket_id, frozen_at) values (?, ?, ?)",
            [(helpdesk, ticket_id, at) for ticket_id in ticket_ids],
        )

    def frozen(self, helpdesk: str) -> frozenset[str]:
        """Ids of the tickets that are never trained on; empty before the first training."""
        rows = self._store.rows("select ticket_id from frozen_tickets where helpdesk = ?", (helpdesk,))
        return frozenset(row["ticket_id"] for row in rows)

    def recent_replies(self, helpdesk: str, *, each: int, most: int) -> Iterator[tuple[str, str]]:
        """(agent id, text) of public replies, newest first: at most `each` of an agent, of the last `most` comments."""
        sql = """select c.rowid as place, c.author_id, c.public, c.text, u.role from comments c
                 left join users u on u.helpdesk = c.helpdesk and u.id = c.author_id
                 where c.helpdesk = ? and c.rowid < ? order by c.rowid desc limit ?"""
        last, seen = 2**62, 0
        had: dict[str, int] = {}
        while seen < most and (rows := list(self._store.rows(sql, (helpdesk, last, _BATCH)))):
            for row in rows:
                author = row["author_id"]
                if row["role"] == "agent" and row["public"] and had.get(author, 0) < each:
                    had[author] = had.get(author, 0) + 1
                    yield author, row["text"]
            last, seen = rows[-1]["place"], seen + len(rows)

    def chat_replies(self, helpdesk: str, most: int = 200) -> list[str]:
        """Kept replies of tickets that are conversations, newest first."""
        marks = ",".join("?" * len(CHATS))
        sql = f"""select e.reply from examples e join tickets t on t.helpdesk = e.helpdesk and t.id = e.ticket_id
                  where e.helpdesk = ? and e.kept = 1 and t.channel in ({marks})
                  order by e.created_at desc limit ?"""  # noqa: S608
        return [row["reply"] for row in self._store.rows(sql, (helpdesk, *CHATS, most))]

    def drafts(self, helpdesk: str, ticket_id: str) -> dict[str, str]:
        """What we have drafted for a ticket: the text by the customer's comment that it was to answer."""
        sql = "select turn_id, draft from suggestions where helpdesk = ? and ticket_id = ? and draft != ''"
        return {row["turn_id"]: row["draft"] for row in self._store.rows(sql, (helpdesk, ticket_id))}

    def was_reopened(self, helpdesk: str, ticket_id: str) -> bool | None:
        """Whether a ticket was solved and opened again; None where the helpdesk does not say."""
        sql = "select reopens from ticket_metrics where helpdesk = ? and ticket_id = ?"
        row = self._store.row(sql, (helpdesk, ticket_id))
        return None if row is None or row["reopens"] is None else row["reopens"] > 0


def _example(row: dict[str, Any]) -> Example:
    return Example(**(row | {"kept": bool(row["kept"]), "route_label": bool(row["route_label"])}))
