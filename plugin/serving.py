"""The server in one process: Flask under waitress, and a worker beside it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from connectors.helpdesk import Helpdesk
from connectors.settings import Settings
from connectors.wsgi import BackgroundServer
from plugin.app import create_app
from plugin.context import context
from plugin.working import LivePredictor, Working

__all__ = ["LivePredictor", "Serving"]

_LOOK_S = 0.2


class Serving:
    """A running plugin: `with Serving(settings, helpdesk, another) as serving: serving.wait()`.

    Args:
        helpdesk: Verifies webhooks.
        helpdesk_for_worker: The worker's own; None for a server without one.
        listener: A socket that listens already, shared with other processes; None opens one by the settings.
    """

    def __init__(
        self,
        settings: Settings,
        helpdesk: Helpdesk,
        helpdesk_for_worker: Helpdesk | None,
        *,
        listener: socket.socket | None = None,
    ) -> None:
        self._app = create_app(settings, helpdesk)
        self._name = helpdesk.name
        self._stop = threading.Event()
        plugin = settings.plugin
        self._server = BackgroundServer(
            self._app,
            host=plugin.host,
            port=plugin.port,
            threads=plugin.threads,
            name="deskhand",
            # Twice what the application takes, so that its own, clearer refusal comes first.
            max_body_bytes=2 * plugin.max_body_bytes,
            stop_s=plugin.stop_s,
            listener=listener,
        )
        self._working = Working(settings, helpdesk_for_worker) if helpdesk_for_worker else None

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    def __enter__(self) -> Self:
        """Starts; raises FatalError where the port is taken."""
        self._server.start()
        if self._working:
            self._working.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def is_done_with(self, ticket_id: str) -> bool:
        """Whether a webhook for this ticket has arrived and been worked on to its end."""
        inbox = context(self._app).store().inbox
        return inbox.has(self._name, ticket_id) and not inbox.open_for(self._name, ticket_id)

    def wait(self, asked: Callable[[], object] = lambda: False) -> None:
        """Returns when the server was stopped or `asked` says so; raises what ended the worker."""
        while not self._stop.is_set() and not asked():
            if self._working and self._working.failed:
                self._stop.set()
                raise self._working.failed
            time.sleep(_LOOK_S)

    def stop(self) -> None:
        """Finishes the requests and the job at hand, then lets go of everything. Twice is once."""
        self._stop.set()
        self._server.stop()
        if self._working:
            self._working.stop()
        context(self._app).close()
