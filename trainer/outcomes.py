"""Matching: what an agent sent, compared with the draft that was there for the same customer turn.

Of several comments of the team in a row, the first one counts: it was written with the draft in view, and what follows
adds to it. A suggestion whose ticket is closed without a reply gets no outcome: there is nothing to compare it with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from connectors import clock
from connectors.store import outcomes as kinds
from connectors.store.database import Store
from connectors.store.outcomes import Answered, Outcome
from connectors.store.suggestions import SILENT, WITHHELD
from trainer.curation.signatures import Signatures
from trainer.evaluation.replies import effort
from trainer.text import own_words, words

USED_EFFORT, INSERTED_EFFORT = 0.5, 0.75
"""Up to which effort a draft counts as used: as such, and where the agent had put it into the reply.

Among 500 replies of the sample company, two on different tickets of the same group need less than 0.5 in 0.3 of 100
pairs, nearly all of them the same macro, and less than 0.74 in 5 of 100.
"""
_BATCH = 500
_GREETING_WORDS, _CLOSING_WORDS, _CLOSING_LINES = 6, 4, 2
_NAME_BLANK = "[name]"


def match(store: Store, helpdesk: str) -> Counter[str]:
    """Finds the outcome of every suggestion that was answered since the last time; returns how many, by kind."""
    found: Counter[str] = Counter()
    matcher: Matcher | None = None
    while answered := store.outcomes.answered(helpdesk, _BATCH):
        # Signatures take a look at thousands of comments: not where there is nothing to match.
        matcher = matcher or Matcher(store, helpdesk)
        made = [matcher.outcome(one) for one in answered]
        store.outcomes.save(made)
        found.update(one.kind for one in made)
    return found


class Matcher:
    """Compares drafts with replies at one helpdesk."""

    def __init__(self, store: Store, helpdesk: str) -> None:
        self._store = store
        self._helpdesk = helpdesk
        self._signatures = Signatures.of_desk(store, helpdesk)
        self._team = [agent.name for agent in store.history.agents(helpdesk)]

    def outcome(self, one: Answered) -> Outcome:
        """What became of a suggestion."""
        kind, distance = self._judge(one)
        seconds = clock.to_epoch(one.replied_at) - clock.to_epoch(one.suggested_at)
        return Outcome(
            suggestion_id=one.suggestion_id, helpdesk=self._helpdesk, ticket_id=one.ticket_id, kind=kind,
            effort=distance, sent_comment_id=one.comment_id, agent_id=one.agent_id, group_id=one.group_id,
            replied_at=one.replied_at, reply_s=seconds if seconds >= 0 else None,
        )  # fmt: skip

    def _judge(self, one: Answered) -> tuple[str, float | None]:
        if one.state == SILENT:
            return kinds.SILENT, None
        sent = self._signatures.strip(one.agent_id, own_words(one.reply))
        distance = round(effort(one.draft, sent), 4)
        if one.state == WITHHELD:
            return kinds.WITHHELD, distance
        requester = self._store.history.user(self._helpdesk, one.requester_id)
        if unchanged(one.draft, sent, [*self._team, requester.name if requester else ""]):
            return kinds.AS_IS, distance
        limit = INSERTED_EFFORT if one.actions & {"inserted", "copied"} else USED_EFFORT
        return (kinds.EDITED if distance < limit else kinds.IGNORED), distance


def unchanged(draft: str, sent: str, names: Iterable[str]) -> bool:
    """Whether the same was sent: blanks and line breaks may differ, and who is greeted and who signs.

    Args:
        names: Of the customer and the team.
    """
    known = {word.lower() for name in names for word in words(name)} | {_NAME_BLANK}
    return _without_names(draft, known) == _without_names(sent, known)


def _without_names(text: str, names: set[str]) -> list[str]:
    lines = [line for line in (words(line) for line in text.splitlines()) if line]
    last = len(lines) - _CLOSING_LINES
    return [
        word
        for place, line in enumerate(lines)
        for word in (_leave_out(line, names) if _may_name(place, line, last) else line)
    ]


def _may_name(place: int, line: Sequence[str], last: int) -> bool:
    return (place == 0 and len(line) <= _GREETING_WORDS) or (place >= max(1, last) and len(line) <= _CLOSING_WORDS)


def _leave_out(line: Sequence[str], names: set[str]) -> list[str]:
    return [word for word in line if word.lower() not in names]
