"""Bodies: what is read of them, how long and how much at most, and what becomes of one that is no JSON."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from connectors.errors import FatalError, NotFoundError, RetriableError, SlowAnswerError
from connectors.http.answers import Answer
from connectors.http.client import UNREADABLE_ATTEMPTS, Http

WORDS = "My parcel is late, says anna@mail.example"


@pytest.fixture
def reach(naps: list[float]) -> Iterator[Callable[..., Http]]:
    """Opens an `Http` that does not really sleep."""
    opened: list[Http] = []

    def reach(url: str, **options: Any) -> Http:
        opened.append(Http(url, lambda _renew: "Bearer x", sleep=naps.append, **options))
        return opened[-1]

    yield reach
    for one in opened:
        one.close()


class Raw(http.server.ThreadingHTTPServer):
    """A server that keeps connections; `write` writes the answer to a request, given its handler."""

    daemon_threads = True
    write: Callable[[http.server.BaseHTTPRequestHandler], None]

    def __init__(self) -> None:
        self.connections = 0
        self.over = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.write(self)

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        super().__init__(("127.0.0.1", 0), Handler)
        server = self
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, *_: object) -> None:
        """The client may hang up."""

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


@pytest.fixture
def raw() -> Iterator[Raw]:
    server = Raw()
    yield server
    server.close()


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b'{"cut": ', b"\xff\xfe", b'{"n": ' + b"9" * 5000 + b"}"])
def test_what_is_no_json_is_asked_for_again_and_then_refused_unquoted(
    body: bytes, scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(body, times=9)
    with pytest.raises(RetriableError, match="did not answer with JSON") as caught:
        reach(scripted.url).get("/a")
    assert len(scripted.requests) == UNREADABLE_ATTEMPTS
    assert len(naps) == UNREADABLE_ATTEMPTS - 1
    assert caught.value.hint == "check the helpdesk's address"
    assert "Welcome" not in f"{caught.value!r} {caught.value.__context__!r} {caught.value.__cause__!r}"


def test_a_gateways_page_in_between_does_no_harm(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(b"<html>one moment please</html>")
    scripted.says({"ok": 1})
    http = reach(scripted.url)
    assert http.get("/a") == {"ok": 1}
    assert http.retries == 1


def test_a_write_with_an_unreadable_answer_is_not_repeated(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(b"<html>", times=2)
    with pytest.raises(RetriableError):
        reach(scripted.url).send("PUT", "/a", json={})
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("body", [b"[1, 2]", b'"words"', b"7", b"true"])
def test_json_of_another_shape_is_refused_at_once(body: bytes, scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(body, times=2)
    http = reach(scripted.url)
    with pytest.raises(FatalError, match="JSON object") as caught:
        http.get("/a")
    assert caught.value.hint
    with pytest.raises(FatalError, match="JSON list of objects"):
        http.get_list("/a")
    assert len(scripted.requests) == 2


@pytest.mark.parametrize(("body", "status"), [(b"", 204), (b"null", 200), (b"null", 204)])
def test_an_answer_without_content_is_an_empty_one(
    body: bytes, status: int, scripted: Any, reach: Callable[..., Http]
) -> None:
    scripted.says(body, status=status, times=2)
    http = reach(scripted.url)
    assert http.get("/a") == {}
    assert http.get_list("/a") == []


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_a_page_without_a_body_is_asked_for_again(body: bytes, scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(body)
    scripted.says({"ok": 1})
    assert reach(scripted.url).get("/a") == {"ok": 1}
    scripted.says(body)
    assert reach(scripted.url).send("PUT", "/a", json={}) == {}, "a write that was done is done"


def test_lists_headers_and_status_can_be_had(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says([{"id": 1}, {"id": 2}])
    scripted.says(["Ticket 3: moved"], status=201, headers={"link": '<https://desk.example/2>; rel="next"'})
    http = reach(scripted.url)
    assert http.get_list("/a", {"page": 2}) == [{"id": 1}, {"id": 2}]
    answer = http.request("POST", "/b", json={"x": 1}, headers={"If-Match": '"7"'})
    assert (answer.status, answer.json) == (201, ["Ticket 3: moved"])
    assert answer.headers["Link"].endswith('rel="next"')
    assert scripted.requests[1].headers["If-Match"] == '"7"'
    assert scripted.requests[1].headers["Accept"] == "application/json"


def test_an_answer_does_not_show_what_is_in_it() -> None:
    assert "anna" not in repr(Answer("desk.example", 200, {"x": WORDS}, {"subject": WORDS}))


def test_deep_nesting_is_refused(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(b"[" * 200_000)
    with pytest.raises(FatalError, match="nested too deeply"):
        reach(scripted.url).get("/a")


def test_an_answer_beyond_the_cap_is_refused(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says({"a": "x" * 1000}, times=2)
    assert reach(scripted.url, max_answer_bytes=1009).get("/a")
    with pytest.raises(FatalError, match=r"more than 0\.001008 MB; not read"):
        reach(scripted.url, max_answer_bytes=1008).get("/a")
    assert len(scripted.requests) == 2


def test_the_cap_holds_for_what_a_compressed_answer_becomes(scripted: Any, reach: Callable[..., Http]) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 60_000
    scripted.says(bomb, headers={"Content-Encoding": "gzip"})
    http = reach(scripted.url, max_answer_bytes=1_000_000)
    with pytest.raises(FatalError, match="more than 1 MB"):
        http.get("/a")
    assert scripted.requests[0].headers["Accept-Encoding"] == "gzip, deflate"


def test_an_answer_without_an_end_is_not_read_to_it(raw: Raw, reach: Callable[..., Http]) -> None:
    def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while not raw.over.is_set():
            handler.wfile.write(b"%x\r\n%b\r\n" % (65536, b"x" * 65536))

    raw.write = endless
    with pytest.raises(FatalError, match="more than 2 MB"):
        reach(raw.url, max_answer_bytes=2_000_000).get("/a")


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_that_comes_in_drips_ends_at_its_time(
    chunked: bool, raw: Raw, reach: Callable[..., Http], naps: list[float]
) -> None:
    def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "1000000")))
        handler.end_headers()
        while not raw.over.wait(0.02):
            handler.wfile.write(b"1\r\n \r\n" if chunked else b" ")

    raw.write = drip
    http = reach(raw.url, timeout_s=5, answer_timeout_s=0.2)
    started = time.monotonic()
    with pytest.raises(SlowAnswerError, match="still answering"):
        http.get("/a", slow_attempts=1)
    assert time.monotonic() - started < 2
    assert naps == []


def test_an_answer_that_stops_in_the_middle_is_a_slow_one(raw: Raw, reach: Callable[..., Http]) -> None:
    def stop(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"a"')
        raw.over.wait(5)

    raw.write = stop
    with pytest.raises(SlowAnswerError, match="in the middle"):
        reach(raw.url, timeout_s=0.1).get("/a", slow_attempts=1)


@pytest.mark.parametrize("status", [404, 302])
def test_the_body_of_a_refusal_is_read_a_little_at_most(status: int, raw: Raw, reach: Callable[..., Http]) -> None:
    sent: list[int] = []

    def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", "/b")
        handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        while not raw.over.is_set():
            sent.append(handler.wfile.write(b"x" * 65536))

    raw.write = endless
    with pytest.raises((NotFoundError, FatalError), match=str(status)):
        reach(raw.url).get("/a")
    assert sum(sent) < 50_000_000


@pytest.mark.parametrize("status", [200, 404])
def test_a_connection_is_used_again(status: int, raw: Raw, reach: Callable[..., Http]) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        body = json.dumps({"error": "RecordNotFound"}).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    raw.write = answer
    client = reach(raw.url)
    for _ in range(3):
        with pytest.raises(NotFoundError) if status == 404 else nullcontext():
            assert client.get("/a")
    assert raw.connections == 1
