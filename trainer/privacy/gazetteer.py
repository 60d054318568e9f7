"""Names of people and places in general, out of Faker's lists (MIT), and the words that only look like names.

Faker makes up test data; its lists hold some 30,000 given names of 70 countries and the places of the Netherlands,
Belgium, Germany and others, in two megabytes and without a model. What a desk knows of its own people is in
`trainer.privacy.lexicon`, and worth more.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from trainer.privacy.word_lists import COUNTRIES, MONTHS, NO_NAMES, NO_PLACES, TOWNS, TOWNS_OF_TWO_WORDS

_GIVEN = ("first_names", "first_names_male", "first_names_female", "first_names_nonbinary", "first_names_unisex")
# The 'en' list holds 6,800 first names of anybody, 'Paris' and 'Sunday' among them; English-speaking countries have
# lists of their own.
_WITHOUT = frozenset(("en", "es_CA", "en_TH"))
_LATIN = re.compile(r"[^\W\d_](?:[^\W\d_]|['\u2019 -](?=[^\W\d_]))+")


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """Names in `folded` form; `starts` has the first words of the places."""

    given: frozenset[str]
    family: frozenset[str]
    places: frozenset[str]
    starts: frozenset[str]


def folded(name: str) -> str:
    """Without case and accents: `Inès` and `INES` are the same name."""
    return _folded(name) if not name.isascii() else name.lower()


@lru_cache(maxsize=65_536)
def _folded(name: str) -> str:
    bare = unicodedata.normalize(
        "NFKD", name.replace("\u0131", "i").replace("ł", "l").replace("ø", "o").replace("\u2019", "'")
    )
    return "".join(character for character in bare if not unicodedata.combining(character)).casefold()


@lru_cache(maxsize=1)
def gazetteer() -> Gazetteer:
    """All names that Faker knows in Latin script; takes about two seconds the first time."""
    from faker.providers import address, person

    given: set[str] = set()
    family: set[str] = set()
    places = set(TOWNS | TOWNS_OF_TWO_WORDS)
    for provider in _providers(person):
        for attribute in _GIVEN:
            given.update(_latin(getattr(provider, attribute, ())))
        family.update(_latin(getattr(provider, "last_names", ())))
    for provider in _providers(address, only=("nl_NL", "nl_BE", "de_DE", "de_AT", "de_CH", "pl_PL")):
        places.update(_latin(getattr(provider, "cities", ()) or getattr(provider, "city_names", ())))
    towns = frozenset(map(folded, places)) - frozenset(map(folded, COUNTRIES)) - NO_PLACES - NO_NAMES
    return Gazetteer(
        frozenset(name for name in map(folded, given) if len(name) > 2) - NO_NAMES - MONTHS,
        frozenset(name for name in map(folded, family) if len(name) > 2) - NO_NAMES - MONTHS,
        towns,
        frozenset(re.split(r"[\W_]", town)[0] for town in towns),
    )


def _providers(package: Any, only: Iterable[str] = ()) -> Iterable[Any]:
    for module in pkgutil.iter_modules(package.__path__):
        if module.ispkg and module.name not in _WITHOUT and (not only or module.name in only):
            yield importlib.import_module(f"{package.__name__}.{module.name}").Provider


def _latin(names: Any) -> set[str]:
    if not isinstance(names, dict | list | tuple | set):  # a method or a property in some languages
        return set()
    found = set()
    for name in names:
        if isinstance(name, tuple | list):
            name = name[0]
        if _LATIN.fullmatch(name) and name[:1].isupper() and "LATIN" in unicodedata.name(name[0], ""):
            found.add(name)
    return found
