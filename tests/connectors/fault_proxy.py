"""A proxy between a connector and its helpdesk that lets answers go wrong, whatever the helpdesk is.

Real servers cannot be told to answer 504 or to hang up in the middle of a body; this can, and it keeps what was asked.
The `Host` header is passed on as it came, so links that the helpdesk builds from it lead through the proxy again.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Kind = Literal["status", "reset", "truncate", "lose"]

# They concern one connection only (RFC 9110, 7.6.1), or are set anew.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Fault:
    """What happens to the next requests that fit.

    Attributes:
        kind: `status` answers without asking the helpdesk; `reset` hangs up without asking it; `truncate` hangs up in
            the middle of its answer; `lose` lets the helpdesk do what is asked and hangs up before it answers.
        path: An expression that is searched in the path with its query.
        times: How many requests it spoils; a negative number spoils all of them.
    """

    kind: Kind
    path: str = ""
    method: str = ""
    times: int = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": "ordered"}'

    def fits(self, method: str, target: str) -> bool:
        return self.times != 0 and self.method in ("", method) and re.search(self.path, target) is not None


@dataclass(frozen=True)
class Seen:
    """A request that came by; `status` is None where nothing was answered."""

    method: str
    target: str
    status: int | None
    body: bytes = b""


class FaultProxy:
    """Listens on a free port and passes everything on to `target` but what `order` spoils.

    Attributes:
        url: Where connectors find it.
        seen: The requests so far.
    """

    def __init__(self, target: str) -> None:
        self._host = urlsplit(target).netloc
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self._open: set[socket.socket] = set()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # header and body are two writes; with Nagle the second waits 40 ms

            def setup(self) -> None:
                proxy._open.add(self.request)
                super().setup()

            def finish(self) -> None:
                with contextlib.suppress(OSError):
                    super().finish()
                proxy._open.discard(self.request)

            def _serve(self) -> None:
                proxy._serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def order(self, kind: Kind, **fault: object) -> Fault:
        """Spoils the next answers; the arguments are `Fault`'s."""
        self.faults.append(Fault(kind, **fault))
        return self.faults[-1]

    def clear(self) -> None:
        """All goes well from now on."""
        self.faults.clear()

    def close(self) -> None:
        """Stops listening and closes all connections."""
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def _serve(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        method, target = request.command, request.path
        fault = next((one for one in self.faults if one.fits(method, target)), None)
        if fault:
            fault.times -= 1
        if fault and fault.kind == "reset":
            self._note(method, target, None, body)
            self._hang_up(request)
            return
        if fault and fault.kind == "status":
            status, headers, answer = fault.status, list(fault.headers.items()), fault.body
        else:
            status, headers, answer = self._ask(request, body)
        if fault and fault.kind == "lose":
            self._note(method, target, None, body)
            self._hang_up(request)
            return
        self._note(method, target, status, body)
        request.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP:
                request.send_header(name, value)
        if status not in (204, 304):
            request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        if fault and fault.kind == "truncate":
            request.wfile.write(answer[: len(answer) // 2])
            request.close_connection = True
        elif method != "HEAD" and status not in (204, 304):
            request.wfile.write(answer)

    def _ask(
        self, request: http.server.BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self._host, timeout=30)
        try:
            connection.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in ("connection", "content-length", "accept-encoding"):
                    connection.putheader(name, value)
            connection.putheader("Connection", "close")
            if body or request.command in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _note(self, method: str, target: str, status: int | None, body: bytes) -> None:
        self.seen.append(Seen(method, target, status, body))

    @staticmethod
    def _hang_up(request: http.server.BaseHTTPRequestHandler) -> None:
        # With a linger time of zero, closing sends a reset instead of a proper end.
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.close_connection = True
        request.connection.close()
