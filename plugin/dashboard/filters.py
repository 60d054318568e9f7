"""How the templates write figures, times and states."""

from __future__ import annotations

import time
from typing import Any

from markupsafe import Markup

from connectors import clock

NONE = "-"
KINDS = {
    "as_is": "sent as it was",
    "edited": "edited",
    "ignored": "not used",
    "withheld": "withheld",
    "silent": "silent",
    "": "no reply yet",
}
SILENCES = {
    "no_similar": "nothing like it was answered before",
    "unsure": "the draft would probably be rewritten",
    "leak": "the draft held somebody else's data",
    "language": "the draft was not in the customer's language",
    "empty": "the model wrote nothing",
    "switched_off": "drafts are switched off for its group",
    "unknown": "from before reasons were kept",
}


def share(value: float | None) -> str:
    """0.123 is `12%`; `-` for none."""
    return NONE if value is None else f"{value:.0%}"


def when(text: str | None) -> Markup | str:
    """A moment as people read it anywhere: `2026-11-24 08:15`, UTC, with the exact one for machines."""
    if not text:
        return NONE
    return Markup('<time datetime="{}">{}</time>').format(text, text[:16].replace("T", " "))


def ago(seconds: float) -> str:
    """How long since a moment in Unix seconds, roughly."""
    return duration(max(0.0, time.time() - seconds)) + " ago"


def since(text: str | None) -> str:
    """How long since an ISO 8601 moment, roughly; empty for none."""
    return ago(clock.to_epoch(text)) if text else ""


def duration(seconds: float | None) -> str:
    """Roughly: `40 s`, `12 min`, `3 h`, `5 days`; `-` for none."""
    if seconds is None:
        return NONE
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length or (unit != "days" and seconds >= length):
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def kind(value: str | None) -> str:
    """An outcome in words."""
    return KINDS.get(value or "", str(value))


def silence(value: str) -> str:
    """Why a suggestion is silent, in words."""
    return SILENCES.get(value, value or SILENCES["unknown"])


ALL: dict[str, Any] = {
    "share": share, "when": when, "ago": ago, "since": since, "duration": duration, "kind": kind, "silence": silence,
}  # fmt: skip
