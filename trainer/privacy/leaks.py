"""The leak scan: personal data in a text that belongs to somebody else.

A draft may hold what its ticket, the team and the articles hold. Anything else that a recogniser finds is either made
up or remembered from another customer; both must not get out. Which of the two, `People` tells: an index of everybody
the store knows, hashed, so that a scan costs a few look-ups a word, for ten customers or for 100,000.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connectors.records import User
from connectors.store.database import Store
from trainer.privacy.gazetteer import folded
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.names import find_names
from trainer.privacy.places import find_places
from trainer.privacy.recognisers import PHONE, bare, find_values

NAMES = frozenset(("person", "surname", "place"))
"""What can be blanked out of a draft; one with a leaked number or address in it is another ticket's as a whole."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_MOST_WORDS = 5
_BLANK = {"place": "[place]"}


@dataclass(frozen=True, slots=True)
class Leak:
    """A stretch of a text, in characters, that its ticket does not hold.

    Attributes:
        kind: As recognisers name it: `person`, `email`, `reference`, …
        whose: `somebody` where the store knows whose it is, else empty: it may be made up.
    """

    start: int
    end: int
    kind: str
    whose: str = ""


class People:
    """Everybody whom a store knows, to be found in a text by full name or e-mail address.

    Only hashes are kept: 100,000 people take some 15 MB.
    """

    def __init__(self, people: Iterable[User] = ()) -> None:
        self._hashes: set[int] = set()
        for user in people:
            words = _words(user.name) if "@" not in user.name else []
            if 2 <= len(words) <= _MOST_WORDS:
                self._hashes.add(hash(tuple(words)))
            if user.email:
                self._hashes.add(hash(user.email.lower()))

    def __len__(self) -> int:
        return len(self._hashes)

    @classmethod
    def of_desk(cls, store: Store, helpdesk: str) -> People:
        """Everybody who has opened a ticket that is solved."""
        return cls(store.history.requesters(helpdesk))

    def knows_email(self, address: str) -> bool:
        """Whether it is somebody's e-mail address."""
        return hash(address.lower()) in self._hashes

    def find(self, text: str) -> list[tuple[int, int]]:
        """Where full names stand, in characters; the longest at each place."""
        words = [(match.start(), match.end(), folded(match.group())) for match in _WORD.finditer(text)]
        found, position = [], 0
        while position < len(words):
            for length in range(min(_MOST_WORDS, len(words) - position), 1, -1):
                part = words[position : position + length]
                if hash(tuple(word for _, _, word in part)) in self._hashes:
                    found.append((part[0][0], part[-1][1]))
                    position += length - 1
                    break
            position += 1
        return found


def find_leaks(
    text: str,
    known: Iterable[str],
    *,
    people: People | None = None,
    allowed: Sequence[User] = (),
    lexicon: Lexicon | None = None,
) -> list[Leak]:
    """Personal data in a text that the ticket at hand does not hold, in order.

    Args:
        text: A draft, slots filled.
        known: What may stand in it: the ticket's text, the articles.
        people: Everybody else; their full names are found though no list holds them.
        allowed: The ticket's own people and the team.
        lexicon: The desk's words. Names and places are looked for only with it: without, its own products and depots
            would be reported.
    """
    known = [*known, *(f"{user.name} {user.email}" for user in allowed)]
    haystack = bare("", " ".join(known))
    telephones = {bare("phone", match.group()) for one in known for match in PHONE.finditer(one)}
    found = []
    for span in find_values(text, lexicon.forms if lexicon else ()):
        value = text[span.start : span.end]
        if bare("", value) in haystack or (span.kind == "phone" and bare("phone", value) in telephones):
            continue
        whose = "somebody" if span.kind == "email" and people and people.knows_email(value) else ""
        found.append(Leak(span.start, span.end, span.kind, whose))
    if lexicon or people:
        words = {folded(word) for one in known for word in _WORD.findall(one)}
        found += _leaked_names(text, words, people, lexicon)
    return sorted(found, key=lambda leak: leak.start)


def _leaked_names(text: str, known: set[str], people: People | None, lexicon: Lexicon | None) -> Iterable[Leak]:
    full = people.find(text) if people else []
    for start, end in full:
        if not set(_words(text[start:end])) <= known:
            yield Leak(start, end, "person", "somebody")
    if lexicon:
        for span in (*find_names(text, lexicon), *find_places(text, lexicon)):
            inside = any(start <= span.start and span.end <= end for start, end in full)
            if not inside and not set(_words(text[span.start : span.end])) <= known:
                yield Leak(span.start, span.end, span.kind)


def leaks(
    text: str,
    known: Iterable[str],
    *,
    people: People | None = None,
    allowed: Sequence[User] = (),
    lexicon: Lexicon | None = None,
) -> list[str]:
    """Kinds of personal data in a text that the ticket at hand does not hold; arguments as for `find_leaks`."""
    return [leak.kind for leak in find_leaks(text, known, people=people, allowed=allowed, lexicon=lexicon)]


def blank_names(text: str, found: Sequence[Leak]) -> str:
    """The text with `[name]` and `[place]` over leaked names and places; other leaks stay as they are."""
    parts: list[str] = []
    position = 0
    for leak in found:
        if leak.kind in NAMES and leak.start >= position:
            parts += [text[position : leak.start], _BLANK.get(leak.kind, "[name]")]
            position = leak.end
    return re.sub(r"\[name\](?: \[name\])+", "[name]", "".join([*parts, text[position:]]))


def _words(name: str) -> list[str]:
    return [folded(word) for word in _WORD.findall(name)]
