"""While a draft is written: what of it can be read already, and whether it still has a point."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from connectors.store.database import Store
from connectors.store.inbox import Job

WRITE_EVERY_S = 0.25
LOOK_EVERY_S = 0.5


class Partials:
    """Keeps what is written so far where the API finds it, and takes it away in the end, whatever that was.

    Args:
        monotonic: For tests.
    """

    def __init__(
        self,
        store: Store,
        helpdesk: str,
        ticket_id: str,
        turn_id: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._key = (helpdesk, ticket_id)
        self._turn_id = turn_id
        self._monotonic = monotonic
        self._written_at = -WRITE_EVERY_S

    def __enter__(self) -> Self:
        self._store.drafting.clear(*self._key)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.drafting.clear(*self._key)

    def show(self, text: str) -> None:
        """The draft so far; left out where the last one was a moment ago, for each is a commit."""
        now = self._monotonic()
        if now - self._written_at >= WRITE_EVERY_S:
            self._written_at = now
            self._store.drafting.write(*self._key, self._turn_id, text)


class Overtaken:
    """Whether something newer on a job's ticket waits; once it says so, it goes on saying so."""

    def __init__(self, store: Store, job: Job, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._job = job
        self._monotonic = monotonic
        self._looked_at = -LOOK_EVERY_S
        self._is = False

    def __call__(self) -> bool:
        """Asked after every token, looks twice a second."""
        now = self._monotonic()
        if not self._is and now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self._is = self._store.inbox.is_overtaken(self._job)
        return self._is
