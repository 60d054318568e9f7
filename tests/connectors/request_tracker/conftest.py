"""One Request Tracker for all tests here, and users of it. Skipped where the packages are not installed."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.request_tracker.client import RequestTracker
from connectors.sandbox.company import load_company
from connectors.settings import HelpdeskSettings

from ...e2e.request_tracker.rt import MISSING, RT, installed, newest

COMPANY_TICKETS = 12


class Receiver:
    """Takes the webhooks of the Scrip and keeps them."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.got.append((dict(self.headers), body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/request_tracker"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def wait_for(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        """What came, once there is so much."""
        deadline = time.monotonic() + 10
        while len(self.got) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.got) >= count
        return self.got

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="session")
def _receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    """Where the Scrip posts to, with nothing in it yet."""
    _receiver.got.clear()
    return _receiver


@pytest.fixture(scope="session")
def _rt(tmp_path_factory: pytest.TempPathFactory, _receiver: Receiver) -> Iterator[RT]:
    if not installed():
        pytest.skip(MISSING)
    company = newest(load_company(), COMPANY_TICKETS)
    server = RT(tmp_path_factory.mktemp("rt"), company, endpoint=_receiver.url)
    server.configure()
    server.start()
    server.keep()
    yield server
    server.stop()


@pytest.fixture
def rt(_rt: RT) -> Iterator[RT]:
    """A Request Tracker with the sample company's queues, people and articles, and no tickets."""
    yield _rt
    # Each test reads all tickets there are, some of them many times.
    _rt.reset()


@pytest.fixture
def connect(rt: RT) -> Iterator[Callable[..., RequestTracker]]:
    """Opens connectors that do not really sleep; `url` and `token` can be given."""
    opened: list[RequestTracker] = []

    def connect(url: str = "", token: str = "", **more: Any) -> RequestTracker:
        settings = HelpdeskSettings(kind="request_tracker", url=url or rt.url, token=token or rt.tokens["deskhand"])
        opened.append(RequestTracker(settings, sleep=lambda _: None, **more))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


@pytest.fixture
def helpdesk(connect: Callable[..., RequestTracker], rt: RT) -> RequestTracker:
    """A connector with the account that the documented file makes."""
    return connect(webhook_secret=rt.secret)


@pytest.fixture
def customer(rt: RT) -> str:
    """A customer's name in RT, which is their address."""
    return rt.company.tickets[0].requester.email


@pytest.fixture
def write(rt: RT, customer: str) -> Callable[..., str]:
    """A customer opens a ticket; returns its id."""

    def write(text: str = "Where is my parcel?", **more: Any) -> str:
        ticket = {"Queue": "General", "Subject": "A question", "Requestor": customer, "Content": text}
        return str(rt.call(customer, "POST", "/ticket", ticket | {"ContentType": "text/plain"} | more)["id"])

    return write
