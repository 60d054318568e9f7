"""Single values of a helpdesk's JSON: ids, times, numbers, texts, whatever type they came in."""

from __future__ import annotations

import email.utils
import re
from datetime import datetime
from typing import Any

from markdownify import markdownify

from connectors import clock

_BLANK_LINES = re.compile(r"\n{3,}")
_CANONICAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_NAMED_ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$")


def key(item: dict[str, Any], name: str = "id") -> str:
    """The id that a record cannot do without.

    Raises:
        KeyError: It has none.
    """
    found = identifier(item[name])
    if found is None:
        raise KeyError(name)
    return found


def identifier(value: object) -> str | None:
    """An id as text; None where there is none."""
    if value is None or value == "":
        return None
    # JSON that went through a table has 35436.0 for 35436.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def text(value: object) -> str:
    """A text without space around it; empty for null."""
    return "" if value is None else _storable(str(value)).strip()


def objects(value: object) -> list[dict[str, Any]]:
    """The objects in a list; what else is in it is left out."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def number(value: object) -> int | None:
    """A whole number, also one that came as text; None for anything else."""
    if type(value) is int or value is None:
        return value
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return None


def moment(value: object) -> str | None:
    """A time as the store keeps it; None where it is none. What is in that form already is only checked."""
    if not value:
        return None
    if isinstance(value, str) and _CANONICAL_TIME.fullmatch(value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return None
        return value
    return _odd_time(str(value).strip())


def _odd_time(written: str) -> str | None:
    """Unix seconds; other forms of ISO 8601; `2012/04/24 01:04:50 +0000`; a mail's `Tue, 24 Apr 2012 01:04:50 GMT`."""
    try:
        if written.replace(".", "", 1).isdecimal():
            return clock.from_epoch(float(written))
        return clock.to_iso(clock.from_iso(_NAMED_ZONE.sub("+00:00", written.replace("/", "-"))))
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return clock.to_iso(email.utils.parsedate_to_datetime(written))
    except (ValueError, TypeError, OverflowError):
        return None


def _storable(words: str) -> str:
    """Without what a database takes for no text: NUL, and halves of an emoji, which a cut at n characters leaves."""
    if not words.isascii():
        words = words.encode(errors="replace").decode()
    return words.replace("\x00", "")


def plain(words: str) -> str:
    """A text with plain line ends and spaces, no NUL, and at most one blank line in a row."""
    words = _storable(words).replace("\r\n", "\n").replace("\xa0", " ")
    return (_BLANK_LINES.sub("\n\n", words) if "\n\n\n" in words else words).strip()


def trimmed(words: str) -> str:
    """Without the blank at either end of each line that HTML read as text leaves; deeper indents stay."""
    if " \n" not in words and "\n " not in words:
        return words
    lines = words.split("\n")
    return "\n".join(line.rstrip(" ") if line.startswith("   ") else line.strip(" ") for line in lines)


def from_html(source: str) -> str:
    """HTML as plain text that keeps its paragraphs and lists."""
    if not source:
        return ""
    return plain(markdownify(source, strip=["a", "img", "strong", "em", "b", "i"]))
