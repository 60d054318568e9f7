"""The worker: takes a ticket from the inbox, drafts, and writes one note and the route back.

At least once inside, once outside: the job of a worker that dies is taken again; the suggestion of a customer turn has
one id, which is the note's marker, so the second run finds what the first one posted.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from connectors.errors import (
    CredentialError,
    DeskhandError,
    ModelError,
    RetriableError,
    SkippableError,
    StaleTicketError,
)
from connectors.helpdesk import Helpdesk
from connectors.settings import PluginSettings
from connectors.store.database import Store
from connectors.store.inbox import Job
from plugin.answering import Answering
from plugin.backoff import delay_s
from trainer.predictor import Predictor

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
# An outage ends by itself, and somebody may sign in again or promote a version: with the pauses this is an hour.
MAX_PATIENT_ATTEMPTS = 20
_PATIENCE = (RetriableError, CredentialError, ModelError)
MAX_STALE = 3
IDLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended, for the log: never with a word of the ticket."""

    ticket_id: str
    what: str


class Worker:
    """Works through the inbox of one store.

    Args:
        store: A connection of the worker's own thread.
        predictor: Gives the live predictor; called for each job, so that a promoted version is picked up.
        name: Owns its leases; one that nobody else has where it is left out.

    Attributes:
        at_hand: The job that is being worked on, for the heartbeat.
    """

    def __init__(
        self,
        store: Store,
        helpdesk: Helpdesk,
        predictor: Callable[[], Predictor],
        settings: PluginSettings,
        *,
        name: str = "",
    ) -> None:
        self._store = store
        self._settings = settings
        self._answering = Answering(store, helpdesk, predictor, settings)
        self._owner = name or f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.at_hand: Job | None = None

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set; the job at hand is finished first."""
        while not stop.is_set():
            try:
                if not self.step():
                    stop.wait(IDLE_S)
            except DeskhandError as error:
                log.error("the worker cannot work: %s (%s)", error, error.hint)
                stop.wait(10 * IDLE_S)

    def step(self) -> bool:
        """Works on one job; returns False where there is none."""
        job = self._store.inbox.claim(self._owner, lease_s=self._settings.lease_s)
        if job is None:
            return False
        started = time.monotonic()
        self.at_hand = job
        try:
            outcome = self._work(job)
        except SkippableError as error:
            # Closed, deleted or gone, so that there is nobody left to help; or something newer will help them.
            self._store.inbox.finish(job, self._owner)
            log.info("ticket %s: skipped, %s", job.ticket_id, error)
        except Exception as error:  # noqa: BLE001  one bad ticket must not stop the others
            self._failed(job, error)
        else:
            self._store.inbox.finish(job, self._owner)
            log.info("ticket %s: %s in %.1f s", outcome.ticket_id, outcome.what, time.monotonic() - started)
        finally:
            self.at_hand = None
        return True

    def _failed(self, job: Job, error: Exception) -> None:
        # Messages of our own errors are made to be safe to log; of others only the type is.
        text = str(error) if isinstance(error, DeskhandError) else type(error).__name__
        if job.attempts >= (MAX_PATIENT_ATTEMPTS if isinstance(error, _PATIENCE) else MAX_ATTEMPTS):
            self._store.inbox.bury(job, self._owner, error=text)
            log.error("ticket %s: given up after %d attempts: %s", job.ticket_id, job.attempts, text)
            return
        wait_s = delay_s(job.attempts, asked_s=error.retry_after_s if isinstance(error, RetriableError) else None)
        self._store.inbox.retry(job, self._owner, delay_s=wait_s, error=text)
        log.warning("ticket %s: attempt %d failed, again in %.0f s: %s", job.ticket_id, job.attempts, wait_s, text)

    def _work(self, job: Job) -> Outcome:
        for _ in range(MAX_STALE):
            try:
                return Outcome(job.ticket_id, self._answering.answer(job))
            except StaleTicketError:
                # Somebody wrote in between: what is right may have changed, so all is read and decided again.
                log.info("ticket %s: changed while we worked, read again", job.ticket_id)
        raise RetriableError(f"ticket {job.ticket_id} kept changing while we worked on it")
