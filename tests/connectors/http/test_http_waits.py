"""What a client waits for, how that can be seen, and when it ends."""

from __future__ import annotations

import email.utils
import logging
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from connectors.errors import RetriableError, SlowAnswerError
from connectors.http.client import MAX_ATTEMPTS, Http
from connectors.http.limits import MAX_PACE_S
from connectors.http.waits import Wait

EXPORT = "/api/v2/incremental/tickets/cursor.json"
LIMIT = {"ratelimit-limit": "100", "ratelimit-reset": "20"}
EXPORTS_EMPTY = {"zendesk-ratelimit-incremental-exports": "total=10; remaining=0; resets=44"}
NOW = 1_790_000_000.0


@pytest.fixture
def reach(naps: list[float]) -> Iterator[Callable[..., Http]]:
    """Opens an `Http` whose naps pass at once, on its own clock."""
    opened: list[Http] = []

    def reach(url: str, **options: Any) -> Http:
        clocks = {"sleep": naps.append, "monotonic": lambda: sum(naps), "now": lambda: NOW + sum(naps)}
        opened.append(Http(url, lambda _renew: "Bearer x", **{**clocks, **options}))
        return opened[-1]

    yield reach
    for http in opened:
        http.close()


def test_a_low_limit_is_waited_for_before_the_next_request_and_not_after_the_last(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    for remaining in ("11", "10", "99"):
        scripted.says(headers={**LIMIT, "ratelimit-remaining": remaining})
    http = reach(scripted.url, reserve=0.1)
    http.get("/a")
    http.get("/a")
    assert naps == []
    http.get("/a")
    assert naps == [21]
    assert (http.waited_s, http.requests_made, http.retries) == (21, 3, 0)


def test_an_empty_bucket_does_not_hold_up_requests_of_others(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(headers=EXPORTS_EMPTY)
    scripted.says(times=2)
    http = reach(scripted.url)
    http.get(EXPORT)
    http.get("/api/v2/tickets/7/comments.json")
    assert naps == []
    http.get(EXPORT, {"cursor": "x"})
    assert naps == [45]


def test_a_helpdesk_below_a_path_has_the_same_routes(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    families: list[str] = []
    scripted.says(headers={**LIMIT, "ratelimit-remaining": "0"})
    scripted.says()
    http = reach(f"{scripted.url}/desk/", family=lambda path: families.append(path) or path)
    http.get("/articles")
    http.get(f"{scripted.url}/desk/tickets")
    assert set(families) == {"/articles", "/tickets"}
    assert naps == [], "another family"


def test_a_429_without_a_wait_goes_by_the_buckets_reset(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    shown: list[Wait] = []
    scripted.says(status=429, headers={**LIMIT, "ratelimit-remaining": "0"})
    scripted.says({"ok": 1})
    http = reach(scripted.url, on_wait=shown.append)
    assert http.get("/a") == {"ok": 1}
    assert sum(naps) == 21
    assert shown[0] == Wait("rate limit of the account", 21, 2)
    assert http.retries == 1


def test_what_the_server_asks_for_is_not_waited_for_twice(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(status=429, headers={**LIMIT, "ratelimit-remaining": "0", "Retry-After": "3"})
    scripted.says({"ok": 1})
    reach(scripted.url).get("/a")
    assert naps == [3]


def test_a_retry_spends_nothing_of_peoples_share(scripted: Any, reach: Callable[..., Http], naps: list[float]) -> None:
    scripted.says(status=502, headers={**LIMIT, "ratelimit-remaining": "5"})
    scripted.says({"ok": 1})
    reach(scripted.url).get("/a")
    assert sum(naps) == pytest.approx(21)
    assert len(naps) == 2, "the retry's own wait is part of it"


def test_pacing_does_not_count_towards_a_calls_deadline(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(headers={**LIMIT, "ratelimit-remaining": "0"})
    scripted.says(status=503, headers={"Retry-After": "8"})
    scripted.says({"ok": 1})
    http = reach(scripted.url, deadline_s=10)
    http.get("/a")
    assert http.get("/a") == {"ok": 1}
    assert naps == [21, 8]


def test_a_write_is_handed_back_rather_than_waited_for_long(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(status=429, headers={"Retry-After": "468"})
    scripted.says(status=429, headers={"Retry-After": "468"})
    scripted.says({"ok": 1})
    http = reach(scripted.url)
    with pytest.raises(RetriableError) as caught:
        http.send("PUT", "/api/v2/tickets/7", json={})
    assert caught.value.retry_after_s == 468 > MAX_PACE_S
    assert naps == []
    assert http.get("/a") == {"ok": 1}
    assert naps == [468]


def test_a_wait_is_counted_down(scripted: Any, reach: Callable[..., Http], naps: list[float]) -> None:
    shown: list[Wait] = []
    scripted.says(headers={"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1.5"})
    scripted.says(status=503, headers={"Retry-After": "2"})
    scripted.says(status=504)
    scripted.says(b"<html>")
    scripted.says({"ok": 1})
    http = reach(scripted.url, on_wait=shown.append)
    http.get("/a")
    assert shown == []
    http.get("/a")
    assert naps[:5] == [1, 1, 0.5, 1, 1]
    paced, asked = "rate limit of the account", "server asked"
    assert shown[:7] == [
        Wait(paced, 2.5, 1), Wait(paced, 1.5, 1), Wait(paced, 0.5, 1), Wait(paced, 0, 1),
        Wait(asked, 2, 2), Wait(asked, 1, 2), Wait(asked, 0, 2),
    ]  # fmt: skip
    reasons = list(dict.fromkeys(one.reason for one in shown[7:]))
    assert reasons == ["retry 2 of 5 after 504", "retry 3 of 5 after an unreadable answer"]
    assert shown[-1].seconds_left == 0
    assert http.waited_s == pytest.approx(sum(naps))


def test_a_shown_wait_is_not_told_in_the_log_as_well(
    scripted: Any, reach: Callable[..., Http], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scripted.says(status=503, times=2)
    scripted.says()
    http = reach(scripted.url, on_wait=lambda _wait: None)
    http.get("/a")
    assert not [record for record in caplog.records if record.name.startswith("connectors")]


def test_the_runs_end_is_told_instead_of_waited_for(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(headers=EXPORTS_EMPTY, times=2)
    http = reach(scripted.url, run_deadline_s=45)
    http.get(EXPORT)
    with pytest.raises(RetriableError, match=r"the run's time is up.*rate limit of incremental-exports") as caught:
        http.get(EXPORT)
    assert caught.value.exit_code == 75
    assert caught.value.hint
    assert naps == []
    http.stop_at = 1000
    http.get(EXPORT)
    assert http.requests_made == 2


def test_the_runs_end_stops_retries_too(scripted: Any, reach: Callable[..., Http], naps: list[float]) -> None:
    scripted.says(status=429, times=9, headers={"Retry-After": "40"})
    http = reach(scripted.url)
    http.stop_at = 100
    with pytest.raises(RetriableError, match="time is up") as caught:
        http.get("/a")
    assert naps == [40, 40]
    assert "answered 429" in str(caught.value.__cause__)


def test_no_request_is_made_after_the_runs_end(scripted: Any, reach: Callable[..., Http], naps: list[float]) -> None:
    http = reach(scripted.url, run_deadline_s=30)
    naps.append(30)
    with pytest.raises(RetriableError, match="time is up"):
        http.get("/a")
    assert scripted.requests == []


def test_who_asks_for_less_after_a_slow_answer_still_ends_with_the_run(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(status=504, times=9)
    http = reach(scripted.url, run_deadline_s=1)
    with pytest.raises(SlowAnswerError):
        http.get("/a", slow_attempts=1)
    naps.append(1)
    with pytest.raises(RetriableError) as caught:
        http.get("/a", slow_attempts=1)
    assert not isinstance(caught.value, SlowAnswerError)


def test_the_servers_clock_is_what_its_dates_are_by(
    scripted: Any, reach: Callable[..., Http], naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def date(offset_s: float) -> str:
        return email.utils.formatdate(NOW + offset_s, usegmt=True)

    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda _self: date(3600))
    http = reach(scripted.url)
    assert http.server_skew_s is None
    scripted.says(status=503, headers={"Retry-After": date(3630)})
    scripted.says()
    http.get("/a")
    assert naps == [30]
    assert http.server_skew_s == 3600 - 30

    # Where an answer has no date of its own, the difference seen last counts.
    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda _self: "nonsense")
    http.server_skew_s = 3600
    scripted.says(status=503, headers={"Retry-After": date(3650)})
    scripted.says()
    http.get("/a")
    assert naps == [30, 20]
    assert http.server_skew_s == 3600


def test_a_reset_may_be_a_moment_of_the_servers_clock(
    scripted: Any, reach: Callable[..., Http], naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        BaseHTTPRequestHandler, "date_time_string", lambda _self: email.utils.formatdate(NOW - 500, usegmt=True)
    )
    limit = {"x-ratelimit-limit": "9", "x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW - 490:.0f}"}
    scripted.says(headers=limit)
    scripted.says()
    http = reach(scripted.url)
    http.get("/a")
    http.get("/a")
    assert naps == [11]


def test_repeats_are_counted(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(status=500, times=20)
    http = reach(scripted.url)
    with pytest.raises(RetriableError):
        http.get("/a")
    assert (http.requests_made, http.retries) == (MAX_ATTEMPTS, MAX_ATTEMPTS - 1)
