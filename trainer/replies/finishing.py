"""From what was drafted to what an agent reads: told facts, the tone, the ticket's own values, the guard, the claims.

The same for a draft that is still being written, for the finished one and for its alternatives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rapidfuzz.distance import Levenshtein

from connectors.records import User
from connectors.store.suggestions import Claim
from trainer.privacy.slots import Slots
from trainer.replies.claims import Support, check
from trainer.replies.drafting import Drafted, Evidence, nearest
from trainer.replies.guard import Guard
from trainer.replies.telling import AGENT, Fact, unused, weave
from trainer.replies.tone import Tone
from trainer.text import words

# From this share of equal words on, another reply is no alternative: an agent would read the same thing twice.
_ALIKE = 0.75


@dataclass(frozen=True, slots=True)
class Case:
    """A customer's turn that is to be answered.

    Attributes:
        turn_id: The newest public comment.
        asked: What the customer wrote last.
        plain: The whole conversation.
        question: The same with personal data as slots, as retrieval and models see it.
        people: Whose names may stand in a reply, besides the team's.
    """

    turn_id: str
    asked: str
    plain: str
    question: str
    slots: Slots
    people: tuple[User, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """A draft as an agent reads it; `silence` says why there is none, as in `Suggestion`."""

    text: str
    silence: str
    leaks: tuple[str, ...]
    claims: tuple[Claim, ...]
    unused_facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finisher:
    """Finishes drafts for one case.

    Attributes:
        tone: Of the house's chats; None where the ticket is none.
    """

    case: Case
    guard: Guard
    tone: Tone | None = None

    def finish(self, drafted: Drafted, *, similarity: float, effort: float | None = None) -> Reply:
        """What may be shown of a draft; arguments as for `Guard.judge`."""
        case = self.case
        text = weave(drafted.text, case.facts)
        if self.tone:
            text = self.tone.apply(text)
        articles = [(one.title, one.text) for one in drafted.passages if one.kind == "article" and one.source_id]
        told = [(AGENT, fact.text) for fact in case.facts]
        verdict = self.guard.judge(
            case.slots.fill(text),
            similarity=similarity,
            asked=case.asked,
            known=[case.plain, *(said for _, said in (*told, *articles))],
            allowed=case.people,
            effort=effort,
        )
        support = Support([("ticket", case.plain), *told, *articles])
        return Reply(
            verdict.text, verdict.silence, verdict.leaks, check(verdict.text, support), unused(text, case.facts)
        )

    def others(self, found: Evidence, shown: str) -> Iterator[tuple[Drafted, Reply]]:
        """Replies to similar tickets that differ from what is shown and from each other, best first."""
        texts = [shown]
        for hit in found.tickets:
            drafted = nearest(self.case.question, replace(found, tickets=(hit,)))
            reply = self.finish(drafted, similarity=hit.similarity)
            if not reply.silence and not any(_alike(reply.text, text) for text in texts):
                texts.append(reply.text)
                yield drafted, reply


def _alike(one: str, other: str) -> bool:
    pair: list[Sequence[str]] = [words(text.lower()) for text in (one, other)]
    return float(Levenshtein.normalized_similarity(*pair)) >= _ALIKE
