"""The server: Flask under waitress, and a worker beside it in the same process."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from connectors.helpdesk import Helpdesk
from connectors.settings import Settings
from connectors.store.database import Store
from connectors.wsgi import BackgroundServer
from plugin.app import create_app
from plugin.context import context
from plugin.worker import Worker
from trainer.predictor import Predictor
from trainer.registry import Registry

log = logging.getLogger(__name__)


class LivePredictor:
    """Loads the live version at first use and again when another one is promoted."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._loaded: Predictor | None = None

    def __call__(self) -> Predictor:
        """The live version's predictor.

        Raises:
            ModelError: Nothing is live, or it cannot be loaded.
        """
        live = Registry(self._settings.models_path).live()
        version = live.version if live else None
        if self._loaded is None or self._loaded.manifest.version != version:
            self._loaded = Predictor.load(self._settings, self._store, version)
            log.info("serving %s", self._loaded.manifest.version)
        return self._loaded


class Serving:
    """A running plugin: `with Serving(settings, helpdesk) as serving: serving.wait()`.

    Args:
        helpdesk_for_worker: Makes a helpdesk for the worker's own thread; sessions are not shared between threads.

    """

    def __init__(self, settings: Settings, helpdesk: Helpdesk, helpdesk_for_worker: Helpdesk) -> None:
        self._settings = settings
        self._app = create_app(settings, helpdesk)
        self._worker_helpdesk = helpdesk_for_worker
        self._stop = threading.Event()
        self._failed: BaseException | None = None
        plugin = settings.plugin
        self._server = BackgroundServer(
            self._app,
            host=plugin.host,
            port=plugin.port,
            threads=plugin.threads,
            name="deskhand",
            # Twice what the application takes, so that its own, clearer refusal comes first.
            max_body_bytes=2 * settings.plugin.max_body_bytes,
        )
        self._worker = threading.Thread(target=self._work, name="worker", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    def __enter__(self) -> Self:
        """Starts; raises FatalError where the port is taken."""
        self._server.start()
        self._worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def is_done_with(self, ticket_id: str) -> bool:
        """Whether a webhook for this ticket has arrived and been worked on to its end."""
        inbox = context(self._app).store().inbox
        name = self._worker_helpdesk.name
        return inbox.has(name, ticket_id) and not inbox.open_for(name, ticket_id)

    def wait(self) -> None:
        """Returns when the server was stopped, or raises what ended the worker."""
        while not self._stop.wait(0.5):
            pass
        if self._failed:
            raise self._failed

    def stop(self) -> None:
        """Finishes the requests and the job at hand, then lets go of everything. Twice is once."""
        self._stop.set()
        self._server.stop()
        if self._worker.is_alive():
            self._worker.join(timeout=self._settings.plugin.lease_s)
        context(self._app).close()

    def _work(self) -> None:
        store = None
        try:
            store = Store(self._settings.database_path)
            worker = Worker(store, self._worker_helpdesk, LivePredictor(self._settings, store), self._settings.plugin)
            worker.run(self._stop)
        except BaseException as error:  # noqa: BLE001  re-raised by wait(), in the main thread
            self._failed = error
            self._stop.set()
        finally:
            if store:
                store.close()
            self._worker_helpdesk.close()
