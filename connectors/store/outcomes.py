"""Outcomes: what became of each suggestion, told by what an agent really sent.

A row is written once and holds no text, so that the figures stay when a ticket is deleted or its customer forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from connectors import clock
from connectors.store.part import Part

AS_IS, EDITED, IGNORED, WITHHELD, SILENT = "as_is", "edited", "ignored", "withheld", "silent"
KINDS = (AS_IS, EDITED, IGNORED, WITHHELD, SILENT)

# Of a suggestion's turn, the first public comment of the team after it, and none where a later turn has a suggestion of
# its own before that comment: the comment answers the later turn. A draft that came after the reply was seen by nobody
# in time, and one that was erased can be compared with nothing. Within a second ids tell the order, as in `History`.
_ANSWERED = """
    select s.*, reply.id as reply_id, reply.author_id as agent_id, reply.text as reply, reply.created_at as replied_at,
        t.group_id as ticket_group, t.requester_id as requester_id
    from suggestions s
    join tickets t on t.helpdesk = s.helpdesk and t.id = s.ticket_id and t.deleted = 0
    join comments turn on turn.helpdesk = s.helpdesk and turn.id = s.turn_id
    join comments reply on reply.helpdesk = s.helpdesk and reply.id = (
        select c.id from comments c join users u on u.helpdesk = c.helpdesk and u.id = c.author_id
        where c.helpdesk = s.helpdesk and c.ticket_id = s.ticket_id and c.public = 1 and u.role = 'agent'
            and (c.created_at, length(c.id), c.id) > (turn.created_at, length(turn.id), turn.id)
        order by c.created_at, length(c.id), c.id limit 1)
    where s.helpdesk = ? and not exists (select 1 from outcomes o where o.suggestion_id = s.id)
        and (s.state = 'silent' or s.draft != '')
        and (s.state in ('silent', 'withheld') or reply.created_at >= s.created_at)
        and not exists (select 1 from suggestions other
            join comments later on later.helpdesk = other.helpdesk and later.id = other.turn_id
            where other.helpdesk = s.helpdesk and other.ticket_id = s.ticket_id and other.id != s.id
                and (later.created_at, length(later.id), later.id) > (turn.created_at, length(turn.id), turn.id)
                and (later.created_at, length(later.id), later.id) < (reply.created_at, length(reply.id), reply.id))
    order by s.created_at, s.id limit ?"""


@dataclass(frozen=True, slots=True)
class Answered:
    """A suggestion without an outcome whose customer turn the team has answered.

    Attributes:
        state: Of the suggestion; `superseded` was shown once.
        reply: The public comment as it is stored, quotes and signature included.
        actions: What agents did with the suggestion, such as `inserted`.
    """

    suggestion_id: str
    ticket_id: str
    state: str
    draft: str
    suggested_at: str
    requester_id: str
    group_id: str
    comment_id: str
    agent_id: str
    reply: str
    replied_at: str
    actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one suggestion.

    Attributes:
        kind: `as_is`, `edited`, `ignored`; `withheld` (shadow mode: nobody saw the draft) or `silent` (there was none).
        effort: Share of words between the draft and what was sent, 0 to 1; None where it was silent.
        sent_comment_id: The public comment that answered the turn: curation's key of the example made from it.
        reply_s: Seconds from the suggestion to the reply; None where the reply came first (never where shown).
        group_id: The ticket's group when the outcome was found; empty for none.
    """

    suggestion_id: str
    helpdesk: str
    ticket_id: str
    kind: str
    effort: float | None
    sent_comment_id: str
    agent_id: str
    group_id: str
    replied_at: str
    reply_s: int | None
    matched_at: str = field(default_factory=clock.now)


class Outcomes(Part):
    """One outcome a suggestion, from the sync on that brings the team's answer."""

    def answered(self, helpdesk: str, limit: int = 500) -> list[Answered]:
        """Suggestions whose outcome can be told now, the oldest first.

        Not those of deleted tickets. A suggestion of which no outcome is saved comes again: save one for each, or stop.
        """
        rows = list(self._store.rows(_ANSWERED, (helpdesk, limit)))
        actions = self._actions(helpdesk)
        return [
            Answered(
                row["id"], row["ticket_id"], row["state"], row["draft"], row["created_at"], row["requester_id"],
                row["ticket_group"] or "", row["reply_id"], row["agent_id"], row["reply"], row["replied_at"],
                frozenset(actions.get(row["id"], ())),
            )
            for row in rows
        ]  # fmt: skip

    def save(self, outcomes: Sequence[Outcome]) -> int:
        """Stores outcomes; returns how many are new. What is known stays as it was."""
        names = list(Outcome.__dataclass_fields__)
        sql = f"""insert or ignore into outcomes ({", ".join(names)})
                  values ({", ".join(f":{name}" for name in names)})"""  # noqa: S608
        return self._store.many(sql, [asdict(one) for one in outcomes])

    def get(self, suggestion_id: str) -> Outcome | None:
        """The outcome of a suggestion, None where there is none yet."""
        row = self._store.row("select * from outcomes where suggestion_id = ?", (suggestion_id,))
        return Outcome(**row) if row else None

    def counts(self, helpdesk: str, *, since: str = "") -> dict[str, int]:
        """Outcomes per kind, replies sent at or after `since` (ISO 8601); every kind is there."""
        sql = "select kind, count(*) as n from outcomes where helpdesk = ? and replied_at >= ? group by kind"
        rows = self._store.rows(sql, (helpdesk, since))
        return dict.fromkeys(KINDS, 0) | {row["kind"]: row["n"] for row in rows}

    def effort(self, helpdesk: str, *, since: str = "") -> float | None:
        """Mean edit effort of the drafts that were shown, 0 to 1; None where none was answered."""
        sql = """select avg(effort) as mean from outcomes
                 where helpdesk = ? and replied_at >= ? and kind in ('as_is', 'edited', 'ignored')"""
        row = self._store.row(sql, (helpdesk, since))
        return None if row is None or row["mean"] is None else float(row["mean"])

    def of_ticket(self, helpdesk: str, ticket_id: str) -> dict[str, Outcome]:
        """A ticket's outcomes by the comment that was sent."""
        sql = "select * from outcomes where helpdesk = ? and ticket_id = ? order by matched_at"
        return {row["sent_comment_id"]: Outcome(**row) for row in self._store.rows(sql, (helpdesk, ticket_id))}

    def _actions(self, helpdesk: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        rows: Sequence[dict[str, Any]] = list(
            self._store.rows(
                """select f.suggestion_id, f.action from feedback f join suggestions s on s.id = f.suggestion_id
                   where s.helpdesk = ? and not exists (select 1 from outcomes o where o.suggestion_id = s.id)""",
                (helpdesk,),
            )
        )
        for row in rows:
            found.setdefault(row["suggestion_id"], set()).add(row["action"])
        return found
