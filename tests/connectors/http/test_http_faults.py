"""Faults below HTTP: broken connections, silence, nobody there."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.errors import RetriableError, SlowAnswerError
from connectors.http.client import MAX_ATTEMPTS, Http


@pytest.fixture
def reach(naps: list[float]) -> Iterator[Callable[..., Http]]:
    """Opens an `Http` that does not really sleep."""
    opened: list[Http] = []

    def reach(url: str, **options: Any) -> Http:
        opened.append(Http(url, lambda _renew: "Bearer x", sleep=naps.append, **options))
        return opened[-1]

    yield reach
    for http in opened:
        http.close()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_answer_that_breaks_off_is_asked_for_again(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says({"tickets": ["x" * 1000]}, cut=500)
    scripted.says({"ok": 1})
    assert reach(scripted.url).get("/a") == {"ok": 1}
    assert len(naps) == 1


def test_a_garbled_body_is_asked_for_again(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(b"not gzip at all", headers={"Content-Encoding": "gzip"})
    scripted.says({"ok": 1})
    assert reach(scripted.url).get("/a") == {"ok": 1}


def test_a_server_that_hangs_up_is_asked_again(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(hang_up=True)
    scripted.says({"ok": 1})
    assert reach(scripted.url).get("/a") == {"ok": 1}


def test_silence_ends_at_the_time_out(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(delay_s=0.3)
    with pytest.raises(SlowAnswerError, match="did not answer"):
        reach(scripted.url, timeout_s=0.05).get("/a", slow_attempts=1)


def test_nobody_there_is_told_after_the_attempts(free_port: int, reach: Callable[..., Http], naps: list[float]) -> None:
    http = reach(f"http://127.0.0.1:{free_port}")
    with pytest.raises(RetriableError, match="ConnectionError") as caught:
        http.get("/a")
    assert not isinstance(caught.value, SlowAnswerError)
    assert http.requests_made == MAX_ATTEMPTS
    assert len(naps) == MAX_ATTEMPTS - 1
    assert caught.value.hint


@pytest.mark.parametrize("fault", [{"status": 504}, {"status": 500}, {"hang_up": True}])
def test_a_write_that_may_have_happened_is_not_repeated(
    fault: dict[str, Any], scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(**fault)
    with pytest.raises(RetriableError):
        reach(scripted.url).send("PUT", "/a", json={})
    assert len(scripted.requests) == 1
    assert naps == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_write_that_was_turned_away_is_repeated(status: int, scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(status=status)
    scripted.says({"ok": 1})
    assert reach(scripted.url).send("PUT", "/a", json={}) == {"ok": 1}


def test_who_can_ask_for_less_gives_up_on_slow_answers_early(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(status=429)
    scripted.says(status=503)
    scripted.says(status=504)
    with pytest.raises(SlowAnswerError):
        reach(scripted.url).get("/a", slow_attempts=1)
    assert len(scripted.requests) == 3
