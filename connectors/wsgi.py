"""A production WSGI server (waitress) in a thread of ours, with a clean end."""

from __future__ import annotations

import errno
import socket
import threading
from types import TracebackType
from typing import Any, Self

import waitress
from waitress import wasyncore

from connectors.errors import FatalError


class BackgroundServer:
    """Serves an application until it is stopped; also a context manager.

    Args:
        app: Any WSGI application.
        host: Interface to listen on.
        port: 0 takes a free one.
        threads: Requests answered at a time.
        name: Of the thread, and of the `Server` header.
        max_body_bytes: Larger requests are refused before the application is asked.

    Attributes:
        port: The one it listens on, once started.
    """

    def __init__(
        self, app: Any, *, host: str, port: int, threads: int, name: str, max_body_bytes: int = 16_000_000
    ) -> None:
        self.host, self.port, self._wanted_port = host, port, port
        self._app, self._threads, self._name = app, threads, name
        self._max_body_bytes = max_body_bytes
        self._map: dict[int, Any] = {}
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:8065`; right once started."""
        host = "127.0.0.1" if self.host in {"", "0.0.0.0"} else self.host  # noqa: S104  compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def start(self) -> Self:
        """Listens; returns once connections are accepted.

        Raises:
            FatalError: The port is taken or may not be used.
        """
        if self._thread is not None:
            return self
        listener = self._listen()
        self.port = listener.getsockname()[1]
        self._stopping.clear()
        # A loop of our own instead of the server's run(): that one has no clean way out from another thread.
        self._server = waitress.create_server(
            self._app,
            map=self._map,
            sockets=[listener],
            threads=self._threads,
            ident=self._name,
            max_request_body_size=self._max_body_bytes,
        )
        self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Finishes the requests at hand and closes all connections; safe to call twice."""
        if self._thread is None:
            return
        self._stopping.set()
        self._server.pull_trigger()
        self._thread.join(10)
        self._server.task_dispatcher.shutdown(timeout=10)
        wasyncore.close_all(self._map, ignore_all=True)
        self._thread = self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self._wanted_port))
        except (OSError, OverflowError) as error:
            listener.close()
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            what = "the port is taken" if taken else str(error)
            raise FatalError(
                f"{self._name} cannot listen on {self.host}:{self._wanted_port}: {what}",
                hint="stop what uses the port, or name another one (0 takes a free one)",
            ) from error
        return listener
