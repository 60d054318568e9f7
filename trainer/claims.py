"""The claim check: every number, date, time, amount, link and identifier of a draft must come from somewhere.

Somewhere is the ticket or a retrieved passage. In training the same check turns facts that the model could not have
known into blanks such as `[date]`, so that it learns to leave them open instead of making them up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.store.suggestions import Claim
from trainer.privacy import EMAIL, LINK, REFERENCE

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january januari januar jänner jan", "february februari februar feb", "march maart märz mrt mar",
            "april apr", "may mei mai", "june juni jun", "july juli jul", "august augustus aug",
            "september sept sep", "october oktober oct okt", "november nov", "december dezember dec dez",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday maandag montag", "tuesday dinsdag dienstag", "wednesday woensdag mittwoch",
            "thursday donderdag donnerstag", "friday vrijdag freitag", "saturday zaterdag samstag sonnabend",
            "sunday zondag sonntag",
        ),
    )
    for name in names.split()
}  # fmt: skip
_NUMBER_WORDS = {
    word: number
    for number, words in enumerate(
        (
            "one een één ein eine einen", "two twee zwei", "three drie drei", "four vier", "five vijf fünf",
            "six zes sechs", "seven zeven sieben", "eight acht", "nine negen neun", "ten tien zehn",
        ),
        start=1,
    )
    for word in words.split()
}  # fmt: skip

_WEEKDAY = "|".join(_WEEKDAYS)
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_NUMBER = r"\d+(?:[.,]\d+)*"

# In this order at each place: the longest reading that makes sense wins.
_CLAIM = re.compile(
    rf"""
    (?P<link>{LINK.pattern})
  | (?P<email>{EMAIL.pattern})
  | (?P<blank>\[[a-z][a-z ]{{2,20}}\])
  | (?P<slot>\{{\{{[^{{}}]*\}}\}})
  | (?P<reference>(?-i:{REFERENCE.pattern}))
  | (?P<date>(?:\b(?:{_WEEKDAY})\b,?\s+(?:(?:the|de|den|dem)\s+)?)?
      (?:\b\d{{1,2}}(?:st|nd|rd|th|e|\.)?\s+(?:of\s+)?(?:{_MONTH})\b\.?(?:\s+20\d\d\b)?
       |\b(?:{_MONTH})\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?!:)(?:,?\s+20\d\d\b)?
       |\b20\d\d-\d\d-\d\d\b|\b\d{{1,2}}[/.]\d{{1,2}}[/.](?:20)?\d\d\b)
    | \b(?:{_WEEKDAY})s?\b)
  | (?P<time>\b\d{{1,2}}[:.]\d{{2}}\s?(?:uur|uhr|h|am|pm)\b|\b\d{{1,2}}:\d{{2}}\b|\b\d{{1,2}}\s?(?:uur|uhr|am|pm)\b)
  | (?P<amount>(?:€|£|\$|\b(?:EUR|CHF|GBP|USD)\b)\s?{_NUMBER}|\b{_NUMBER}\s?(?:€|£|euros?\b|EUR\b|CHF\b|pounds?\b))
  | (?P<number>(?<![\w.,]){_NUMBER}(?:\s?%)?(?![\w]))
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SLOT = re.compile(r"\{\{[^{}]*\}\}")
_LIST_MARK = re.compile(r"(?:^|\n)[ \t]*(\d{1,2})[.)](?=\s)")
_WORDS = re.compile(r"\b(" + "|".join(_NUMBER_WORDS) + r")\b", re.IGNORECASE)

BLANKS = ("[date]", "[time]", "[amount]", "[number]", "[link]", "[reference]", "[email]", "[phone]", "[your name]")
BLANK = re.compile("|".join(re.escape(blank) for blank in BLANKS))


@dataclass(frozen=True, slots=True)
class Statement:
    """Something checkable in a text: its kind, where it stands, and what it says (any value may match)."""

    kind: str
    start: int
    end: int
    text: str
    values: frozenset[str]


