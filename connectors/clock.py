"""Times as the store keeps them: ISO 8601, UTC, whole seconds, ending in `Z`, so that they sort as text."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def now() -> str:
    """The present moment, such as `2026-11-24T08:15:00Z`."""
    return to_iso(datetime.now(UTC))


def to_iso(moment: datetime) -> str:
    """A moment as the store keeps it; naive values are taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def from_iso(text: str) -> datetime:
    """Reads any ISO 8601 time; without a zone it is taken as UTC.

    Raises:
        ValueError: Not a time.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def from_epoch(seconds: float) -> str:
    """Unix seconds as the store keeps a time."""
    return to_iso(datetime.fromtimestamp(seconds, UTC))


def to_epoch(text: str) -> int:
    """Unix seconds of an ISO 8601 time, rounded down."""
    return math.floor(from_iso(text).timestamp())
