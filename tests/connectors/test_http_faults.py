"""Faults below HTTP: broken connections, silence, nobody there; and limits that an answer states."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.errors import RetriableError, SlowAnswerError
from connectors.http import MAX_ATTEMPTS, MAX_PACE_S, Http


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


LIMIT = {"ratelimit-limit": "100", "ratelimit-reset": "20"}


def test_a_share_of_the_limit_is_left_to_people(scripted: Any, reach: Callable[..., Http], naps: list[float]) -> None:
    for remaining in ("11", "10", "0"):
        scripted.says(headers={**LIMIT, "ratelimit-remaining": remaining})
    http = reach(scripted.url, reserve=0.1)
    http.get("/a")
    assert naps == []
    http.get("/a")
    http.get("/a")
    assert naps == [20, 20]


def test_of_several_limits_the_one_that_lasts_longest_counts(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    exports = {"Zendesk-RateLimit-incremental-exports": "total=10; remaining=1; resets=44"}
    scripted.says(headers={**LIMIT, "ratelimit-remaining": "0", **exports})
    reach(scripted.url).get("/a")
    assert naps == [44]


def test_a_single_tickets_limit_does_not_hold_up_all_others(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(headers={"zendesk-ratelimit-tickets-update-per-ticket": "total=30; remaining=0; resets=468"})
    reach(scripted.url).send("PUT", "/a", json={})
    assert naps == [MAX_PACE_S]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ratelimit-remaining": "many", "ratelimit-limit": "100", "ratelimit-reset": "9"},
        {"ratelimit-remaining": "0", "ratelimit-limit": "100"},
        {"zendesk-ratelimit-x": "nonsense"},
        {"zendesk-ratelimit-x": "total=\u00b2; remaining=; resets=9"},
    ],
)
def test_odd_limits_do_no_harm(
    headers: dict[str, str], scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says({"ok": 1}, headers=headers)
    assert reach(scripted.url).get("/a") == {"ok": 1}
    assert sum(naps) <= 9
