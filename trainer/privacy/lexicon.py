"""What a desk's own texts say about its words: which are public, which are people's, what its numbers look like.

Without it a recogniser cannot know that Fernway is the firm, Tilburg its depot and `Sendung` a word, or that `R-7F3K2`
is a return code. It holds customers' names, so it is made anew from the store where it is needed and never saved.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from connectors.records import User
from connectors.store.database import Store
from trainer.privacy.gazetteer import folded, gazetteer
from trainer.privacy.recognisers import EMAIL
from trainer.privacy.references import Form, role_before
from trainer.privacy.word_lists import AMBIGUOUS, MONTHS, NO_NAMES

FORM_REPEATS = 5
"""A shape that so many different numbers have is a form of the desk's own."""
OWN_TOWN_SHARE, OWN_TOWN_TICKETS = 0.01, 5
"""A town that the team writes in so many tickets is where the desk has a depot or a shop, whoever lives there."""
COMMON_AUTHORS = 3
"""A word that so many people have written is a word, where no list of names holds it."""
LEARN_FROM = 4000
"""Tickets read for forms and words: more do not change what is common."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_NUMBERED = re.compile(
    r"(?<![\w./@-])(?=[A-Za-z/-]{0,12}\d)[A-Za-z0-9]{1,24}(?:[/-][A-Za-z0-9]{1,20}){0,3}(?![\w@]|[./-]\w)"
)
_RUN = re.compile(r"\d+|[A-Za-z]+|[/-]")
_DIGITS, _LETTERS, _MIXED = r"\d{1,20}", "[A-Z]{1,12}", "[A-Z0-9]{2,24}"
_DATE = re.compile(r"\d{1,4}[/-]\d{1,2}(?:[/-]\d{2,4})?")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words in `folded` form.

    Attributes:
        public: Names and terms of articles, macros and the team's groups: nobody's data.
        common: Words that many people write.
        given: Customers' first names, as far as they are no words.
        family: The rest of customers' names, in the same way.
        forms: The desk's own numbers, most frequent first.
    """

    public: frozenset[str] = frozenset()
    common: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    family: frozenset[str] = frozenset()
    forms: tuple[Form, ...] = ()

    @classmethod
    def of_desk(cls, store: Store, helpdesk: str) -> Lexicon:
        """Learns from what the store holds of a helpdesk; about a second for 1,000 tickets."""
        history = store.history
        public = [f"{article.title}\n{article.text}" for article in history.articles(helpdesk)]
        public += [f"{macro.title}\n{macro.text}" for macro in history.macros(helpdesk)]
        public += [f"{group.name}\n{group.description}" for group in history.groups(helpdesk)]
        texts: list[tuple[str, str]] = []
        towns: Counter[str] = Counter()
        people = {user.id: user for user in (*history.agents(helpdesk), *history.requesters(helpdesk))}
        tickets = list(history.solved_tickets(helpdesk))
        step = max(1, len(tickets) // LEARN_FROM)
        for number, ticket in enumerate(tickets):
            if number % step == 0:
                texts.append((ticket.requester_id, ticket.subject))
                turns = history.turns(helpdesk, ticket.id)
                texts += [(turn.author.id, turn.comment.text) for turn in turns]
                towns.update(_towns(turn.comment.text for turn in turns if turn.author.role == "agent"))
        enough = max(OWN_TOWN_TICKETS, OWN_TOWN_SHARE * len(tickets) / step)
        public += [town for town, times in towns.items() if times >= enough]
        return cls.learn(public, texts, people.values())

    @classmethod
    def learn(cls, public: Iterable[str], texts: Iterable[tuple[str, str]], people: Iterable[User]) -> Lexicon:
        """A lexicon from plain texts.

        Args:
            public: What anybody may read: articles, macros.
            texts: (author's id, text) of tickets.
            people: Customers and the team.
        """
        known = gazetteer()
        first, rest = _names_of(people)
        authors: dict[str, set[str]] = defaultdict(set)
        small: Counter[str] = Counter()
        numbers: dict[str, str] = {}
        public = list(public)
        for author, text in [*texts, *(("", text) for text in public)]:
            for word in set(_WORD.findall(text)):
                key = folded(word)
                authors[key].add(author)
                small[key] += word.islower()
            for match in _NUMBERED.finditer(EMAIL.sub(" ", text)):
                numbers.setdefault(match.group(), role_before(text, match.start()))
        named = known.given | known.family | first | rest
        ordinary = {
            word
            for word, times in small.items()
            if times >= 2 and (word not in named or times >= len(authors[word]) / 2)
        }
        common = ordinary | {word for word, ids in authors.items() if len(ids) >= COMMON_AUTHORS and word not in named}
        said = "\n".join(public)
        codes = frozenset(match.group().lower() for match in _NUMBERED.finditer(said))
        return cls(
            public=frozenset(folded(word) for word in _WORD.findall(said) if word[0].isupper()),
            common=frozenset(common),
            given=frozenset(first - common - AMBIGUOUS - NO_NAMES - MONTHS),
            family=frozenset(rest - common - AMBIGUOUS - NO_NAMES - MONTHS),
            forms=tuple(_forms(numbers, codes)),
        )


def _towns(texts: Iterable[str]) -> set[str]:
    """Towns of one word that are named in texts."""
    places = gazetteer().places
    words = {word for text in texts for word in _WORD.findall(text) if word[0].isupper()}
    return {word for word in words if folded(word) in places}


def _names_of(people: Iterable[User]) -> tuple[set[str], set[str]]:
    first: set[str] = set()
    rest: set[str] = set()
    for user in people:
        words = [folded(word) for word in _WORD.findall(user.name) if len(word) > 2] if "@" not in user.name else []
        first.update(words[:1])
        rest.update(words[1:])
    return first, rest


def _forms(numbers: dict[str, str], codes: frozenset[str]) -> list[Form]:
    """Shapes that repeat: a number's letters before its first digit stand as they are, the rest by kind and length."""
    shapes: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for number in numbers:
        digits = sum(character.isdigit() for character in number)
        if digits >= 3 and number.lower() not in codes and not _DATE.fullmatch(number):
            shapes[_shape(number)].append(number)
    forms = []
    for shape, alike in sorted(shapes.items(), key=lambda item: -len(item[1])):
        # Bare digits are amounts, years and house numbers as well: a word before them must tell.
        if len(alike) < FORM_REPEATS or all(part in (_DIGITS, "/", "-") for part in shape):
            continue
        roles = Counter(role for number in alike if (role := numbers[number]) != "reference")
        kind, votes = roles.most_common(1)[0] if roles else ("reference", 0)
        forms.append(Form(kind if 2 * votes > roles.total() else "reference", _pattern(shape, alike)))
    return forms


def _shape(number: str) -> tuple[str, ...]:
    """Pieces of a pattern: `FW204518337NL` is FW, digits, letters; `R-7F3K2` is R, a dash, a mixture."""
    parts: list[str] = []
    for index, segment in enumerate(re.split(r"([/-])", number)):
        runs = _RUN.findall(segment)
        if index == 0 and runs[:1] and runs[0].isalpha() and len(runs) <= 3:
            parts += [runs[0].upper(), *(_DIGITS if run.isdigit() else _LETTERS for run in runs[1:])]
        elif len(runs) > 2 or (len(runs) == 2 and index):
            parts.append(_MIXED)
        else:
            parts += [run if run in "/-" else _DIGITS if run.isdigit() else _LETTERS for run in runs]
    return tuple(parts)


def _pattern(shape: tuple[str, ...], alike: list[str]) -> re.Pattern[str]:
    lengths = {len(number) for number in alike}
    size = rf"(?=[\w/-]{{{min(lengths)},{max(lengths)}}}(?![\w-]))"
    return re.compile(rf"(?i)(?<![\w./@-]){size}(?=[A-Z/-]{{0,12}}\d){''.join(shape)}(?![\w@-])")
