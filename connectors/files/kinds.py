"""What stands in a cell: texts, times, flags and the like, from CSV's texts or from JSON's values."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

from connectors import clock, values

STATUSES = ("new", "open", "pending", "hold", "solved", "closed", "deleted")
# What other helpdesks call them.
_OTHER_STATUSES = {
    "resolved": "solved", "done": "solved", "fixed": "solved", "rejected": "closed", "archived": "closed",
    "on-hold": "hold", "on hold": "hold", "waiting": "pending", "unresolved": "open", "in progress": "open",
    "reopened": "open",
}  # fmt: skip
_YES, _NO = {"true", "1", "yes", "y", "t"}, {"false", "0", "no", "n", "f"}
_ROLES = {"agent": "agent", "admin": "agent", "staff": "agent", "requester": "requester", "end-user": "requester",
          "customer": "requester", "user": "requester"}  # fmt: skip
_MILLISECONDS = 1e11


def text(value: Any) -> str:
    """A text as it is, but without what a database does not take for text."""
    if isinstance(value, dict | list | bool):
        raise ValueError("not a text")
    return str(value).encode(errors="replace").decode().replace("\x00", "")


def identifier(value: Any) -> str | None:
    """An id; None where there is none."""
    if isinstance(value, dict | list | bool):
        raise ValueError("not an id")
    return values.identifier(text(value).strip() if isinstance(value, str) else value)


def word(value: Any) -> str | None:
    """A short text; None where there is none."""
    return text(value).strip() or None


def number(value: Any) -> int:
    """A whole number."""
    found = values.number(value.strip() if isinstance(value, str) else value)
    if found is None:
        raise ValueError("not a number")
    return found


def flag(value: Any) -> bool:
    """Yes or no."""
    if isinstance(value, bool):
        return value
    said = str(value).strip().lower()
    if said not in _YES | _NO:
        raise ValueError("neither yes nor no")
    return said in _YES


def status(value: Any) -> str:
    """One of our words for a ticket's state."""
    said = str(value).strip().lower()
    said = _OTHER_STATUSES.get(said, said)
    if said not in STATUSES:
        raise ValueError(f"none of {', '.join(STATUSES)}")
    return said


def role(value: Any) -> str:
    """Agent or requester."""
    said = _ROLES.get(str(value).strip().lower())
    if said is None:
        raise ValueError("neither agent nor requester")
    return said


def items(value: Any, separator: str = ",") -> tuple[str, ...]:
    """A list, such as tags: a JSON list, or a text with separators."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return tuple(one.strip() for one in text(value).split(separator) if one.strip())
    value = structure(value)
    if not isinstance(value, list):
        raise ValueError("not a list")
    return tuple(map(text, value))


def structure(value: Any) -> Any:
    """Any JSON value, also as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("not JSON") from None


def time(value: Any, form: str | None, zone: tzinfo) -> str:
    """A time, in the form that is given or in any that cannot be misread: ISO 8601, or Unix seconds.

    Args:
        form: As `datetime.strptime` takes it.
        zone: Of times that do not say it themselves.
    """
    try:
        if form:
            moment = datetime.strptime(str(value).strip(), form)  # noqa: DTZ007 - the zone follows
            return clock.to_iso(moment if moment.tzinfo else moment.replace(tzinfo=zone))
        written = str(value).strip()
        if written.replace(".", "", 1).isdecimal():
            seconds = float(written)
            return clock.from_epoch(seconds / 1000 if seconds >= _MILLISECONDS else seconds)
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            found = values.moment(written)
            if not found:
                raise
            return found
        return clock.to_iso(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError, OSError):
        why = f"not a time of the form {form}" if form else "not a time in ISO 8601; say how it is written by a format"
        raise ValueError(why) from None


KINDS: dict[str, Callable[[Any], Any]] = {
    "id": identifier, "text": text, "word": word, "number": number, "flag": flag, "status": status, "role": role,
    "json": structure,
}  # fmt: skip
