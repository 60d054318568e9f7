"""How long to wait before the next attempt at something that failed."""

from __future__ import annotations

import random

MOST_S = 300.0
_JITTER = 0.25
_MOST_JITTER_ASKED_S = 10.0


def delay_s(attempts: int, *, asked_s: float | None = None, most_s: float = MOST_S) -> float:
    """Seconds to wait after so many attempts: doubling, with jitter, so that what failed together comes back apart.

    Args:
        attempts: From 1 on; the first pause is about 2 s.
        asked_s: What the other side asked for (Retry-After); then it is that, and a little more, never less.
        most_s: The longest pause, before jitter.
    """
    jitter = random.random()  # noqa: S311  nothing secret depends on it
    if asked_s:
        return asked_s + jitter * min(_JITTER * asked_s, _MOST_JITTER_ASKED_S)
    return min(most_s, 2.0 ** min(attempts, 30)) * (1 - _JITTER + 2 * _JITTER * jitter)
