"""Rate limits by fixed windows, and faults that tests order."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Allowance:
    """What is left of a bucket.

    Attributes:
        total: Requests per window.
        remaining: Requests left in this window, this one already taken.
        resets_s: Seconds until the next window, at least 1.
        granted: False where the request is one too many.
    """

    total: int
    remaining: int
    resets_s: int
    granted: bool


class Limiter:
    """Counts requests in fixed windows that start with a bucket's first request.

    Args:
        clock: Gives the present in Unix seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[tuple[Any, ...], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def take(self, bucket: tuple[Any, ...], total: int, window_s: float = 60.0) -> Allowance:
        """Take one request from a bucket.

        Args:
            bucket: Its name and, where it is not the account's, whose it is.
            total: Requests per window.
            window_s: How long a window lasts.
        """
        now = self._clock()
        with self._lock:
            if len(self._windows) > 10_000:  # a bucket per user and ticket: forget those that have run out
                self._windows = {key: one for key, one in self._windows.items() if now - one[0] < 600}
            start, used = self._windows.get(bucket, (now, 0))
            if not 0 <= now - start < window_s:
                start, used = now, 0
            granted = used < total
            self._windows[bucket] = (start, used + granted)
        return Allowance(total, max(0, total - used - granted), max(1, round(start + window_s - now)), granted)


@dataclass
class Fault:
    """An answer that a test ordered.

    Attributes:
        path: Regular expression searched in path and query.
        status: HTTP status to answer with.
        times: How many more answers it replaces.
        method: Only requests of this method; empty for all.
        retry_after: Value of a Retry-After header.
        body: Body as text or as an object that goes out as JSON.
        delay_s: Wait so long before answering.
    """

    path: str
    status: int = 504
    times: int = 1
    method: str = ""
    retry_after: str | int | None = None
    body: Any = None
    delay_s: float = 0.0
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.pattern = re.compile(self.path)


class Faults:
    """The ordered faults, first come first served."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Order a fault."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def left(self) -> list[dict[str, Any]]:
        """The faults still to come."""
        with self._lock:
            return [{"path": one.path, "status": one.status, "times": one.times} for one in self._faults]

    def take(self, method: str, target: str) -> Fault | None:
        """The fault that this request gets, if any; counts it down."""
        with self._lock:
            for fault in self._faults:
                if fault.pattern.search(target) and fault.method.upper() in {"", method}:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
        return None