def statements(text: str) -> Iterator[Statement]:
    """The checkable statements of a text, in order; list numbers and slots are none."""
    marks = {match.start(1) for match in _LIST_MARK.finditer(text)}
    for match in _CLAIM.finditer(text):
        kind = match.lastgroup or ""
        if kind in ("slot", "blank") or match.start() in marks:
            continue
        yield Statement(kind, match.start(), match.end(), match.group(), frozenset(_values(kind, match.group())))


def _values(kind: str, text: str) -> Iterator[str]:
    lowered = text.lower()
    if kind in ("link", "email", "reference"):
        yield f"{kind}:{lowered.rstrip('/')}"
    elif kind == "date":
        yield from _date_values(lowered)
    elif kind == "time":
        hours, _, minutes = re.sub(r"[^\d:.]", "", lowered).replace(".", ":").partition(":")
        hour = int(hours) + (12 if "pm" in lowered and int(hours) < 12 else 0)
        yield f"time:{hour}:{int(minutes or 0):02d}"
    else:
        for number in re.findall(_NUMBER, text):
            yield f"number:{_decimal(number):g}"


def _date_values(text: str) -> Iterator[str]:
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    months = [_MONTHS[word] for word in re.findall(r"[^\W\d_]+", text) if word in _MONTHS]
    if months and numbers:
        yield f"date:{numbers[0]}-{months[0]}"
    elif len(numbers) >= 3:
        day, month = (numbers[2], numbers[1]) if numbers[0] > 31 else (numbers[0], numbers[1])
        yield f"date:{day}-{month}"
        yield f"date:{month}-{day}"  # 4/5 may be either
    else:
        for word in re.findall(r"[^\W\d_]+", text):
            if (number := _WEEKDAYS.get(word, _WEEKDAYS.get(word.removesuffix("s")))) is not None:
                yield f"weekday:{number}"


def _decimal(text: str) -> float:
    """Reads `6.50`, `6,50`, `1.250,00` and `1,250`: a last group of exactly three digits is a thousand."""
    groups = re.split(r"[.,]", text)
    if len(groups) > 1 and len(groups[-1]) != 3:
        return float("".join(groups[:-1]) + "." + groups[-1])
    return float("".join(groups))


class Support:
    """The texts that a draft may rest on.

    Args:
        texts: (name, text) pairs, the ticket first; a claim names the first one that holds it.
    """

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        self._values = [(name, _all_values(text)) for name, text in texts]

    def of(self, statement: Statement) -> str | None:
        """The name of the text that says the same, or None."""
        for name, values in self._values:
            if statement.values & values:
                return name
        return None


def _all_values(text: str) -> set[str]:
    text = _SLOT.sub(" ", text)  # the 5 of {{reference_5}} supports nothing
    values = {value for statement in statements(text) for value in statement.values}
    # 'within two days' supports 'within 2 days', and a full date also says its weekday.
    values |= {f"number:{_NUMBER_WORDS[word.lower()]:g}" for word in _WORDS.findall(text)}
    values |= {f"weekday:{_WEEKDAYS[word.lower()]}" for word in re.findall(rf"(?i)\b({_WEEKDAY})\b", text)}
    # List marks and digits inside words ('3x', '23kg') are no claims of their own, but they are there to be repeated.
    values |= {f"number:{_decimal(number):g}" for number in re.findall(_NUMBER, text)}
    return values


def check(draft: str, support: Support) -> tuple[Claim, ...]:
    """Every checkable statement of a draft, with what supports it."""
    claims = []
    for statement in statements(draft):
        source = support.of(statement)
        claims.append(Claim(statement.text, statement.start, statement.end, source is not None, source or ""))
    return tuple(claims)


def blank_unsupported(reply: str, support: Support) -> str:
    """A reply with blanks in place of what its writer knew from elsewhere (a scan, a calendar, a colleague)."""
    parts: list[str] = []
    position = 0
    for statement in statements(reply):
        if support.of(statement) is None:
            parts += [reply[position : statement.start], f"[{statement.kind}]"]
            position = statement.end
    return "".join([*parts, reply[position:]])
