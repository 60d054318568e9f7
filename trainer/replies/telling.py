"""Facts that an agent tells for a draft: into the prompt as an article of their own, and into the blanks left open.

A small model does not take up every fact, and the nearest reply has no model at all: a date, an amount or a place that
was told is put where a blank of its kind stands, if it is clear which one. Nothing is ever appended: a sentence in the
wrong place costs an agent more than a fact to be typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.store.passages import Passage
from trainer.privacy.slots import Slots, blank_of
from trainer.replies.claims import Support, statements

AGENT = "agent"
"""What supports a claim that rests on a told fact."""

_SLOT = re.compile(r"\{\{\s*([a-z_]+?)(?:_\d+)?\s*\}\}")
_NUMBERS = re.compile(r"\[(?:reference|code|[a-z]+ number)\]")
_CONTENT = re.compile(r"[^\W\d_]{4,}")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
# A fact without a number or a name in it counts as said where so many of its longer words stand in the draft.
_SAID_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Fact:
    """What an agent told, as written and with personal data as slots."""

    text: str
    hidden: str

    @property
    def passage(self) -> Passage:
        """For the prompt, and for the support of claims."""
        return Passage("article", "", 0, AGENT, self.hidden)


def told(facts: Sequence[str], slots: Slots) -> list[Fact]:
    """Facts in the ticket's own slots."""
    return [Fact(fact, slots.hide(fact)) for fact in facts]


def weave(draft: str, facts: Sequence[Fact]) -> str:
    """The draft with told values in its blanks, slots not filled."""
    for fact in facts:
        if not _says(draft, fact):
            for blank, value in _values(fact.hidden):
                draft = _filled(draft, blank, value, fact.hidden)
    return draft


def unused(draft: str, facts: Sequence[Fact]) -> tuple[str, ...]:
    """The facts that a draft, slots not filled, does not say."""
    return tuple(fact.text for fact in facts if not _says(draft, fact))


def _values(fact: str) -> Iterator[tuple[str, str]]:
    """The checkable parts of a fact, each with the blank that stands for its kind."""
    for statement in statements(fact):
        yield f"[{statement.kind}]", statement.text
    for match in _SLOT.finditer(fact):
        yield blank_of(match.group(1)), match.group()


def _says(draft: str, fact: Fact) -> bool:
    stated, slots = list(statements(fact.hidden)), {match.group() for match in _SLOT.finditer(fact.hidden)}
    if stated or slots:
        support = Support([("draft", draft)])
        return all(support.of(one) for one in stated) and all(slot in draft for slot in slots)
    wanted, there = set(_CONTENT.findall(fact.hidden.lower())), set(_CONTENT.findall(draft.lower()))
    return bool(wanted) and len(wanted & there) >= _SAID_SHARE * len(wanted)


def _filled(draft: str, blank: str, value: str, fact: str) -> str:
    places = [match.span() for match in re.finditer(re.escape(blank), draft)]
    if not places and _NUMBERS.fullmatch(blank):
        # 'parcel FW1' has its own kind of number; the reply's blank may be of a neighbouring kind.
        places = [match.span() for match in _NUMBERS.finditer(draft)]
    if not places:
        return draft
    if len(places) > 1:
        # Which of two dates is meant, the words around them say, or nothing does.
        scores = [_shared(draft, place, fact) for place in places]
        best = max(scores)
        if best == 0 or scores.count(best) > 1:
            return draft
        places = [places[scores.index(best)]]
    [(start, end)] = places
    return draft[:start] + value + draft[end:]


def _shared(draft: str, place: tuple[int, int], fact: str) -> int:
    """How many of the fact's longer words stand in the sentence around a place."""
    ends = [0, *(match.end() for match in _SENTENCE_END.finditer(draft)), len(draft)]
    start = max(end for end in ends if end <= place[0])
    end = min(end for end in ends if end >= place[1])
    around = set(_CONTENT.findall(draft[start:end].lower()))
    return len(around & set(_CONTENT.findall(fact.lower())))
