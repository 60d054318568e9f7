"""Edits of articles: another value in the form of the old one, wherever a text states it.

`12 working days` becomes `15 working days`, `€ 6,95` becomes `€ 8,45`, `18:00` becomes `19:30`. The probe asks with it
what a draft says after somebody has changed an article.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from trainer.replies.claims import Statement, statements

NUMBERS = frozenset({"number", "amount"})
KINDS = NUMBERS | {"time", "date", "link"}

# A one is an article or a pronoun more often than a number.
_WORDS = {
    "en": ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    "nl": ("twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "negen", "tien"),
    "de": ("zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn"),
}
_VALUES = {word: number for words in _WORDS.values() for number, word in enumerate(words, start=2)}
_WORD = re.compile(rf"(?i)\b(?:{'|'.join(_VALUES)})\b")

_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_PLAIN_NUMBER = re.compile(rf"{_DIGITS.pattern}(?:\s?%)?")
_UNIT = re.compile(r"[ \u00a0-]?([^\W\d_]+)")
_RANGE = re.compile(r"\s*(?:-|\u2013|to|and|or|tot|en|of|bis|und|oder)\s*\d")
_TIME = re.compile(r"(?i)(\d{1,2})(?:([:.hu])(\d{2}))?")
_DAY = re.compile(r"(\d+)(st|nd|rd|th|ste|de)?(?![^\W_])")

_STEPS = (3, 2, 4, 5, 6, 7, 8, 9, 1, -2, -1)
_MINUTES = (90, 60, 120, 150, 180, -90, -60, -120)
_DAYS = (3, 2, 4, 5, -3, -2, -4, -5)
_PATHS = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class Edit:
    """A fact of an article, and what it is changed to.

    Attributes:
        fact, changed: The statement as it is and as it will be; only kind, text and values of the latter count.
        unit: What the fact counts, in lower case: the word after a number, or `%`. Empty for what needs none.
        step: By how much: of a number its difference, of a time minutes, of a date days.
        language: ISO 639-1 code of the article, for numbers in words.
    """

    fact: Statement
    changed: Statement
    unit: str
    step: Decimal
    language: str

    def apply(self, text: str) -> str:
        """The text with the new value in place of the old one, each time in the form in which it stood there."""
        parts: list[str] = []
        position = 0
        for one in statements(text):
            if one.values & self.fact.values and (written := _rewritten(one, self.fact.kind, self.step)):
                parts += [text[position : one.start], written]
                position = one.end
        text = "".join([*parts, text[position:]])
        return _WORD.sub(self._word, text) if self.fact.kind == "number" else text

    def _word(self, match: re.Match[str]) -> str:
        word = match.group()
        number = _VALUES[word.lower()]
        new = number + self.step
        if f"number:{number}" not in self.fact.values or new not in range(2, 11):
            return word
        # 'acht' is Dutch and German: the article's own language decides.
        known = [words for words in (_WORDS.get(self.language, ()), *_WORDS.values()) if word.lower() in words]
        written = known[0][int(new) - 2]
        return written.capitalize() if word[0].isupper() else written

    def old_in(self, text: str) -> bool:
        """Whether a text states the old value."""
        return _states(text, self.fact, self.unit)

    def new_in(self, text: str) -> bool:
        """Whether a text states the new value."""
        return _states(text, self.changed, self.unit)


def edits_of(fact: Statement, text: str, language: str) -> Iterator[Edit]:
    """Ways to change a fact that stands in a text, the most plausible one first; none for what cannot be changed."""
    unit = unit_of(fact, text)
    if fact.kind not in KINDS or (fact.kind == "number" and not unit):
        return
    for step in _steps(fact):
        written = _rewritten(fact, fact.kind, step)
        changed = next(statements(written), None) if written else None
        if changed and (changed.kind, changed.text) == (fact.kind, written) and not changed.values & fact.values:
            yield Edit(fact, changed, unit, step, language)


def unit_of(statement: Statement, text: str) -> str:
    """What a number in a text counts, in lower case; empty for other statements, and for the lower end of a range."""
    if statement.kind != "number":
        return ""
    if "%" in statement.text:
        return "%"
    if _RANGE.match(text, statement.end):
        return ""  # '3 to 5 days' cannot become '6 to 5 days'
    match = _UNIT.match(text, statement.end)
    return match.group(1).lower() if match else ""


def _states(text: str, statement: Statement, unit: str) -> bool:
    """By the claim check's reading, and 'three working days' states 3 working days as well."""
    if any(one.values & statement.values for one in statements(text)):
        return True
    words = (match for match in _WORD.finditer(text) if f"number:{_VALUES[match.group().lower()]}" in statement.values)
    return bool(unit) and any(
        (after := _UNIT.match(text, match.end())) and after.group(1).lower() == unit for match in words
    )


