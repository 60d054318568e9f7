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

REFERENCE = re.compile(
    r"\b(?=(?:[A-Za-z0-9-]*\d){2})[A-Z]{1,5}-?(?=[A-Z0-9-]*\d)[A-Z0-9]{4,}(?:-[A-Z0-9]+)*\b|\b\d{7,20}\b"
)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
LINK = re.compile(r"\b(?:https?://|www\.)[^\s<>()\"']+[^\s<>()\"'.,;:!?]")

_STREET = (
    r"(?:[A-ZÀ-Ý][\w'\u2019-]*\s)?[A-ZÀ-Ý][\w'\u2019-]*"
    r"(?:straat|weg|laan|plein|gracht|kade|singel|dijk|straße|strasse|str\.|gasse|allee|platz|ring"
    r"|\s(?:Street|Road|Lane|Avenue|Close|Drive))"
)
# In this order: an IBAN also looks like a reference, a street's number like a number.
_RECOGNISERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("email", EMAIL),
    ("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),
    ("reference", REFERENCE),
    ("phone", re.compile(r"(?<![\w.])(?:\+|00|0)\d(?:[\s/()-]{0,2}\d){6,12}(?!\w)")),
    ("address", re.compile(_STREET + r"\s\d{1,4}\s?[a-zA-Z]?\b(?:-\d+)?")),
    ("postcode", re.compile(r"\b\d{4}\s?[A-Z]{2}\b|\b[A-Z]{1,2}\d{1,2}[A-Z]?\s\d[A-Z]{2}\b")),
)
_SLOT = re.compile(r"\{\{\s*([a-z_]+?)(?:_(\d+))?\s*\}\}")
# What a person sees where a slot has no value: something to fill in.
_BLANK_OF = {"reference": "[reference]", "email": "[email]", "phone": "[phone]", "agent": "[your name]"}


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
            self.values["agent"] = _first(agent.name)
        for colleague in sorted(agents, key=lambda user: agent is None or user.id != agent.id):
            slot = AGENT if agent and colleague.id == agent.id else "{{colleague}}"
            self._names += _name_patterns([colleague.name, _first(colleague.name)], slot)
        if requester and (names := requester.name.split()):
            self.values["first_name"] = names[0]
            requester_names = _name_patterns([names[0]], FIRST_NAME)
            if len(names) > 1:
                self.values["last_name"] = " ".join(names[1:])
                requester_names = (
                    _name_patterns([requester.name], f"{FIRST_NAME} {LAST_NAME}")
                    + requester_names
                    + _name_patterns([" ".join(names[1:])], LAST_NAME)
                )
            # The customer comes before the team: where an Anna writes to an Anna, the greeting is what matters.
            self._names = requester_names + self._names

    def hide(self, text: str) -> str:
        """The text with slots in place of personal data; remembers what each slot stood for."""
        for kind, pattern in _RECOGNISERS:
            text = pattern.sub(partial(self._slot_for, kind), text)
        for pattern, slot in self._names:
            text = pattern.sub(slot, text)
        return text

    def _slot_for(self, kind: str, match: re.Match[str]) -> str:
        value = match.group()
        key = (kind, re.sub(r"\s", "", value).lower())
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
            if name in self.values:
                return self.values[name]
            if kind in ("first_name", "last_name", "colleague"):
                return ""
            return _BLANK_OF.get(kind, "[" + kind.replace("_", " ") + "]")

        filled = _SLOT.sub(value, text)
        return re.sub(r" +([,.!?;:\n])", r"\1", re.sub(r" {2,}", " ", filled))


def leaks(text: str, known: Iterable[str]) -> list[str]:
    """Kinds of personal data in a text that the ticket at hand does not hold, such as another customer's number.

    Args:
        text: A draft, slots filled.
        known: What may stand in it: the ticket's text, the passages.
    """
    haystack = re.sub(r"\s", "", " ".join(known)).lower()
    return [
        kind
        for kind, pattern in _RECOGNISERS
        for match in pattern.finditer(text)
        if re.sub(r"\s", "", match.group()).lower() not in haystack
    ]


def _first(name: str) -> str:
    return name.split()[0] if name.split() else ""


def _name_patterns(names: Iterable[str], slot: str) -> list[tuple[re.Pattern[str], str]]:
    # Case matters: 'Will' is a name, 'will' is not. Initials and one-letter names would hit everywhere.
    return [(re.compile(rf"(?<![\w{{]){re.escape(name)}(?![\w}}])"), slot) for name in names if len(name) > 1]
