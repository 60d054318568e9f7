"""The claim check: every number, date, time, amount, link and identifier of a draft must come from somewhere.

Somewhere is the ticket or a retrieved passage. In training the same check turns facts that the model could not have
known into blanks such as `[date]`, so that it learns to leave them open instead of making them up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.store.suggestions import Claim
from trainer.privacy.slots import EMAIL, LINK, PHONE, REFERENCE

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

_UNITS = {
    "time": (
        "minutes? minuten? minuut hours? uur uren stunden? days? dagen dag tage?n? weeks? weken wochen? months? "
        "maanden maand monate?n? years? jaren jaar jahre?n? business working werkdagen werkdag "
        "arbeitstage?n? werktage?n?"
    ),
    "weight": "kgs? kilos? kilograms? kilogramm g grams? gramm lbs? pounds?",
    "length": "mm cm km centimet(?:er|re)s? met(?:er|re)s? kilomet(?:er|re)s?",
    "share": "% percent procent prozent",
}
"""What a number counts, where the word after it tells: five kilos do not support five days. 'm' may be either."""

_WEEKDAY = "|".join(_WEEKDAYS)
_GERMAN_DAY = "|".join(word for word in _WEEKDAYS if word.endswith(("tag", "woch", "abend")))
# 'donderdagochtend' and 'Dienstagabend' name a day too.
_PART_OF_DAY = r"(?:s|ochtend|morgen|middag|avond|nacht|früh|vormittag|mittag|nachmittag|abend)?"
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY, _MONTH_NUMBER = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_ORDINAL = r"(?:st|nd|rd|th|ste|de|e)"
_HOUR = r"\b(?:[01]?\d|2[0-4])"
# '3 am Dienstag' is no time, nor is '3 am 4. Mai' once its date is a blank.
_AM_PM = rf"(?:[ap]\.m\.|pm\b|am\b(?!\s+(?:{_GERMAN_DAY}|\d|\[)))"
_NUMBER = r"\d+(?:[.,]\d+)*"
_UNIT = re.compile(
    r"[\s-]{0,2}(?:"
    + "|".join(f"(?P<{kind}>(?:{'|'.join(names.split())})(?!\\w))" for kind, names in _UNITS.items())
    + ")",
    re.IGNORECASE,
)
_BARE = "bare"
_COUNTED = "|".join(_UNITS["time"].split())
# Not 'one', which is an article in German and Dutch and a pronoun in English.
_SEVERAL = "|".join(sorted((word for word, number in _NUMBER_WORDS.items() if number > 1), key=len, reverse=True))

# In this order at each place: the longest reading that makes sense wins.
_CLAIM = re.compile(
    rf"""
    (?P<email>{EMAIL.pattern})
  | (?P<link>{LINK.pattern})
  | (?P<blank>\[[a-z][a-z ]{{2,20}}\])
  | (?P<slot>\{{\{{[^{{}}]*\}}\}})
  | (?P<phone>{PHONE.pattern})
  | (?P<reference>(?-i:{REFERENCE.pattern}))
  | (?P<date>(?:\b(?:{_WEEKDAY})\b,?\s+(?:(?:the|de|den|dem)\s+)?)?
      (?:\b\d{{1,2}}(?:{_ORDINAL}|\.)?\s*(?:of\s+)?(?:{_MONTH})\b(?:\.?\s+20\d\d\b)?
       |\b(?:{_MONTH})\s+\d{{1,2}}{_ORDINAL}?\b(?!:)(?:,?\s+20\d\d\b)?
       |\b20\d\d-\d\d-\d\d\b|\b\d{{1,2}}(?P<mark>[/.-])\d{{1,2}}(?P=mark)(?:20)?\d\d\b
       |(?<![\w.,/])(?:{_DAY}/{_MONTH_NUMBER}(?![\w/])|{_DAY}\.{_MONTH_NUMBER}(?=\.(?!\w))))
    | \b(?:{_WEEKDAY}){_PART_OF_DAY}\b)
  | (?P<time>{_HOUR}[:.]\d{{2}}\s?(?:uur\b|uhr\b|h\b|{_AM_PM})|{_HOUR}:\d{{2}}\b
      |{_HOUR}[uh]\d{{2}}\b|{_HOUR}u\b|{_HOUR}\s?(?:uur\b|uhr\b|{_AM_PM}))
  | (?P<amount>(?:€|£|\$|\b(?:EUR|CHF|GBP|USD)\b)\s?{_NUMBER}
      |\b{_NUMBER}(?:\s?(?:€|£|euros?\b|EUR\b|CHF\b|pounds?\b)|,-))
  | (?P<number>(?<![\w.,]){_NUMBER}(?:\s?%|{_ORDINAL}\b|(?=(?:kg|cm|mm|km|g|m|h|x)?(?!\w)))
      |\b(?:{_SEVERAL})\b(?=[\s-](?:{_COUNTED})\b))
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SLOT = re.compile(r"\{\{[^{}]*\}\}")
_LIST_MARK = re.compile(r"(?:^|\n)[ \t]*(\d{1,2})[.)](?=\s)")
_SCHEME = re.compile(r"^(?:https?://)?(?:www\.)?")
_WORDS = re.compile(r"\b(" + "|".join(_NUMBER_WORDS) + r")\b", re.IGNORECASE)

BLANKS = (
    "[date]", "[time]", "[amount]", "[number]", "[link]", "[reference]", "[email]", "[phone]", "[iban]", "[address]",
    "[postcode]", "[colleague]", "[your name]", "[name]", "[place]", "[order number]", "[tracking number]",
    "[invoice number]", "[customer number]", "[claim number]", "[return number]", "[card]", "[plate]", "[ip address]",
    "[code]", "[username]", "[date of birth]", "[id number]", "[vat number]",
)  # fmt: skip
BLANK = re.compile("|".join(re.escape(blank) for blank in BLANKS))


