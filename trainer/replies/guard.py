"""The guard: one place that decides whether a draft may be shown, what of it, and why not.

Serving and evaluation ask it the same, so that the share of silence in a report is the one that agents will meet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.records import User
from connectors.store.suggestions import EMPTY, LANGUAGE, LEAK, NO_SIMILAR, UNSURE
from trainer.privacy.leaks import NAMES, Leak, People, blank_names, find_leaks
from trainer.privacy.lexicon import Lexicon
from trainer.text import in_another_language

_SLOT = re.compile(r"\{\{[^{}]*\}\}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a draft.

    Attributes:
        text: To show, with names and places of nobody here as blanks; empty where it is silent.
        silence: Why nothing is shown, as `Suggestion.silence`; empty where something is.
        leaks: Kinds of personal data in the draft that neither ticket nor articles hold, names included.
    """

    text: str
    silence: str = ""
    leaks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guard:
    """What a draft is judged by.

    Attributes:
        people, lexicon: What the leak scan knows.
        team: Whose names may stand in a draft.
        min_similarity: Below it nothing that was found is like the ticket, and nothing is shown.
        max_effort: Drafts that will probably be changed more than this are not shown.
    """

    people: People = field(default_factory=People)
    lexicon: Lexicon = field(default_factory=Lexicon)
    team: tuple[User, ...] = ()
    min_similarity: float = 0.0
    max_effort: float = 1.0

    def judge(
        self,
        text: str,
        *,
        similarity: float,
        asked: str,
        known: Sequence[str],
        allowed: Sequence[User] = (),
        effort: float | None = None,
    ) -> Verdict:
        """Judges a draft, its slots filled or not.

        Args:
            similarity: Of the most similar passage that was found.
            asked: The customer's newest turn, which tells the language.
            known: What may stand in the draft: the ticket's text, the articles, what an agent told. Not solved tickets:
                what curation overlooked there is just what must not get out.
            allowed: The ticket's own people, besides the team.
            effort: The predicted edit effort; None where nothing predicts it.
        """
        if not text.strip():
            return Verdict("", EMPTY)
        found = self._leaks(text, known, allowed)
        kinds = tuple(leak.kind for leak in found)
        if similarity < self.min_similarity:
            silence = NO_SIMILAR
        elif any(kind not in NAMES for kind in kinds):
            silence = LEAK
        elif in_another_language(text, asked):
            silence = LANGUAGE
        elif effort is not None and effort > self.max_effort:
            silence = UNSURE
        else:
            return Verdict(blank_names(text, found), "", kinds)
        return Verdict("", silence, kinds)

    def _leaks(self, text: str, known: Sequence[str], allowed: Sequence[User]) -> list[Leak]:
        # A slot is nobody's; blanks in its place leave everything else where it stands.
        plain = _SLOT.sub(lambda match: " " * len(match.group()), text)
        return find_leaks(plain, known, people=self.people, allowed=[*allowed, *self.team], lexicon=self.lexicon)
