"""Texts of tickets: what the author of a mail wrote themselves, and in which language."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

# No two repetitions here can match the same character: a mail of 20,000 line breaks must not take minutes.
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")
_SENT_FROM = re.compile(
    r"(?im)^[^\S\n]*(?:sent from (?:my|outlook)|get outlook for|von meinem \w+ gesendet|gesendet von"
    r"|(?:verstuurd|verzonden) vanaf).*$"
)
_ATTRIBUTION = re.compile(r"(?m)^\S.{5,200}:\Z|^-{3,30}[^-\n][^\n]{2,40}-{3,30}\Z")
# A slot and a blank are one word each: one thing to change, or to leave.
_WORD = re.compile(r"\{\{\w+\}\}|\[[a-z][a-z ]{2,20}\]|\w+(?:['\u2019]\w+)?|[^\w\s]")
# A sentence or two tell a language; the time it takes grows with the length.
_LANGUAGE_CHARACTERS = 400
_LIKELY, _FEWEST_WORDS = 0.5, 3
_SURE, _SURE_WORDS = 0.98, 10
# RFC 3676, section 4.3: below two dashes and a blank there is a signature.
_SIGNATURE = re.compile(r"(?m)^-- ?$")
# What quotequail takes for the beginning of a quote ends or begins like this. It tries fifty expressions on every line,
# and most messages quote nothing.
_MAY_QUOTE = re.compile(r"(?m)[:>][^\S\n]*$|^[^\S\n]*>?[^\S\n]*(?:_{4}|---)")
_QUOTEQUAIL_LINES = 1000


def own_words(text: str, *, first: bool = False) -> str:
    """What the author wrote: quoted history, signatures below `-- ` and 'Sent from my phone' lines left out.

    Args:
        text: One comment's plain text.
        first: It opens the ticket. There is no history yet, so what it quotes (a shop's mail, say) is what the customer
            wants to show, and stays.
    """
    if not first and (_MAY_QUOTE.search(text) or text.count("\n") >= _QUOTEQUAIL_LINES - 1):
        import quotequail

        parts = quotequail.quote(text)
        own = "\n".join(part for shown, part in parts if shown)
        if len(parts) > 1:
            own = _ATTRIBUTION.sub("", own.rstrip())  # 'On Tuesday Anna wrote:', whose quote is gone
        text = own if own.strip() else text
    if signed := _SIGNATURE.search(text):
        text = text[: signed.start()].rstrip() or text
    return _tidy(_SENT_FROM.sub("", text)) or text.strip()


def _tidy(text: str) -> str:
    return _BLANK_LINES.sub("\n\n", text).strip()


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def identify(text: str) -> tuple[str, bool]:
    """ISO 639-1 code of a text's language and whether it is nearly certain; ("", False) where nothing can be said."""
    length = len(text.split())
    if length < _FEWEST_WORDS:
        return "", False
    code, probability = _identifier().classify(text[:_LANGUAGE_CHARACTERS])
    if probability <= _LIKELY:
        return "", False
    return str(code), length >= _SURE_WORDS and probability > _SURE


def language_of(text: str, *, fallback: str = "en") -> str:
    """ISO 639-1 code of a text's language; very short texts are too uncertain and get the fallback."""
    return identify(text)[0] or fallback


def in_another_language(text: str, other: str) -> bool:
    """Whether two texts are both surely of some language, and not of the same."""
    (language, surely), (wanted, wanted_surely) = identify(text), identify(other)
    return surely and wanted_surely and language != wanted


def words(text: str) -> list[str]:
    """Words and punctuation marks, the units of edit effort."""
    return _WORD.findall(text)


def cut_words(text: str, limit: int) -> str:
    """The first `limit` words, with an ellipsis where something was cut; line breaks stay."""
    pieces = re.split(r"(\s+)", text)
    if len(pieces) <= 2 * limit:
        return text
    return "".join(pieces[: 2 * limit - 1]) + " …"
