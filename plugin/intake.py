"""Webhooks into the inbox, those that come at the same time in one commit."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from connectors.errors import StoreError
from connectors.store.database import Store
from connectors.store.inbox import Delivery


@dataclass(slots=True)
class _Waiting:
    """A delivery that a thread waits for.

    Attributes:
        new: Whether it was not known before; None until it is stored.
    """

    delivery: Delivery
    new: bool | None = None
    error: StoreError | None = None


class Intake:
    """Stores deliveries for the threads of one process.

    Each commit is a wait for the disk, and threads that want the write lock of SQLite find it by polling. So one thread
    at a time writes, for all that have come meanwhile (a group commit), and the others have nothing to poll for.
    """

    def __init__(self) -> None:
        self._pending: list[_Waiting] = []
        self._changing = threading.Lock()
        self._writing = threading.Lock()

    def put(self, store: Store, delivery: Delivery) -> bool:
        """Returns once it is on the disk; False where this delivery was known already.

        Args:
            store: The calling thread's connection.

        Raises:
            StoreError: Nothing was stored.
        """
        mine = _Waiting(delivery)
        with self._changing:
            self._pending.append(mine)
        with self._writing:
            if mine.new is None and mine.error is None:
                self._write(store)
        if mine.error:
            # An exception of each thread's own: a traceback belongs to one.
            raise StoreError(str(mine.error), hint=mine.error.hint) from mine.error
        assert mine.new is not None, "whoever wrote has settled the whole batch"
        return mine.new

    def _write(self, store: Store) -> None:
        with self._changing:
            batch, self._pending = self._pending, []
        try:
            for waiting, new in zip(batch, store.inbox.put_all([one.delivery for one in batch]), strict=True):
                waiting.new = new
        except Exception as error:  # noqa: BLE001  nobody in the batch may take it for stored
            for waiting in batch:
                waiting.error = error if isinstance(error, StoreError) else StoreError(type(error).__name__)
