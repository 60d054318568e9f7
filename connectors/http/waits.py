"""Waiting that can be seen, and that ends when the run's time is up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from connectors.errors import DeskhandError, RetriableError

log = logging.getLogger(__name__)

_SLICE_S = 1.0


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait as it is shown to people.

    Attributes:
        reason: What for: "rate limit of incremental-exports", "server asked", "retry 3 of 5 after 504".
        seconds_left: Until it ends; 0 once it has.
        attempt: Which attempt of the request comes next; 1 for the first.
    """

    reason: str
    seconds_left: float
    attempt: int


class Waits:
    """Waits of one client.

    Attributes:
        on_wait: Called about once a second during a wait, and with 0 seconds left at its end.
        stop_at: Moment on the monotonic clock that no wait may reach and after which no request is made: the end of a
            run that has one. None for a run without.
        waited_s: Seconds waited so far.
    """

    def __init__(
        self, on_wait: Callable[[Wait], None] | None, sleep: Callable[[float], None], monotonic: Callable[[], float]
    ) -> None:
        self.on_wait = on_wait
        self.stop_at: float | None = None
        self.waited_s = 0.0
        self._sleep = sleep
        self._monotonic = monotonic

    def wait(self, seconds: float, reason: str, attempt: int, *, after: DeskhandError | None = None) -> None:
        """Waits.

        Args:
            after: What went wrong, where this comes before a retry.

        Raises:
            RetriableError: The run's time would be up before that; nothing was waited for.
        """
        if self.stop_at is not None and self._monotonic() + seconds >= self.stop_at:
            raise RetriableError(
                f"the run's time is up, {seconds:.0f} s more were to be waited: {reason}",
                hint="run it again later; it goes on from here",
                retry_after_s=seconds,
            ) from after
        # Who watches the countdown needs no line in the log.
        log.log(logging.DEBUG if self.on_wait else logging.INFO, "waiting %.1f s: %s", seconds, after or reason)
        if not self.on_wait:
            self._slept(seconds)
            return
        # Counted down and not by the clock, which stands still in tests and may in a suspended machine.
        left_s = seconds
        while left_s > 0:
            self.on_wait(Wait(reason, left_s, attempt))
            slice_s = min(_SLICE_S, left_s)
            self._slept(slice_s)
            left_s -= slice_s
        self.on_wait(Wait(reason, 0.0, attempt))

    def check(self) -> None:
        """Whether a request may still be made.

        Raises:
            RetriableError: The run's time is up.
        """
        if self.stop_at is not None and self._monotonic() >= self.stop_at:
            raise RetriableError("the run's time is up", hint="run it again later; it goes on from here")

    def _slept(self, seconds: float) -> None:
        self._sleep(seconds)
        self.waited_s += seconds