@dataclass(frozen=True, slots=True)
class Statement:
    """Something checkable in a text: its kind, where it stands, what it says (any value may match), what it counts."""

    kind: str
    start: int
    end: int
    text: str
    values: frozenset[str]
    unit: str = ""

    @property
    def sought(self) -> frozenset[str]:
        """What a text must say to support it.

        A number is supported by one of the same unit, and by one of which nobody can tell what it counts.
        """
        if not self.unit:
            return self.values
        numbers = {value for value in self.values if value.startswith("number:")}
        counted = {f"{number}:{unit}" for number in numbers for unit in (self.unit, _BARE)}
        return self.values - numbers | counted


def statements(text: str) -> Iterator[Statement]:
    """The checkable statements of a text, in order; list numbers and slots are none."""
    marks = {match.start(1) for match in _LIST_MARK.finditer(text)}
    for match in _CLAIM.finditer(text):
        kind = match.lastgroup or ""
        if kind in ("slot", "blank") or (kind == "number" and match.start() in marks):
            continue
        # '24 uur' may be a time and is a day.
        unit = {"number": _unit_of(text, match.end()), "time": "time"}.get(kind, "")
        values = frozenset(_values(kind, match.group()))
        yield Statement(kind, match.start(), match.end(), match.group(), values, unit)


def _unit_of(text: str, end: int) -> str:
    """What the number that ends there counts; empty where that cannot be told."""
    if text[end - 1] == "%":
        return "share"
    match = _UNIT.match(text, end)
    return (match.lastgroup or "") if match else ""


def _values(kind: str, text: str) -> Iterator[str]:
    lowered = text.lower()
    if kind in ("link", "email", "reference"):
        yield f"{kind}:{_SCHEME.sub('', lowered).rstrip('/')}"
    elif kind == "phone":
        yield "phone:" + re.sub(r"\D", "", text)
    elif kind == "date":
        yield from _date_values(lowered)
    elif kind == "time":
        yield from _time_values(lowered)
    elif kind == "number" and text.lower() in _NUMBER_WORDS:
        yield f"number:{_NUMBER_WORDS[text.lower()]}"
    else:
        for number in re.findall(_NUMBER, text):
            yield from _number_values(number, amount=kind == "amount")


def _date_values(text: str) -> Iterator[str]:
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    months = [_MONTHS[word] for word in re.findall(r"[^\W\d_]+", text) if word in _MONTHS]
    if months and numbers:
        yield f"date:{numbers[0]}-{months[0]}"
    elif numbers and numbers[0] > 31:
        yield f"date:{numbers[2]}-{numbers[1]}"
    elif numbers:
        day, month = numbers[:2]
        yield f"date:{day}-{month}"
        yield f"date:{month}-{day}"  # 4/5 may be either
        if len(numbers) == 2 and "." in text:
            for number in re.findall(_NUMBER, text):
                yield from _number_values(number, amount=False)  # 'it costs 6.10.' reads like '6.10.'
    else:
        yield from _weekday_values(text)


def _weekday_values(text: str) -> Iterator[str]:
    for word in re.findall(rf"(?i)\b({_WEEKDAY}){_PART_OF_DAY}\b", text):
        yield f"weekday:{_WEEKDAYS[word.lower()]}"


def _time_values(text: str) -> Iterator[str]:
    hours, *minutes = re.findall(r"\d+", text)
    half = "".join(re.findall(r"[ap]\.?m", text))[:1]
    hour = int(hours) % 12 + 12 * (half == "p") if half else int(hours)
    yield f"time:{hour}:{minutes[0] if minutes else '00'}"
    if "uur" in text and not minutes:
        yield f"number:{hour}"


def _number_values(text: str, *, amount: bool) -> Iterator[str]:
    """A price needs a price to support it; `6.95` without a sign may be one, and `13.30` may be a time as well."""
    number = f"{_decimal(text):.12g}"
    cents = re.fullmatch(r"\d+[.,]\d{2}", text) is not None
    if amount or cents:
        yield f"amount:{number}"
    if not amount:
        yield f"number:{number}"
        if cents and re.fullmatch(rf"{_HOUR}\.[0-5]\d", text):
            yield f"time:{int(text[:-3])}:{text[-2:]}"


def _decimal(text: str) -> float:
    """Reads `6.50`, `6,50`, `1.250,00`, `1,250` and `0.125`: three digits at the end are thousands, but after a 0."""
    groups = re.split(r"[.,]", text)
    if len(groups) > 1 and (len(groups[-1]) != 3 or groups[0] == "0"):
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
            if statement.sought & values:
                return name
        return None


def _all_values(text: str) -> set[str]:
    text = _SLOT.sub(" ", text)  # the 5 of {{reference_5}} supports nothing
    said = (value for statement in statements(text) for value in statement.values)
    # Numbers follow, each with what it counts.
    values = {value for value in said if not value.startswith("number:")}
    # 'within two days' supports 'within 2 days', and a full date also says its weekday.
    for match in _WORDS.finditer(text):
        number = f"number:{_NUMBER_WORDS[match.group().lower()]}"
        values |= {number, f"{number}:{_unit_of(text, match.end()) or _BARE}"}
    values |= set(_weekday_values(text))
    # List marks and digits inside words ('D3', '20x15') are no claims of their own, but they are there to be repeated.
    for match in re.finditer(_NUMBER, text):
        unit = _unit_of(text, match.end()) or _BARE
        for value in _number_values(match.group(), amount=False):
            values |= {value, f"{value}:{unit}"}
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
