from __future__ import annotations

import socket
import threading

import pytest
import requests
from flask import Flask, request

from connectors.errors import FatalError
from connectors.wsgi import BackgroundServer


def echo() -> Flask:
    app = Flask("echo")

    @app.post("/")
    def size() -> str:
        return str(len(request.get_data()))

    return app


def server(port: int = 0, **options: int) -> BackgroundServer:
    return BackgroundServer(echo(), host="127.0.0.1", port=port, threads=2, name="echo", **options)


def test_it_answers_until_it_is_stopped_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with server() as running:
        assert requests.post(running.url, data=b"12345", timeout=5).text == "5"
    with pytest.raises(requests.ConnectionError):
        requests.post(running.url, data=b"12345", timeout=5)
    assert threading.active_count() == before


def test_it_can_be_started_and_stopped_again_and_stopping_twice_is_once() -> None:
    running = server()
    for _ in range(2):
        running.start()
        assert requests.post(running.url, timeout=5).ok
        running.stop()
        running.stop()


def test_a_taken_port_is_said_plainly() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(FatalError, match="the port is taken") as caught:
            server(taken.getsockname()[1]).start()
    assert "another" in caught.value.hint


def test_a_body_over_the_limit_is_refused_before_the_application_sees_it() -> None:
    with server(max_body_bytes=1000) as running:
        assert requests.post(running.url, data=b"x" * 900, timeout=5).text == "900"
        assert requests.post(running.url, data=b"x" * 5000, timeout=5).status_code == 413


def test_the_address_of_every_interface_can_be_opened_in_a_browser() -> None:
    assert BackgroundServer(echo(), host="0.0.0.0", port=80, threads=1, name="x").url == "http://127.0.0.1:80"
    assert BackgroundServer(echo(), host="::1", port=80, threads=1, name="x").url == "http://[::1]:80"
