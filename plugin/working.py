"""A worker in a thread: beside the web server, or in a process of its own (`deskhand work`)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from connectors.errors import DeskhandError
from connectors.helpdesk import Helpdesk
from connectors.lock import numbered
from connectors.settings import Settings
from connectors.store.database import Store
from plugin.backoff import delay_s
from plugin.heartbeat import Heartbeat
from plugin.worker import Worker
from trainer.predictor import Predictor
from trainer.registry import Registry

log = logging.getLogger(__name__)

_LOOK_S = 0.2


class LivePredictor:
    """Loads the live version at first use and again when another one is promoted.

    Attributes:
        version: The one that is loaded; empty where none is.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._loaded: Predictor | None = None
        self.version = ""

    def __call__(self) -> Predictor:
        """The live version's predictor.

        Raises:
            ModelError: Nothing is live, or it cannot be loaded.
        """
        live = Registry(self._settings.models_path).live()
        version = live.version if live else None
        if self._loaded is None or self._loaded.manifest.version != version:
            self._loaded = Predictor.load(self._settings, self._store, version)
            self.version = self._loaded.manifest.version
            log.info("serving %s", self.version)
        return self._loaded


class Working:
    """A running worker: `with Working(settings, helpdesk) as working: working.wait(asked)`.

    Args:
        helpdesk: The worker's own: sessions are not shared between threads. It is closed with the worker.
    """

    def __init__(self, settings: Settings, helpdesk: Helpdesk) -> None:
        self._settings = settings
        self._helpdesk = helpdesk
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self.failed: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self, asked: Callable[[], object]) -> None:
        """Returns once `asked` says so, or raises what ended the worker."""
        while not asked() and not self.failed:
            time.sleep(_LOOK_S)
        if self.failed:
            raise self.failed

    def stop(self) -> None:
        """Lets the job at hand be finished, within `stop_s`; what is cut off is done again by the next worker."""
        self._stop.set()
        if self._thread.ident is None:  # it was never started
            self._helpdesk.close()
            return
        # One that is stuck will not get any further.
        self._thread.join(timeout=0 if self.failed else self._settings.plugin.stop_s)
        if self._thread.is_alive():
            log.warning("the job at hand did not end in time; it is cut off, and done again later")

    def _run(self) -> None:
        try:
            with numbered(self._settings.home, "worker") as name, Store(self._settings.database_path) as store:
                if left := store.inbox.hand_back(name, delay_s):
                    log.warning("%s died on %d job(s) before; they are done again", name, left)
                predictor = LivePredictor(self._settings, store)
                worker = Worker(store, self._helpdesk, predictor, self._settings.plugin, name=name)
                with Heartbeat(
                    self._settings,
                    name,
                    at_hand=lambda: worker.at_hand,
                    version=lambda: predictor.version,
                    stuck=self._give_up,
                ):
                    worker.run(self._stop)
        except BaseException as error:  # noqa: BLE001  raised again by wait(), in the main thread
            self.failed = error
        finally:
            self._helpdesk.close()

    def _give_up(self, ticket_id: str) -> None:
        minutes = self._settings.plugin.max_job_s / 60
        self.failed = DeskhandError(
            f"ticket {ticket_id}: the worker has been at it for {minutes:.0f} minutes, and must be stuck",
            hint="it is done again after a restart; raise [plugin] max_job_s if this machine is that slow",
        )
