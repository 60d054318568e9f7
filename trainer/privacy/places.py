"""Places in a text: beside a postcode, after 'I live in', and where a list of towns has them after a preposition.

A town that stands in an article is the desk's own (a depot, say) and stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from trainer.privacy.gazetteer import folded, gazetteer
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.references import Span
from trainer.privacy.word_lists import COUNTRIES, MONTHS, NO_NAMES, PREPOSITIONS

_UPPER = r"[A-ZÀ-ÖØ-ÞĆČĐĞİŁŃŐŘŚŞŠŰŹŻŽȘȚ]"
_PART = rf"{_UPPER}[^\W\d_]{{1,30}}(?:-[^\W\d_]{{1,30}}){{0,3}}"
_TOWN = (
    rf"(?<!\w){_PART}(?:[ ](?:(?:op|aan|am|an der|an den|a\.|im|in der|bei|ob der|upon|on|le|sur|den|de|'s)[ ])?"
    rf"{_PART})"
    r"{0,2}(?!\w)"
)
_AFTER_CODE = re.compile(
    rf"(?:\b\d{{4}}\s?[A-Z]{{2}}|\b[A-Z]{{1,2}}\d[\dA-Z]?\s\d[A-Z]{{2}}),?[ ]{{1,2}}(?P<town>{_TOWN})"
)
# 'New York, NY 10001', 'Leeds, LS6 4DQ' and 'London SW1A 2AA': the town stands before.
_BEFORE = re.compile(
    rf"(?P<town>{_TOWN}),?[ \n](?=[A-Z]{{1,2}}\d[\dA-Z]?\s\d[A-Z]{{2}}\b|[A-Z]{{2}}\s\d{{5}}(?:-\d{{4}})?\b)"
)
_PREFIXED = re.compile(
    rf"\b(?:D|DE|F|FR|I|IT)-\d{{5}}[ ](?P<town>{_TOWN})|\b(?:B|A|CH|L|DK|AT|BE)-\d{{4}}[ ](?P<town2>{_TOWN})"
)
# Five digits and a capital are '10000 Pakete' as well: they must stand apart, or a list must have the town.
_DIGITS_TOWN = re.compile(rf"(?<![\w.,-])(?P<code>\d{{4,5}})[ ](?P<town>{_TOWN})(?=(?P<end>\s*(?:[,.;)\n]|\Z))?)")
_APART = re.compile(r"(?:\A|\n|,)[ \t]{0,3}\Z|\d[a-zA-Z]?[ ]\Z")
_LIVE = re.compile(
    r"(?i)\b(?:liv(?:e|es|ing) in|moved to|moving to|based in|woon(?:t|en)? in|woonachtig (?:in|te)|verhuisd naar"
    r"|verhuizen naar|wohn(?:e|t|en)(?: \w{2,9})? in|wohnhaft in|umgezogen nach|ziehen? nach|sitzt in)[ ]"
)
_CAPITALISED = re.compile(rf"(?<!\w){_UPPER}[^\W\d_]+")
_WORDS = re.compile(r"[^\s,.;:!?()]{1,30}[ ]?")
_ANY_TOWN = re.compile(_TOWN)
_NAME_BEFORE = re.compile(rf"{_UPPER}[^\W\d_]*[ ]\Z")
_DIGIT = re.compile(r"\d")
_MOST_WORDS = 4


def find_places(text: str, lexicon: Lexicon, also: Collection[str] = ()) -> list[Span]:
    """Towns (`place`) and the postcodes that only a town beside them tells from a number, in order.

    Args:
        also: Towns that are known as this ticket's.
    """
    towns = gazetteer().places
    found: dict[int, Span] = {}

    def add(start: int, end: int, kind: str = "place") -> None:
        found.setdefault(start, Span(start, end, kind))

    has_digits = _DIGIT.search(text) is not None
    for pattern in (_AFTER_CODE, _PREFIXED, _BEFORE) if has_digits else ():
        for match in pattern.finditer(text):
            add(*match.span("town" if match["town"] else "town2"))
    for match in _DIGITS_TOWN.finditer(text) if has_digits else ():
        listed = folded(match["town"]) in towns
        apart = len(match["code"]) == 5 and match["end"] is not None
        if _APART.search(text, max(0, match.start() - 5), match.start()) and (listed or apart):
            listed = True
        elif not (listed and len(match["code"]) == 5):
            continue
        add(*match.span("code"), kind="postcode")
        add(*match.span("town"))
    for match in _LIVE.finditer(text):
        if (town := _ANY_TOWN.match(text, match.end())) and not _is_word(town.group(), lexicon):
            add(*town.span())
    for start, end in _listed(text, towns, gazetteer().starts):
        if folded(text[start:end]) not in lexicon.public:
            add(start, end)
    known = {text[span.start : span.end] for span in found.values() if span.kind == "place"} | set(also)
    for name in known:
        for again in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text):
            add(*again.span())
    return sorted(found.values(), key=lambda span: span.start)


def _is_word(town: str, lexicon: Lexicon) -> bool:
    first = folded(re.split(r"[ -]", town)[0])
    return (
        first in NO_NAMES
        or first in MONTHS
        or first in COUNTRIES
        or folded(town) in lexicon.public
        or first in lexicon.common
    )


def _listed(text: str, towns: frozenset[str], starts: frozenset[str]) -> Iterator[tuple[int, int]]:
    for match in _CAPITALISED.finditer(text):
        if folded(match.group()) not in starts:
            continue
        start = match.start()
        before = text[max(0, start - 30) : start]
        last = before.lower().split()[-1:]
        if not before.endswith(" ") or not last or (last[0] not in PREPOSITIONS and not last[0].endswith(",")):
            continue
        if last[0] in ("van", "von") and _NAME_BEFORE.search(before[: -len(last[0]) - 1]):
            continue  # 'Anna van Essen'
        words = list(_WORDS.finditer(text, start, start + 80))[:_MOST_WORDS]
        for word in reversed(words):
            end = word.start() + len(word.group().rstrip())
            if folded(text[start:end]) in towns:
                yield start, end
                break
