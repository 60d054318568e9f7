"""Numbers that a word before them or the desk's own habit makes known: orders, invoices, claims and their like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, in characters, and the kind of personal data in it."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Form:
    """What one of the desk's own numbers looks like, learned from its repetition: `FWP-` and six digits, say."""

    kind: str
    pattern: re.Pattern[str]


IS = r"(?:\s{0,2}(?:[:=]|is|was|ist|war|lautet|luidt)){0,2}\s{0,2}"


# A number's role, by the word before it; without a number's word ('order' alone) it must be long.
ROLES = {
    "order_number": r"order|bestelling|bestel|bestellung|bestell|auftrag|auftrags|commande|purchase",
    "tracking_number": (
        r"track(?:ing|[ -](?:and|&)[ -]trace)?|parcel|package|shipment|consignment|barcode|label|pakket|pakje"
        r"|zending|zendings|paket|sendung|sendungs|colis"
    ),
    "invoice_number": r"invoice|factuur|rechnung|rechnungs|facture|bill|credit note|creditnota",
    "customer_number": r"customer|account|client|member(?:ship)?|klant|klanten|kunden?|mitglieds|konto",
    "claim_number": r"claim|case|ticket|complaint|dossier|zaak|melding|klacht|schadens?|fall|vorgangs?|ticket",
    "return_number": r"return|retour|retouren?|rücksende?|rma",
}  # fmt: skip
_NUMBER_WORD = r"(?:[ -]?(?:numbers?|no\.?|nr\.?|nummer|code|id|ref(?:erence)?|kenmerk))"
_REFERRED = r"#?(?=[A-Za-z./-]{0,12}\d)[A-Za-z0-9]{1,20}(?:[/-][A-Za-z0-9]{1,20}){0,4}(?![\w@]|[.,]\d)"
_ROLE = {kind: re.compile(rf"(?i:\b(?:{words}){_NUMBER_WORD}?{IS})$") for kind, words in ROLES.items()}
_CUED = re.compile(
    rf"(?i:\b(?:{'|'.join(ROLES.values())})(?P<word>{_NUMBER_WORD}?{IS}))(?P<value>{_REFERRED})"
    r"|(?<![\w&])(?P<hash>#\d{4,12})\b"
)
_NUMBER_SAID = re.compile(r"(?i)[#:=]|n[or]|num|code|id|ref|kenmerk|is|ist|lautet")


def cued_references(text: str, typed: bool) -> Iterator[Span]:
    """Numbers with a word before them: `order no. 48211`. `order 100 labels` and `invoice of 2026` are none."""
    for match in _CUED.finditer(text):
        group = "hash" if match["hash"] else "value"
        start, end = match.span(group)
        digits = sum(character.isdigit() for character in text[start:end])
        said = group == "hash" or _NUMBER_SAID.search(match["word"]) or text[start] == "#"
        if digits < (3 if said else 5):
            continue
        yield Span(start, end, role_before(text, start) if typed else "reference")


def role_before(text: str, position: int) -> str:
    """The role that the words just before a number give it, `reference` where they give none."""
    before = text[max(0, position - 40) : position]
    return next((kind for kind, pattern in _ROLE.items() if pattern.search(before)), "reference")


def find_forms(text: str, forms: Sequence[Form], typed: bool) -> Iterator[Span]:
    """Numbers of the desk's own forms."""
    for form in forms:
        for match in form.pattern.finditer(text):
            yield Span(match.start(), match.end(), form.kind if typed else "reference")


def family(kind: str) -> str:
    """Kinds whose values are told apart by the value alone: a number without a word before it keeps its first role."""
    if kind == "reference" or kind in ROLES:
        return "reference"
    return "person" if kind == "surname" else kind
