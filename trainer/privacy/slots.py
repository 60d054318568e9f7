"""Personal data becomes typed slots before anything is learned from or shown to a model, and comes back at serving.

The ticket's own known people come first (the requester, the team), recognisers for numbers, addresses, other people and
places after. Within one ticket the same value always gets the same slot, so that 'the number you sent' stays the number
that was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from connectors.records import User
from trainer.privacy.leaks import leaks as leaks
from trainer.privacy.lexicon import Lexicon
from trainer.privacy.names import find_names
from trainer.privacy.places import find_places
from trainer.privacy.recognisers import EMAIL as EMAIL
from trainer.privacy.recognisers import LINK as LINK
from trainer.privacy.recognisers import PHONE as PHONE
from trainer.privacy.recognisers import REFERENCE as REFERENCE
from trainer.privacy.recognisers import bare, find_values, masked
from trainer.privacy.references import Span, family

FIRST_NAME, LAST_NAME, AGENT, COLLEAGUE = "{{first_name}}", "{{last_name}}", "{{agent}}", "{{colleague}}"

_SLOT = re.compile(r"\{\{\s*([a-z_]+?)(?:_(\d+))?\s*\}\}")
_ANY_SLOT = re.compile(r"\{\{[^{}]*\}\}")
# What a person sees where a slot has no value: something to fill in.
_BLANK_OF = {"agent": "[your name]", "person": "[name]", "surname": "[name]", "requester_email": "[email]"}
_TWO_NAMES = re.compile(r"\[name\](?: \[name\])+")
_GONE = "\0"
_TITLES = re.compile(r"(?i)^(?:(?:dr|prof|ir|ing|drs|mrs?|ms|miss|herr|frau|dhr|mevr|mevrouw|mw)\b\.?\s+)+")
# 'May' and 'Jan' are months too: beside a number they are not the customer.
_MONTHS = frozenset(("April", "August", "Jan", "June", "Juni", "Juli", "Mai", "Mar", "May", "Mei"))
_NOT_A_DATE = r"(?<!\d )(?<!\d\. )%s(?! \d)"
# Slots that mean the same in every ticket; another ticket's `{{phone_1}}` is somebody else's telephone.
_SAME_EVERYWHERE = frozenset(("first_name", "last_name", "agent", "colleague", "requester_email"))


class Slots:
    """The slots of one ticket.

    Args:
        requester: The customer.
        agents: The team; the names of colleagues do not belong in a draft.
        agent: Who writes the reply at hand; their name becomes `{{agent}}`.
        others: Further people who are known in this ticket, such as those in copy.
        lexicon: What the desk's own texts say about its words and numbers. Without it every number is a `reference`,
            and words of the desk that look like names or towns may become slots.
    """

    def __init__(
        self,
        requester: User | None,
        agents: Sequence[User] = (),
        agent: User | None = None,
        *,
        others: Sequence[User] = (),
        lexicon: Lexicon | None = None,
    ) -> None:
        self.values: dict[str, str] = {}
        self._slot_of: dict[tuple[str, str], str] = {}
        self._typed = lexicon is not None
        self._lexicon = lexicon or Lexicon()
        self._names: set[str] = set()
        self._places: set[str] = set()
        if agent:
            self.values["agent"] = _split_name(agent.name)[0]
        # The customer comes before the team: where an Anna writes to an Anna, the greeting is what matters.
        self._requester = self._requester_names(requester.name if requester else "")
        self._people = dict(self._others_names(others))
        for colleague in sorted(agents, key=lambda user: agent is None or user.id != agent.id):
            slot = AGENT if agent and colleague.id == agent.id else COLLEAGUE
            for name in (colleague.name, _split_name(colleague.name)[0]):
                self._people.setdefault(name, slot)
        if requester and requester.email:
            self.values["requester_email"] = requester.email
            self._slot_of["email", bare("email", requester.email)] = "{{requester_email}}"

    def _requester_names(self, name: str) -> dict[str, str]:
        first, last = _split_name(name)
        if not first:
            return {}
        self.values["first_name"] = first
        if not last:
            return {first: FIRST_NAME, first.lower(): FIRST_NAME} if name.islower() else {first: FIRST_NAME}
        self.values["last_name"] = last
        # Parts of it stand alone too: 'G.J. Oosting' is Gerrit Jan Oosting, and Thi Mai Nguyen is greeted as Mai.
        parts = [part for part in last.split() if part != last and len(part) > 2 and part[0].isupper()]
        self.values |= {f"last_name_{number}": part for number, part in enumerate(parts, start=1)}
        known = {f"{first} {last}": f"{FIRST_NAME} {LAST_NAME}", first: FIRST_NAME, last: LAST_NAME}
        known |= {part: f"{{{{last_name_{number}}}}}" for number, part in enumerate(parts, start=1) if part != first}
        if name.islower():
            known |= {form.lower(): slot for form, slot in known.items()}
        return known

    def _others_names(self, others: Sequence[User]) -> Iterator[tuple[str, str]]:
        for user in others:
            first, last = _split_name(user.name)
            if first and last:
                yield f"{first} {last}", f"{self._slot('person', first)} {self._slot('surname', last)}"
                yield last, self._slot("surname", last)
            if first:
                yield first, self._slot("person", first)

    def hide(self, text: str) -> str:
        """The text with slots in place of personal data; remembers what each slot stood for."""
        slots = [Span(*match.span(), match.group()) for match in _ANY_SLOT.finditer(text)]
        plain = masked(text, slots)
        found = [(span.start, span.end, span.kind) for span in slots]
        values = find_values(plain, self._lexicon.forms, typed=self._typed)
        known = list(self._known_people(masked(plain, values)))
        taken = bytearray(len(text))
        for span in (*slots, *values, *known):
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
        # Places and names are read in the whole text: a postcode tells a town, and 'Anna Bakker' a Bakker.
        words = [*find_places(plain, self._lexicon, self._places), *find_names(plain, self._lexicon, self._names)]
        free = []
        for span in words:
            if taken.find(1, span.start, span.end) < 0:
                taken[span.start : span.end] = b"\1" * (span.end - span.start)
                free.append(span)
        for span in sorted((*values, *known, *free), key=lambda span: span.start):
            value = text[span.start : span.end]
            slot = span.kind if span.kind.startswith("{{") else self._slot(span.kind, value)
            found.append((span.start, span.end, slot))
            self._remember(span.kind, value)
        parts: list[str] = []
        position = 0
        for start, end, slot in sorted(found):
            parts += [text[position:start], slot]
            position = end
        return "".join([*parts, text[position:]])

    def _known_people(self, text: str) -> Iterator[Span]:
        for names in (self._requester, self._people):
            if pattern := _alternatives(tuple(names)):
                found = [Span(match.start(), match.end(), names[match.group()]) for match in pattern.finditer(text)]
                text = masked(text, found)
                yield from found

    def _slot(self, kind: str, value: str) -> str:
        key = (family(kind), bare(kind, value))
        if key not in self._slot_of:
            number = 1 + sum(slot.startswith("{{" + kind + "_") for slot in self._slot_of.values())
            name = f"{kind}_{number}"
            self._slot_of[key] = "{{" + name + "}}"
            self.values[name] = value
        return self._slot_of[key]

    def _remember(self, kind: str, value: str) -> None:
        if kind == "place":
            self._places.add(value)
        elif kind in ("person", "surname") and len(value) > 2 and "." not in value:
            self._names.add(value)

    def fill(self, text: str) -> str:
        """The text with values in place of slots; a slot without a value becomes a blank such as `[reference]`."""

        def value(match: re.Match[str]) -> str:
            kind, number = match.group(1), match.group(2)
            known = self.values.get(f"{kind}_{number}" if number else kind) or self.values.get(f"{kind}_1", "")
            if known and (not number or f"{kind}_{number}" in self.values):
                return known
            if kind in ("first_name", "last_name"):
                return _GONE
            return blank_of(kind)

        # The space before a name that is not there goes with it: 'Hi {{first_name}},' becomes 'Hi,'.
        filled = re.sub(rf"(?m)^{_GONE} ?| ?{_GONE}", "", _SLOT.sub(value, text))
        return _TWO_NAMES.sub("[name]", filled)


def blank_of(kind: str) -> str:
    """What a person sees in place of a slot of that kind."""
    return _BLANK_OF.get(kind, "[" + kind.replace("_", " ") + "]")


def borrowed(reply: str, conversation: str) -> str:
    """A solved ticket's reply as another ticket may use it: its slots as far as they can only mean the same here.

    Greeting and signature do. A number, an address or a telephone does where each of the two has exactly one of its
    kind. A third person does not: that reply's neighbour is not this ticket's driver.

    Args:
        reply: Of the solved ticket, slots not filled.
        conversation: The ticket at hand, personal data as slots.
    """
    here, there = _kinds(conversation), _kinds(reply)

    def keep(match: re.Match[str]) -> str:
        kind = match.group(1)
        if kind in _SAME_EVERYWHERE:
            return match.group()
        alone = len(here.get(kind, ())) == 1 and len(there[kind]) == 1
        return next(iter(here[kind])) if alone and kind not in ("person", "surname") else blank_of(kind)

    return _TWO_NAMES.sub("[name]", _SLOT.sub(keep, reply))


def sourced(reply: str, conversation: str) -> str:
    """A reply to learn from: slots that its conversation does not hold become blanks.

    The writer knew that number or that name from elsewhere; a model that learned to write `{{phone_1}}` there would
    promise a value that nobody has.
    """
    here = set().union(*_kinds(conversation).values())

    def keep(match: re.Match[str]) -> str:
        known = match.group(1) in _SAME_EVERYWHERE or match.group() in here
        return match.group() if known else blank_of(match.group(1))

    return _TWO_NAMES.sub("[name]", _SLOT.sub(keep, reply))


def _kinds(text: str) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for match in _SLOT.finditer(text):
        kinds.setdefault(match.group(1), set()).add(match.group())
    return kinds


def _split_name(name: str) -> tuple[str, str]:
    """First name and the rest; titles left out, `Jansen, Anna` turned round, both empty where it is only an address."""
    family_name, comma, given = name.partition(",")
    if comma and given.strip():
        name = f"{given} {family_name}"
    words = _TITLES.sub("", name.strip(" ,")).split()
    if not words or "@" in name:
        return "", ""
    if name.islower():
        words = [word.capitalize() for word in words]
    return words[0], " ".join(words[1:])


@lru_cache(maxsize=64)
def _alternatives(names: tuple[str, ...]) -> re.Pattern[str] | None:
    """One pattern for all names, the longest first. Initials and one-letter names would hit everywhere."""
    alone = [_name_pattern(name) for name in sorted(names, key=len, reverse=True) if len(name) > 1]
    # Case matters: 'Will' is a name, 'will' is not.
    return re.compile(rf"(?<!\w)(?:{'|'.join(alone)})(?!\w)") if alone else None


def _name_pattern(name: str) -> str:
    return _NOT_A_DATE % re.escape(name) if name in _MONTHS else re.escape(name)
