"""A worker's signs of life, from a thread of its own: a draft may take minutes, and a lease is short."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from connectors import clock
from connectors.errors import StoreError
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.store.inbox import Job, WorkerState

log = logging.getLogger(__name__)

_MOST_S = 10.0
_PRUNE_EVERY_S = 3600.0
DEAD_AFTER_S = 6 * _MOST_S
"""A worker that was not seen for so long is no worker any more."""


class Heartbeat:
    """Renews the lease of the job at hand, says that the worker is there, and tidies the inbox once an hour.

    Args:
        name: The worker's, which owns its leases.
        at_hand: Gives the job that is being worked on.
        version: Gives the version of the model that is loaded.
        stuck: Called with a ticket's id where a job takes longer than `max_job_s`. Its lease is not renewed any more;
            whoever works on it must end.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        *,
        at_hand: Callable[[], Job | None],
        version: Callable[[], str],
        stuck: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._name = name
        self._at_hand, self._version, self._stuck = at_hand, version, stuck
        self._job: Job | None = None
        self._job_since = self._pruned_at = 0.0
        self._started_at = clock.now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{name} heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        period_s = min(self._settings.plugin.lease_s / 3, _MOST_S)
        with Store(self._settings.database_path) as store:
            while True:
                try:
                    self._beat(store)
                except StoreError as error:
                    # The worker will meet the same error, and says so; the next beat may find it mended.
                    log.warning("%s gave no sign of life: %s", self._name, error)
                if self._stop.wait(period_s):
                    break
            with suppress(StoreError):
                store.inbox.left(self._name)

    def _beat(self, store: Store) -> None:
        now = time.monotonic()
        job = self._at_hand()
        if job != self._job:
            self._job, self._job_since = job, now
        ticket_id = job.ticket_id if job else ""
        if job and now - self._job_since < self._settings.plugin.max_job_s:
            if not store.inbox.renew(job, self._name, lease_s=self._settings.plugin.lease_s):
                log.warning("ticket %s: the lease was lost, such as by a machine that slept", ticket_id)
        elif job:
            self._stuck(ticket_id)
        store.inbox.seen(
            WorkerState(
                self._name, os.getpid(), socket.gethostname(), self._version(), ticket_id, self._started_at, time.time()
            )
        )
        if now - self._pruned_at > _PRUNE_EVERY_S or not self._pruned_at:
            self._pruned_at = now
            self._prune(store)

    def _prune(self, store: Store) -> None:
        plugin = self._settings.plugin
        # As long as a signature counts as fresh, its delivery must be known; twice, for clocks that differ.
        keep_s = max(plugin.keep_done_days * 24 * 3600, 2 * plugin.webhook_max_age_s)
        if pruned := store.inbox.prune(time.time() - keep_s):
            log.info("%d inbox rows, done with for long, were deleted", pruned)
