"""What pages read from an address or a form, and what they say after one was taken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import request

from connectors import clock
from connectors.store.review import By

# Named in the address, so that nobody can put words of theirs on our page.
_NOTICES = {
    "saved": "Saved. The next ticket is handled by these settings.",
    "unchanged": "Nothing was different, so nothing was changed.",
    "promoted": "This version is live. The workers pick it up by themselves.",
    "rolled-back": "The version before is live again. The workers pick it up by themselves.",
    "retried": "Back in the queue.",
    "gone": "It is no longer among the dead letters.",
    "out": "You are logged out.",
}
_PERIODS: dict[str, tuple[str, int, By]] = {
    "4w": ("4 weeks", 28, "day"),
    "12w": ("12 weeks", 84, "week"),
    "1y": ("a year", 365, "month"),
    "all": ("all", 0, "month"),
}
MAX_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Period:
    """Which replies count.

    Attributes:
        key: As it stands in the address.
        since: ISO 8601; empty for all.
        by: In what steps things are shown over time.
    """

    key: str
    since: str
    by: By
    choices: tuple[tuple[str, str], ...] = tuple((key, one[0]) for key, one in _PERIODS.items())


def notice(key: str) -> str:
    """What a page says after a form was taken; empty for no or an unknown key."""
    return _NOTICES.get(key, "")


def period() -> Period:
    """The period that the address asks for, 12 weeks where it asks for none."""
    key = request.args.get("period", "")
    key = key if key in _PERIODS else "12w"
    _, days, by = _PERIODS[key]
    since = clock.to_iso(datetime.now(UTC) - timedelta(days=days)) if days else ""
    return Period(key, since, by)


def page() -> int:
    """The number of a list's page, from 1 on."""
    text = request.args.get("page", "")
    return min(MAX_PAGE, max(1, int(text))) if text.isdecimal() and len(text) <= 6 else 1


def choice(name: str, known: Collection[str]) -> str:
    """One of the values that are known, else empty."""
    value = request.args.get(name, "")
    return value if value in known else ""


def share(text: str) -> float:
    """Reads a percentage as people write it: `5`, `5 %`, `2,5` and `2.5%`.

    Raises:
        ValueError: It is none, or not between 0 and 100.
    """
    number = float(text.strip().removesuffix("%").strip().replace(",", "."))
    if not 0 <= number <= 100:
        raise ValueError(f"{number} is not between 0 and 100")
    return round(number / 100, 6)


def percent(value: float) -> str:
    """A share as the forms show it, without the sign: 0.025 is `2.5`."""
    return f"{100 * value:.4f}".rstrip("0").rstrip(".")
