"""Personal data becomes typed slots before anything is learned from or shown to a model, and comes back at serving.

The ticket's own known people come first (the requester, the team), recognisers for addresses and numbers after. Within
one ticket the same value always gets the same slot, so that 'the number you sent' stays the number that was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial

from connectors.records import User

FIRST_NAME, LAST_NAME, AGENT = "{{first_name}}", "{{last_name}}", "{{agent}}"

# Customers write what these read: every repetition is bounded or has but one way to match, else a pasted log of 20 KB
# keeps a worker busy for minutes.
_LETTERED = (
    r"\b[A-Z]{2}[ ]?\d(?:[ ]?\d){8}[ ]?[A-Z]{2}\b|\b[A-Za-z]{2}\d{9}[A-Za-z]{2}\b"  # a parcel's number (UPU S10)
    r"|\b(?=[A-Za-z-]{0,20}\d[A-Za-z-]{0,20}\d)[A-Z]{1,5}-?(?=[A-Z-]{0,20}\d)[A-Z0-9]{4,30}(?:-[A-Z0-9]{1,20}){0,6}\b"
    r"|\b[a-z]{1,2}-\d{4,12}(?:-\d{1,12})?\b"
)
_DIGITS = r"\b\d{7,20}\b"
REFERENCE = re.compile(f"{_LETTERED}|{_DIGITS}")
# The part before the @ may be missing: 'an address that ends in @mail.example'.
EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{0,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
LINK = re.compile(
    r"(?:\b(?:https?://|www\.)|(?<![\w@.-])(?:[\w-]{1,63}\.){1,4}(?:(?:com|net|org|eu|example)\b(?!@)|[a-z]{2}(?=/\w)))"
    r"(?:[^\s<>()\"']*[^\s<>()\"'.,;:!?])?"
)
_DATE = r"(?:0?[1-9]|[12]\d|3[01])[/-](?:0?[1-9]|1[0-2])[/ -](?:19|20)?\d\d(?![\d/-])"
PHONE = re.compile(
    rf"(?<![\w.-])(?!{_DATE})(?:\+|00|0)\d(?:[ \u00a0/()-]{{0,2}}\d){{6,12}}(?!\w)"
    r"|(?<![\w.-])0\d(?:\.\d\d){4}(?![\w.])"
)

_CAPITALISED = r"[A-ZÀ-Ý][\w'\u2019-]{0,40}"
_ADDRESS = (
    rf"(?<![\w'\u2019-])(?:{_CAPITALISED}\s)?{_CAPITALISED}"
    r"(?:straat|weg|laan|plein|gracht|kade|singel|dijk|straße|strasse|str\.|gasse|allee|platz|ring"
    r"|\s(?:Street|Road|Lane|Avenue|Close|Drive))\s\d{1,4}[a-zA-Z]?\b(?:-\d{1,4})?"
    rf"|\b\d{{1,4}}[a-zA-Z]?\s(?:{_CAPITALISED}\s){{1,2}}(?:Street|Road|Lane|Avenue|Close|Drive)\b"
)
# In this order: an IBAN looks like a reference too, and so does the end of a telephone number.
_RECOGNISERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("email", EMAIL),
    ("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),
    ("reference", re.compile(_LETTERED)),
    ("phone", PHONE),
    ("reference", re.compile(_DIGITS)),
    ("address", re.compile(_ADDRESS)),
    ("postcode", re.compile(r"\b\d{4}\s?[A-Z]{2}\b|\b[A-Z]{1,2}\d{1,2}[A-Z]?\s\d[A-Z]{2}\b")),
)
_SLOT = re.compile(r"\{\{\s*([a-z_]+?)(?:_(\d+))?\s*\}\}")
# What a person sees where a slot has no value: something to fill in.
_BLANK_OF = {"agent": "[your name]"}
_GONE = "\0"
_TITLES = re.compile(r"(?i)^(?:(?:dr|prof|ir|ing|drs|mrs?|ms|miss|herr|frau|dhr|mevr|mevrouw|mw)\b\.?\s+)+")
# 'May' and 'Jan' are months too: beside a number they are not the customer.
_MONTHS = frozenset(("April", "August", "Jan", "June", "Juni", "Juli", "Mai", "Mar", "May", "Mei"))
_NOT_A_DATE = r"(?<!\d )(?<!\d\. )%s(?! \d)"


class Slots:
    """The slots of one ticket.

    Args:
        requester: The customer.
        agents: The team; the names of colleagues do not belong in a draft.
        agent: Who writes the reply at hand; their name becomes `{{agent}}`.
    """

    def __init__(self, requester: User | None, agents: Sequence[User] = (), agent: User | None = None) -> None:
        self.values: dict[str, str] = {}
        self._slot_of: dict[tuple[str, str], str] = {}
        self._names: list[tuple[re.Pattern[str], str]] = []
        if agent:
            self.values["agent"] = _split_name(agent.name)[0]
        for colleague in sorted(agents, key=lambda user: agent is None or user.id != agent.id):
            slot = AGENT if agent and colleague.id == agent.id else "{{colleague}}"
            self._names += _name_patterns([colleague.name, _split_name(colleague.name)[0]], slot)
        # The customer comes before the team: where an Anna writes to an Anna, the greeting is what matters.
        self._names = self._requester_patterns(requester.name if requester else "") + self._names

    def _requester_patterns(self, name: str) -> list[tuple[re.Pattern[str], str]]:
        first, last = _split_name(name)
        if not first:
            return []
        self.values["first_name"] = first
        if not last:
            return _name_patterns([first, first.lower()] if name.islower() else [first], FIRST_NAME)
        self.values["last_name"] = last
        # Parts of it stand alone too: 'G.J. Oosting' is Gerrit Jan Oosting, and Thi Mai Nguyen is greeted as Mai.
        parts = [part for part in last.split() if part != last and len(part) > 2 and part[0].isupper()]
        self.values |= {f"last_name_{number}": part for number, part in enumerate(parts, start=1)}
        known = {f"{first} {last}": f"{FIRST_NAME} {LAST_NAME}", first: FIRST_NAME, last: LAST_NAME}
        known |= {part: f"{{{{last_name_{number}}}}}" for number, part in enumerate(parts, start=1) if part != first}
        if name.islower():
            known |= {form.lower(): slot for form, slot in known.items()}
        return [pattern for form, slot in known.items() for pattern in _name_patterns([form], slot)]

    def hide(self, text: str) -> str:
        """The text with slots in place of personal data; remembers what each slot stood for."""
        for kind, pattern in _RECOGNISERS:
            text = pattern.sub(partial(self._slot_for, kind), text)
        for pattern, slot in self._names:
            text = pattern.sub(slot, text)
        return text

    def _slot_for(self, kind: str, match: re.Match[str]) -> str:
        value = match.group()
        key = (kind, _bare(value))
        if key not in self._slot_of:
            name = f"{kind}_{1 + sum(1 for known, _ in self._slot_of if known == kind)}"
            self._slot_of[key] = "{{" + name + "}}"
            self.values[name] = value
        return self._slot_of[key]

    def fill(self, text: str) -> str:
        """The text with values in place of slots; a slot without a value becomes a blank such as `[reference]`."""

        def value(match: re.Match[str]) -> str:
            kind, number = match.group(1), match.group(2)
            name = f"{kind}_{number}" if number else kind
            if self.values.get(name):
                return self.values[name]
            if kind in ("first_name", "last_name"):
                return _GONE
            return _BLANK_OF.get(kind, "[" + kind.replace("_", " ") + "]")

        # The space before a name that is not there goes with it: 'Hi {{first_name}},' becomes 'Hi,'.
        return re.sub(rf"(?m)^{_GONE} ?| ?{_GONE}", "", _SLOT.sub(value, text))


def leaks(text: str, known: Iterable[str]) -> list[str]:
    """Kinds of personal data in a text that the ticket at hand does not hold, such as another customer's number.

    Args:
        text: A draft, slots filled.
        known: What may stand in it: the ticket's text, the articles.
    """
    haystack = _bare(" ".join(known))
    return [
        kind
        for kind, pattern in _RECOGNISERS
        for match in pattern.finditer(text)
        if _bare(match.group()) not in haystack
    ]


def _bare(value: str) -> str:
    """Without case, blanks and separators: `06-5550 1287` and `0655501287` are the same number."""
    return re.sub(r"[\s/().-]", "", value).lower()


def _split_name(name: str) -> tuple[str, str]:
    """First name and the rest; titles left out, `Jansen, Anna` turned round, both empty where it is only an address."""
    family, comma, given = name.partition(",")
    if comma and given.strip():
        name = f"{given} {family}"
    words = _TITLES.sub("", name.strip(" ,")).split()
    if not words or "@" in name:
        return "", ""
    if name.islower():
        words = [word.capitalize() for word in words]
    return words[0], " ".join(words[1:])


def _name_patterns(names: Iterable[str], slot: str) -> list[tuple[re.Pattern[str], str]]:
    # Case matters: 'Will' is a name, 'will' is not. Initials and one-letter names would hit everywhere.
    return [(_name_pattern(name), slot) for name in names if len(name) > 1]


def _name_pattern(name: str) -> re.Pattern[str]:
    alone = _NOT_A_DATE % re.escape(name) if name in _MONTHS else re.escape(name)
    return re.compile(rf"(?<!\w)(?<!\{{\{{){alone}(?!\w)(?!\}}\}})")