def _steps(fact: Statement) -> list[Decimal]:
    if fact.kind in NUMBERS:
        return [_grain(fact) * step for step in _STEPS]
    return [Decimal(step) for step in {"time": _MINUTES, "date": _DAYS, "link": _PATHS}[fact.kind]]


def _grain(fact: Statement) -> Decimal:
    """What a number goes up in: 50 cents of 6.95, hundreds of 2,500, tens of 100 and 1,250.00, ones of 12 and 30."""
    digits = _DIGITS.search(fact.text)
    value, decimals = _parsed(digits.group() if digits else "0")
    if value % 1:
        return Decimal("0.5") if fact.kind == "amount" else Decimal(1).scaleb(-decimals)
    whole = str(int(value))
    zeros = len(whole) - len(whole.rstrip("0"))
    return Decimal(10) ** max(0, zeros - (len(whole) == zeros + 1))


def _rewritten(statement: Statement, kind: str, step: Decimal) -> str | None:
    """A statement in its own form with a step on it; None where that gives nothing sensible, or it is another kind."""
    if kind in NUMBERS and statement.kind in NUMBERS:
        return _number(statement, step)
    if statement.kind != kind:
        return None
    return {"time": _time, "date": _date, "link": _link}[kind](statement.text, int(step))


def _number(statement: Statement, step: Decimal) -> str | None:
    text = statement.text
    digits = _DIGITS.search(text)
    if digits is None or (statement.kind == "number" and not _PLAIN_NUMBER.fullmatch(text)):
        return None  # '3rd' has its ending for the 3
    value, decimals = _parsed(digits.group())
    new = value + step
    if new <= 0 or new != round(new, decimals) or ("%" in text and value <= 100 < new):
        return None
    if _written(value, decimals, digits.group()) != digits.group():
        return None  # '007' is a code
    return text[: digits.start()] + _written(new, decimals, digits.group()) + text[digits.end() :]


def _parsed(digits: str) -> tuple[Decimal, int]:
    """A number and its decimals, read as `trainer.replies.claims` does."""
    groups = re.split(r"[.,]", digits)
    if len(groups) > 1 and (len(groups[-1]) != 3 or groups[0] == "0"):
        return Decimal("".join(groups[:-1]) + "." + groups[-1]), len(groups[-1])
    return Decimal("".join(groups)), 0


def _written(value: Decimal, decimals: int, like: str) -> str:
    marks = re.findall(r"[.,]", like)
    point = marks.pop() if decimals else ""
    text = f"{value:,.{decimals}f}" if marks else f"{value:.{decimals}f}"
    return "".join({",": marks[0] if marks else "", ".": point}.get(one, one) for one in text)


def _time(text: str, minutes: int) -> str | None:
    match = _TIME.search(text)
    half = re.search(r"(?i)([ap])\.?m", text)
    if match is None or (minutes % 60 and not match.group(3)):
        return None
    hour = int(match.group(1))
    hour = hour % 12 + 12 * (half.group(1).lower() == "p") if half else hour
    new = 60 * hour + int(match.group(3) or 0) + minutes
    first, last = (12 * (hour >= 12), 12 * (hour >= 12) + 12) if half else (0, 24)
    if not 60 * first <= new < 60 * last:
        return None
    shown = (new // 60 % 12 or 12) if half else new // 60
    written = f"{shown:02d}" if match.group(1).startswith("0") else str(shown)
    if match.group(3):
        written += f"{match.group(2)}{new % 60:02d}"
    return text[: match.start()] + written + text[match.end() :]


def _date(text: str, days: int) -> str | None:
    numbers = list(_DAY.finditer(text))
    if not numbers or re.search(r"(?i)(?:day|dag|tag|woch|abend)\b", text):
        return None  # the weekday would be wrong
    iso = re.match(r"\d{4}-", text) is not None
    named = re.search(r"[^\W\d_]{3,}", text[: numbers[0].start()] + text[numbers[0].end() :]) is not None
    if not (iso or named) and len(numbers) > 1 and int(numbers[1].group(1)) > 12:
        return None  # the month comes first
    match = numbers[2] if iso else numbers[0]
    digits, ending = match.group(1), match.group(2) or ""
    new = int(digits) + days
    if not 1 <= new <= 28 or ending in ("ste", "de"):
        return None
    written = f"{new:02d}" if digits.startswith("0") else str(new)
    return text[: match.start()] + written + (_ordinal(new) if ending else "") + text[match.end() :]


def _ordinal(number: int) -> str:
    return "th" if 11 <= number <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _link(text: str, number: int) -> str:
    address = text.rstrip("/")
    has_path = "/" in address.removeprefix("https://").removeprefix("http://")
    return f"{address}-{number}" if has_path else f"{address}/{number}"
