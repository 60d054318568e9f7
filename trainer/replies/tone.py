"""The tone of a chat: drafts as short as the team's own chat replies, without a letter's greeting and signature.

A model that has learned from mails writes mails. Which of a letter's parts a chat reply has is the house's style and is
read from its own chat replies; where there are none, it has neither.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from connectors.store.database import Store
from trainer.text import words

_LINES = 12
_GREETING = re.compile(
    r"(?i)\A\s*(?:(?:hi|hey|hello|hallo|hoi|dag|beste|geachte|dear|lieber?|moin|servus|guten (?:tag|morgen|abend)"
    r"|good (?:morning|afternoon|evening)|goede(?:morgen|middag|navond)|sehr geehrte[rs]?)\b[^\n,.!?]{0,40}[,.!]?"
    r"|\{\{first_name\}\}[,!])(?:[ \t]*\n\s*|\s+(?=[A-Z\u00c0-\u00de]))"
)
_CLOSING = re.compile(
    r"(?i)\A(?:(?:with )?(?:kind(?:est)?|best|warm(?:est)?) (?:regards|wishes)|regards|cheers|sincerely|best"
    r"|yours \w{4,10}|(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?|groet(?:en|jes)?"
    r"|(?:mit )?(?:freundlichen|besten|herzlichen|lieben|vielen) gr(?:ü|ue)(?:ß|ss)en?"
    r"|(?:viele|beste|liebe) gr(?:ü|ue)(?:ß|ss)e"
    r"|mfg|lg|mvg)\s*[,.!]?\Z"
)
_SIGNED = re.compile(r"\A(?:\{\{agent\}\}|\[your name\])[,.]?\Z")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
# Of the desk's own chat replies: nine in ten are no longer than a draft may be.
_LENGTH_PERCENTILE = 90
_FEWEST_REPLIES = 8
_FEWEST_WORDS, _USUAL_WORDS = 25, 60


@dataclass(frozen=True, slots=True)
class Tone:
    """What the house's chat replies look like.

    Attributes:
        greets, signs: Whether most of them begin with a greeting, or end with a name or a closing.
        most_words: A draft is cut to whole sentences of so many words.
    """

    greets: bool = False
    signs: bool = False
    most_words: int = _USUAL_WORDS

    @classmethod
    def of(cls, replies: Sequence[str]) -> Tone:
        """Read from chat replies, personal data as slots; from a few, nothing can be said."""
        if len(replies) < _FEWEST_REPLIES:
            return cls()
        lengths = [len(words(reply)) for reply in replies]
        return cls(
            greets=2 * sum(_GREETING.match(reply) is not None for reply in replies) > len(replies),
            signs=2 * sum(_unsigned(reply) != reply.rstrip() for reply in replies) > len(replies),
            most_words=max(_FEWEST_WORDS, round(float(np.percentile(lengths, _LENGTH_PERCENTILE)))),
        )

    @classmethod
    def of_desk(cls, store: Store, helpdesk: str) -> Tone:
        """As the newest chat replies that are learned from have it."""
        return cls.of(store.examples.chat_replies(helpdesk))

    def apply(self, draft: str) -> str:
        """A draft in this tone, slots not filled; what would leave nothing leaves it as it is."""
        text = draft if self.signs else _unsigned(draft)
        if not self.greets:
            text = _upper_first(_GREETING.sub("", text, count=1))
        return self._short(text).strip() or draft

    def _short(self, text: str) -> str:
        if len(words(text)) <= self.most_words:
            return text
        kept = 0
        for match in [*_SENTENCE_END.finditer(text), None]:
            end = match.start() if match else len(text)
            if kept and len(words(text[:end])) > self.most_words:
                break
            kept = end
        return text[:kept]


def _unsigned(text: str) -> str:
    """The text without its last lines from a closing or the agent's name on."""
    lines = text.rstrip().split("\n")
    for at in range(max(1, len(lines) - _LINES), len(lines)):
        if _CLOSING.match(lines[at].strip()) or _SIGNED.match(lines[at].strip()):
            return "\n".join(lines[:at]).rstrip()
    return text.rstrip()


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]
