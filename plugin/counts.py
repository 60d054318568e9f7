"""Counting without a write for each: what a process has counted goes into the store every few seconds.

A kill loses at most the last `FLUSH_EVERY_S` of it, and a flood of refused requests costs no disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from connectors.errors import StoreError
from connectors.store.counters import Key
from connectors.store.database import Store

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 10.0
WEBHOOKS, API_ANSWERS = "webhooks", "api_answers"


class Counts:
    """Of one process; its threads share it.

    Args:
        store: Opens the calling thread's store.
    """

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._counted: Counter[Key] = Counter()
        self._flushed_at = time.monotonic()

    def add(self, name: str, label: str) -> None:
        """Counts one; every now and then the store gets what has gathered."""
        with self._lock:
            self._counted[name, label] += 1
            due = time.monotonic() - self._flushed_at >= FLUSH_EVERY_S
        if due:
            self.flush()

    def flush(self) -> None:
        """Puts what has gathered into the store; where that does not work, it is kept for the next time."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
            self._flushed_at = time.monotonic()
        if not counted:
            return
        try:
            self._store().counters.add(counted)
        except StoreError as error:
            log.warning("counts could not be kept: %s", error)
            with self._lock:
                self._counted.update(counted)
