"""The server's end: what was asked is answered, and nothing stays open."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

import requests

from connectors.wsgi import BackgroundServer, listen


class Slow:
    """An application that takes its time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begun = threading.Semaphore(0)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.begun.release()
        time.sleep(self.seconds)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]


def server(app: Slow, **options: Any) -> BackgroundServer:
    return BackgroundServer(app, host="127.0.0.1", port=0, threads=2, name="test", **options)


def test_requests_at_hand_and_in_the_queue_are_answered_before_it_ends() -> None:
    app = Slow(0.4)
    answers: list[str] = []
    with server(app) as running:
        askers = [
            threading.Thread(target=lambda: answers.append(requests.get(running.url, timeout=10).text))
            for _ in range(6)  # three times as many as there are threads
        ]
        for asker in askers:
            asker.start()
        for _ in range(2):
            assert app.begun.acquire(timeout=5)
        time.sleep(0.2)  # the others have been read, too, and wait
    for asker in askers:
        asker.join()
    assert answers == ["done"] * 6


def test_it_does_not_wait_for_ever() -> None:
    app = Slow(3)
    running = server(app, stop_s=0.3).start()
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert app.begun.acquire(timeout=5)
        started = time.monotonic()
        running.stop()
        assert time.monotonic() - started < 2.5


def test_an_idle_connection_does_not_keep_it() -> None:
    running = server(Slow(0)).start()
    with requests.Session() as session:
        assert session.get(running.url, timeout=5).text == "done"
        started = time.monotonic()
        running.stop()
    assert time.monotonic() - started < 2


def test_several_servers_share_a_socket_and_one_may_end() -> None:
    with listen("127.0.0.1", 0, "test") as listener:
        port = listener.getsockname()[1]
        one, other = (server(Slow(0), listener=listener.dup()).start() for _ in range(2))
        assert one.port == other.port == port
        one.stop()
        for _ in range(5):
            assert requests.get(other.url, timeout=5).text == "done"
        other.stop()
