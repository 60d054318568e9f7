"""A production WSGI server (waitress) in a thread of ours, with a clean end."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import waitress
from waitress import wasyncore

from connectors.errors import FatalError

# A queue of requests is what a burst is; a line in the log for each of them would slow it down further.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class BackgroundServer:
    """Serves an application until it is stopped; also a context manager.

    Args:
        app: Any WSGI application.
        host: Interface to listen on.
        port: 0 takes a free one.
        threads: Requests answered at a time.
        name: Of the thread, and of the `Server` header.
        max_body_bytes: Larger requests are refused before the application is asked.
        stop_s: How long the requests at hand may take when it is stopped.
        listener: A socket that listens already, shared with other processes; host and port are not used then.

    Attributes:
        port: The one it listens on, once started.
    """

    def __init__(
        self,
        app: Any,
        *,
        host: str,
        port: int,
        threads: int,
        name: str,
        max_body_bytes: int = 16_000_000,
        stop_s: float = 10.0,
        listener: socket.socket | None = None,
    ) -> None:
        self.host, self.port, self._wanted_port = host, port, port
        self._app, self._threads, self._name = app, threads, name
        self._max_body_bytes, self._stop_s, self._listener = max_body_bytes, stop_s, listener
        self._map: dict[int, Any] = {}
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:8065`; right once started."""
        return url_of(self.host, self.port)

    def start(self) -> Self:
        """Listens; returns once connections are accepted.

        Raises:
            FatalError: The port is taken or may not be used.
        """
        if self._thread is not None:
            return self
        listener = self._listener or listen(self.host, self._wanted_port, self._name)
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
            # Its default of 100 is soon reached by a proxy that keeps connections open, or by somebody who opens many
            # and sends nothing; a connection costs a few kilobytes, no thread.
            connection_limit=1000,
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
        self._thread.join(self._stop_s + 1)
        self._server.task_dispatcher.shutdown(timeout=1)
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
        # Nothing new; not the server's own close(), which would end the loop that the last answers need.
        wasyncore.dispatcher.close(self._server)
        ends_at = time.monotonic() + self._stop_s
        while self._is_busy() and time.monotonic() < ends_at:
            wasyncore.loop(timeout=0.05, use_poll=True, map=self._map, count=1)

    def _is_busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(one.requests or one.request is not None or one.total_outbufs_len for one in channels)


def listen(host: str, port: int, name: str) -> socket.socket:
    """A socket that is bound, for `BackgroundServer`.

    Args:
        name: Of whom to speak of in the error.

    Raises:
        FatalError: The port is taken or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        what = "the port is taken" if taken else str(error)
        raise FatalError(
            f"{name} cannot listen on {host}:{port}: {what}",
            hint="stop what uses the port, or name another one (0 takes a free one)",
        ) from error
    return listener


def url_of(host: str, port: int) -> str:
    """How to reach what listens on an interface of this machine."""
    host = "127.0.0.1" if host in {"", "0.0.0.0"} else host  # noqa: S104  compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
