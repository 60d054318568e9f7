"""Recognisers: where a text holds addresses, numbers and secrets, by form, by checksum or by the word before them.

People and places are found in `trainer.privacy.names`. Everything here reads what customers write: every repetition is
bounded or has but one way to match, else a pasted log of 20 KB keeps a worker busy for minutes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import phonenumbers
from stdnum import iban, luhn
from stdnum.eu import vat

from trainer.privacy.references import IS, Form, Span, cued_references, find_forms

_LETTERED = (
    r"\b[A-Z]{2}[ ]?\d(?:[ ]?\d){8}[ ]?[A-Z]{2}\b|\b[A-Za-z]{2}\d{9}[A-Za-z]{2}\b"  # a parcel's number (UPU S10)
    r"|\b(?=[A-Za-z-]{0,20}\d[A-Za-z-]{0,20}\d)[A-Z]{1,5}-?(?=[A-Z-]{0,20}\d)[A-Z0-9]{4,30}(?:-[A-Z0-9]{1,20}){0,6}\b"
    r"|\b[a-z]{1,2}-\d{4,12}(?:-\d{1,12})?\b"
)
_DIGITS = r"\b\d{7,20}\b"
REFERENCE = re.compile(f"{_LETTERED}|{_DIGITS}")
# The part before the @ may be missing: 'an address that ends in @mail.example'.
EMAIL = re.compile(r"(?<![\w.+'-])[\w.+'-]{0,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
LINK = re.compile(
    r"(?:\b(?:https?://|www\.)|(?<![\w@.-])(?:[\w-]{1,63}\.){1,4}(?:(?:com|net|org|eu|example)\b(?!@)|[a-z]{2}(?=/\w)))"
    r"(?:[^\s<>()\"']*[^\s<>()\"'.,;:!?])?"
)
_DATE = r"(?:0?[1-9]|[12]\d|3[01])[/-](?:0?[1-9]|1[0-2])[/ -](?:19|20)?\d\d(?![\d/-])"
PHONE = re.compile(
    rf"(?<![\w.-])(?!{_DATE})(?:\+|00|0)\d(?:[ \u00a0/()-]{{0,2}}\d){{6,12}}(?!\w)"
    r"|(?<![\w.-])0\d(?:\.\d\d){4}(?![\w.])"
)
# Without a 0 or a + in front it may be anything: only what a numbering plan really has (see `_is_telephone`).
_PHONE_PLAIN = re.compile(r"(?<![\w.,/€$£-])(?:\(\d{3}\) ?|\d{3}[ -])\d{3}-\d{4}(?![\w-])")

_UPPER = r"[A-ZÀ-ÖØ-ÞĆČĐĞİŁŃŐŘŚŞŠŰŹŻŽȘȚ]"
_CAPITALISED = rf"{_UPPER}[\w'\u2019-]{{0,40}}"
_STREET_EN = (
    r"(?:Street|Road|Lane|Avenue|Close|Drive|Court|Terrace|Way|Square|Crescent|Gardens|Mews|Grove|Boulevard|Place"
    r"|(?:St|Rd|Ln|Ave|Dr|Ct|Blvd)\b\.?)"
)
_FLAT = r"(?:(?:Flat|Apt\.?|Apartment|Suite|Unit)\s\d{1,4}[A-Za-z]?)"
_NUMBER = r"\d{1,4}(?:\s?[a-zA-Z]\b|\b)(?:-\d{1,4}\b)?"
_SUFFIX = (
    r"(?:straat|weg|laan|plein|gracht|kade|singel|dijk|dreef|steeg"
    r"|straße|strasse|str\.|gasse|allee|platz|ring|ufer|damm)"
)
_DUTCH = r"\d{4}\s?[A-Z]{2}\b"
_ADDRESS = re.compile(
    # Hoevenseweg 88, Burgemeester de Raadtsingel 61, Gumpendorfer Straße 9
    rf"(?<![\w'\u2019-])(?:{_CAPITALISED}\s(?:(?:de|van|der|den)\s){{0,2}})?{_CAPITALISED}{_SUFFIX}\s{_NUMBER}"
    rf"|(?<![\w'\u2019-])(?:{_CAPITALISED}\s){{1,2}}(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Markt|Plein)\s{_NUMBER}"
    rf"|(?<![\w'\u2019-])(?:Am|An\sde[rm]|Auf\sde[rm]|Im|Zum|Zur|In\sde[rn])\s{_CAPITALISED}(?:\s{_CAPITALISED})?\s{_NUMBER}"
    # 12 Old Mill Road; Flat 3, 27 Kingsley Avenue; 1500 Harbor Blvd, Suite 210; 4 The Crescent
    rf"|(?<![\w'\u2019-])(?:{_FLAT},\s)?\d{{1,5}}[a-zA-Z]?\s(?:{_CAPITALISED}\s){{1,3}}{_STREET_EN}(?![\w-])(?:,\s{_FLAT})?"
    rf"|(?<![\w'\u2019-])(?:{_CAPITALISED}\s){{1,2}}{_STREET_EN}\s\d{{1,4}}[a-zA-Z]?\b(?:-\d{{1,4}})?"
    # 12 rue des Lilas, 5 bis avenue Victor Hugo
    r"|\b\d{1,4}(?:\s(?:bis|ter))?,?\s(?:rue|avenue|boulevard|allée|chemin|impasse|quai|place)"
    rf"(?:\s(?:de\sla|de\sl'|des|du|de|la|le))?\s{_CAPITALISED}(?:\s{_CAPITALISED})?"
    # Coolsingel 40 and Weena 505 are known by the postcode after them
    rf"|(?<![\w'\u2019-])(?:{_CAPITALISED}\s){{1,3}}{_NUMBER}(?=,?\s{{1,2}}{_DUTCH})"
    r"|(?i:\b(?:P\.?\s?O\.?\sBox|Postbus|Postfach)\s)\d{1,6}(?:\s\d{2}){0,3}\b"
    # a street of which no number is said; 'Umweg' and 'Parkplatz' end like streets, so fewer endings
    r"|(?<![\w'\u2019-])(?!Einbahn|Haupt|Neben|Seiten|Quer|Bundes|Wasser|Winkel|Koop|Pro|Schnell|Zufahrts|Sack)"
    rf"{_CAPITALISED}(?:straat|laan|gracht|singel|kade|straße|strasse)\b"
)
_POSTCODE = re.compile(
    # 2026 UK is a year and a country
    rf"\b(?!(?:19|20)\d\d\s(?:UK|EU|US|IT|AT|NL|BE|DE|CH|FR|AM|PM)\b)(?:NL-)?{_DUTCH}"
    r"|\b[A-Z]{1,2}\d[\dA-Z]?\s\d[A-Z]{2}\b"
    r"|\b(?:D|DE|F|FR|I|IT)-\d{5}\b|\b(?:B|A|CH|L|DK|AT|BE)-\d{4}\b"
    r"|\b(?:A[LKZR]|C[AOT]|DE|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY])"
    r"\s\d{5}(?:-\d{4})?\b"
)

_MONTH = r"(?:jan|feb|m(?:är|aa|a)?r|apr|ma[iy]|mei|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zäé]{0,7}\.?"
_BIRTHDAY = (
    rf"(?:\d{{1,2}}[./-]\d{{1,2}}[./-](?:19|20)?\d\d|\d{{1,2}}(?:st|nd|rd|th)?\.?\s{_MONTH}\s(?:19|20)\d\d"
    r"|(?:19|20)\d\d-\d\d-\d\d)"
)
Check = Callable[[str], bool]


def _any(_value: str) -> bool:
    return True


def _is_iban(value: str) -> bool:
    bare = re.sub(r"\W", "", value)
    # A mistyped one is still somebody's account: the country's length tells it from a parcel's number.
    return bool(iban.is_valid(bare, check_country=False)) or (
        bare[:2] in _IBAN_LENGTH and len(bare) == _IBAN_LENGTH[bare[:2]]
    )


_IBAN_LENGTH = {
    "AT": 20, "BE": 16, "CH": 21, "CZ": 24, "DE": 22, "DK": 18, "ES": 24, "FI": 18, "FR": 27, "GB": 22, "HU": 28,
    "IE": 22, "IT": 27, "LU": 20, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "TR": 26,
}  # fmt: skip
"""Characters of an IBAN by country, ISO 13616; the countries that a European desk meets."""


def _is_card(value: str) -> bool:
    bare = re.sub(r"\D", "", value)
    return 13 <= len(bare) <= 19 and bare[0] in "3456" and bool(luhn.is_valid(bare))


def _is_vat(value: str) -> bool:
    bare = re.sub(r"\W", "", value).upper()
    # Northern Ireland aside, the UK left the EU's register, and its numbers have their own checksum.
    return bool(vat.is_valid(bare)) or bool(re.fullmatch(r"GB\d{9}(?:\d{3})?|CHE\d{9}(?:MWST|TVA|IVA)", bare))


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return value.count(":") >= 2 or value.count(".") == 3


def _is_telephone(value: str) -> bool:
    try:
        number = phonenumbers.parse(value, "US")
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number(number)


def _has_digits(value: str) -> bool:
    return sum(character.isdigit() for character in value) >= 2


def _is_secret_link(value: str) -> bool:
    """It opens something for whoever has it: a token in its query, or a part that nobody could have chosen."""
    if re.search(
        r"(?i)[?&#;](?:[\w-]*(?:token|key|sig|signature|auth|session|code|password|pw|secret|hash))=[^&]{4}", value
    ):
        return True
    return any(
        len(part) >= 16 and re.search(r"\d", part) and re.search(r"[a-z]", part) and not REFERENCE.fullmatch(part)
        for part in re.split(r"[/?&=#;.]", value)
        if "-" not in part
    )


@dataclass(frozen=True, slots=True)
class _Recogniser:
    """A pattern, and what else must hold of its value.

    Attributes:
        hints: One of them is in every text, in lower case, that the pattern matches; most texts have none, and looking
            for a plain string takes a hundredth of the time.
    """

    kind: str
    pattern: re.Pattern[str]
    holds: Check = _any
    hints: tuple[str, ...] = ()


def _cue(words: str, value: str) -> re.Pattern[str]:
    return re.compile(rf"(?i:\b(?:{words}){IS}(?:(?:der|the|den|am|op|on|de|le)\s)?)(?P<value>{value})")


_PASSWORD = _cue(r"pass(?:word|code)|passwor[dt]|wachtwoord|kennwort", r"(?=\S{0,30}[\d!?#$%&*])\S{4,30}(?<![.,;:])")
_PIN = _cue(
    r"(?:gate|door|access|entry|pick-?up|collection|alarm|pin|security|verification|toegangs?|ophaal|afhaal|deur|poort"
    r"|zugangs|abhol|tür|tor)[ -]?(?:code|pin)|pin(?:code)?",
    r"(?=[A-Za-z-]{0,8}\d)[A-Za-z0-9-]{3,12}#?",
)
_IDENTITY = _cue(
    r"bsn|burgerservicenummer|sofi-?nummer|steuer(?:nummer|-?id(?:nr\.?)?)|identifikationsnummer|ssn"
    r"|social security number|national insurance number|(?:passport|id(?:entity)?[ -]card)[ -](?:number|no\.?)"
    r"|paspoortnummer|ausweisnummer|reisepassnummer|driving licence number|rijbewijsnummer",
    r"(?=[A-Za-z]{0,6}\d)[A-Za-z0-9]{6,14}",
)
_BORN = _cue(r"date of birth|dob|born|birthday|geboortedatum|geboren|geburtsdatum|née?", rf"(?i:{_BIRTHDAY})")
_USERNAME = re.compile(
    r"(?i:\b(?:user ?(?:name|id)|login(?: name)?|screen name|gebruikersnaam|inlognaam|benutzername|nutzername))"
    r"(?:\s?[:=]\s?|\s(?:is|ist|lautet|was|war)\s|\s(?=[\w.-]{0,30}[\d_]))(?P<value>(?=[\w.-]{0,30}[a-z])[\w.-]{3,30}(?<!\.))"
)
# Three groups with dashes, letters and digits apart, as the Dutch and Belgian registers give them out.
_PLATE = re.compile(
    r"(?<![\w-])(?!\d+-\d+-\d+(?!\w))(?:[A-Z]{1,3}|\d{1,3})-(?:[A-Z]{2,3}|\d{2,3})-(?:[A-Z]{1,3}|\d{1,3})(?![\w-])"
)
# Elsewhere plates look like too much else: only where one is spoken of.
_PLATE_CUED = re.compile(
    r"(?i:\b(?:number ?plates?|licen[cs]e plates?|registration|kenteken|nummerplaat|kennzeichen)\b[^\w\n]{0,3}"
    r"(?:(?:is|was|war|lautet|number)\s)?)(?P<value>[A-ZÄÖÜ]{1,3}[- ]?[A-Z0-9]{1,4}[- ]?[A-Z0-9]{1,4})(?![\w-])"
)
_VAT = re.compile(r"\b(?:[A-Z]{2}U?|CHE-)\s?\d[\dB]{2}(?:[ .]?[\dB]{2,4}){2,3}(?:\s?(?:MWST|TVA))?(?!\w)")

# In this order: an IBAN looks like a reference too, and so does the end of a telephone number.
_FIRST = (
    _Recogniser("email", EMAIL, hints=("@",)),
    _Recogniser("link", LINK, _is_secret_link, ("://", "www.", "/")),
    _Recogniser("code", _PASSWORD, hints=("passw", "passc", "wachtwoord", "kennwort")),
    _Recogniser("code", _PIN, _has_digits, ("code", "pin")),
    _Recogniser("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), _is_iban),
    _Recogniser("card", re.compile(r"(?<![\w-])[3-6]\d{3}(?:[ -]?\d{2,6}){2,5}\b"), _is_card),
    _Recogniser("vat_number", _VAT, _is_vat),
    _Recogniser("id_number", re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")),
    _Recogniser("id_number", _IDENTITY, hints=("bsn", "number", "nummer", "-nr", "-id", "ssn", " no", "ausweis")),
    _Recogniser("date_of_birth", _BORN, hints=("born", "birth", "dob", "gebo", "gebu", "né")),
    _Recogniser("username", _USERNAME, hints=("user", "login", "screen", "naam", "name")),
    _Recogniser("username", re.compile(r"(?<![\w@./])@[A-Za-z][\w.]{2,29}(?<!\.)(?![\w@])"), hints=("@",)),
)
_THEN = (
    _Recogniser("reference", re.compile(_LETTERED)),
    _Recogniser("plate", _PLATE_CUED, _has_digits, ("plate", "registration", "kenteken", "nummerplaat", "kennzeichen")),
    _Recogniser("plate", _PLATE, lambda value: any(character.isalpha() for character in value)),
    _Recogniser(
        "ip_address",
        re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7})(?![\w:]|\.\d)"),
        _is_ip,
    ),
    _Recogniser("phone", PHONE),
    _Recogniser("phone", _PHONE_PLAIN, _is_telephone),
    _Recogniser("reference", re.compile(_DIGITS)),
    _Recogniser("address", _ADDRESS),
    _Recogniser("postcode", _POSTCODE),
)
_WITHOUT_DIGITS = frozenset(("email", "link", "code", "username", "address"))
_VERSION_BEFORE = re.compile(r"(?i)\b(?:v|version|versie|release|api)\.?\s?$")


def find_values(text: str, forms: Sequence[Form] = (), *, typed: bool = False) -> list[Span]:
    """Stretches that hold contact data, numbers and secrets; they do not overlap, and come in no order.

    Args:
        forms: The desk's own numbers, most certain first.
        typed: Name a number by its role where a word before it says so (`order_number`); `reference` otherwise.
    """
    found: list[Span] = []
    lowered = text.lower()
    has_digits = any(character.isdigit() for character in text)
    steps: list[Callable[[str], Iterator[Span]]] = [
        partial(_apply, recogniser=one) for one in _FIRST if _may_match(one, lowered, has_digits)
    ]
    if has_digits:
        steps += [partial(find_forms, forms=forms, typed=typed)]
        steps += [partial(cued_references, typed=typed)]
    steps += [partial(_apply, recogniser=one) for one in _THEN if _may_match(one, lowered, has_digits)]
    for step in steps:
        # What is found is taken out before the next one looks, else it would be in the way: an address may well start
        # with a capitalised word, but not with the tracking number before it.
        if new := list(step(text)):
            found += new
            text = masked(text, new)
    return found


def _may_match(recogniser: _Recogniser, lowered: str, has_digits: bool) -> bool:
    if not has_digits and recogniser.kind not in _WITHOUT_DIGITS:
        return False
    return not recogniser.hints or any(hint in lowered for hint in recogniser.hints)


def masked(text: str, spans: Iterable[Span]) -> str:
    """The text with something in place of spans that no recogniser takes for a letter or a digit."""
    parts: list[str] = []
    position = 0
    for span in sorted(spans, key=lambda span: span.start):
        parts += [text[position : span.start], "\0" * (span.end - span.start)]
        position = span.end
    return "".join([*parts, text[position:]])


def _apply(text: str, recogniser: _Recogniser) -> Iterator[Span]:
    group = "value" if "value" in recogniser.pattern.groupindex else 0
    for match in recogniser.pattern.finditer(text):
        start, end = match.span(group)
        if recogniser.kind == "ip_address" and _VERSION_BEFORE.search(text, max(0, start - 12), start):
            continue
        if recogniser.holds(text[start:end]):
            yield Span(start, end, recogniser.kind)


def bare(kind: str, value: str) -> str:
    """Without case, blanks and separators: `06-5550 1287` and `0655501287` are the same number.

    Of a telephone number the national part counts, as its numbering plan has it: `+31 (0)6 5550 1287` is that one too.
    """
    if kind == "phone":
        return _national_number(value)
    if kind == "code":
        return value
    return re.sub(r"[\s/().-]", "", value).lower()


def _national_number(value: str) -> str:
    try:
        # The region only tells what a 0 and 00 in front mean, and that is the same in almost all of Europe.
        return str(phonenumbers.parse(value, "NL").national_number)
    except phonenumbers.NumberParseException:
        return re.sub(r"\D", "", value)
