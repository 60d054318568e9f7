"""One way out: retries, waits, limits, and what never leaves, not even in an error."""

from __future__ import annotations

import email.utils
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.errors import (
    CredentialError,
    DeskhandError,
    FatalError,
    ForbiddenError,
    NotFoundError,
    RetriableError,
    StaleTicketError,
)
from connectors.http.client import MAX_ATTEMPTS, Http
from connectors.http.limits import retry_after_s

TOKEN = "Bearer sekrit-8d1f"
WORDS = "My parcel is late, says anna@mail.example"


@pytest.fixture
def reach(naps: list[float]) -> Iterator[Callable[..., Http]]:
    """Opens an `Http` whose naps pass at once, on its own clock."""
    opened: list[Http] = []

    def reach(url: str, **options: Any) -> Http:
        options = {"authorize": lambda _renew: TOKEN, "sleep": naps.append, "monotonic": lambda: sum(naps), **options}
        opened.append(Http(url, **options))
        return opened[-1]

    yield reach
    for http in opened:
        http.close()


def test_an_answer_is_an_object(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says({"ok": 1})
    scripted.says(b"", status=204)
    http = reach(scripted.url)
    assert http.get("/api/v2/a.json", {"q": "x y", "page[size]": 2}) == {"ok": 1}
    assert http.send("PUT", "/b", json={"c": 3}) == {}
    assert [(one.method, one.target) for one in scripted.requests] == [
        ("GET", "/api/v2/a.json?q=x+y&page%5Bsize%5D=2"),
        ("PUT", "/b"),
    ]
    assert scripted.requests[1].body == b'{"c": 3}'
    assert scripted.requests[0].headers["Authorization"] == TOKEN


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_fault_is_waited_out(
    status: int, scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(status=status, times=2)
    scripted.says({"ok": 1})
    assert reach(scripted.url).get("/a") == {"ok": 1}
    assert len(naps) == 2
    assert 0.5 <= naps[0] <= 1 <= naps[1] <= 2  # it doubles


def test_a_lasting_fault_ends_after_a_few_attempts(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(status=503, times=20)
    with pytest.raises(RetriableError, match="answered 503") as caught:
        reach(scripted.url).get("/a")
    assert len(scripted.requests) == MAX_ATTEMPTS
    assert len(naps) == MAX_ATTEMPTS - 1
    assert caught.value.exit_code == 75


def test_retry_after_in_seconds_is_kept_to(scripted: Any, reach: Callable[..., Http], naps: list[float]) -> None:
    scripted.says(status=429, headers={"Retry-After": "17"})
    scripted.says()
    reach(scripted.url).get("/a")
    assert naps == [17.0]


def test_retry_after_as_a_date_is_kept_to(scripted: Any, reach: Callable[..., Http], naps: list[float]) -> None:
    at = datetime.fromtimestamp(time.time() + 100, UTC)
    scripted.says(status=503, headers={"Retry-After": email.utils.format_datetime(at, usegmt=True)})
    scripted.says()
    reach(scripted.url).get("/a")
    assert 90 < naps[0] <= 100


def test_a_retry_after_in_the_past_still_waits_a_little(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(status=503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
    scripted.says()
    reach(scripted.url).get("/a")
    assert 0.5 <= naps[0] <= 1


@pytest.mark.parametrize(
    "value", ["Fri, 01 Jan 2100 00:00:00 GMT", "Fri Jan  1 00:00:00 2100", "Fri, 01 Jan 2100 00:00:00"]
)
def test_a_date_without_a_zone_is_in_gmt(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert retry_after_s({"Retry-After": value}) == pytest.approx(4102444800 - time.time(), abs=5)
    finally:
        monkeypatch.undo()
        time.tzset()


NUMBERS = st.integers(0, 10**12)


@settings(deadline=None)
@example("\u00b2")  # a digit to str.isdigit, not to float
@given(
    st.text(st.characters(max_codepoint=255), max_size=20)
    | st.builds(
        "Wed, {} Oct {} {}:{}:00 {}".format, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["GMT", "+9999", ""])
    )
)
def test_any_retry_after_is_a_wait_or_nothing(value: str) -> None:
    wait_s = retry_after_s({"Retry-After": value})
    assert wait_s is None or wait_s >= 0


def test_a_wait_beyond_the_deadline_is_not_begun(scripted: Any, reach: Callable[..., Http], naps: list[float]) -> None:
    scripted.says(status=429, headers={"Retry-After": "30"})
    with pytest.raises(RetriableError) as caught:
        reach(scripted.url, deadline_s=20).get("/a")
    assert caught.value.retry_after_s == 30
    assert naps == []


def test_all_waits_together_stay_within_the_deadline(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    scripted.says(status=503, times=9, headers={"Retry-After": "8"})
    with pytest.raises(RetriableError):
        reach(scripted.url, deadline_s=20).get("/a")
    assert naps == [8, 8]


def test_a_401_renews_the_credential_once(scripted: Any, reach: Callable[..., Http]) -> None:
    renewals: list[bool] = []
    tokens = iter(["Bearer old", "Bearer new", "Bearer new"])

    def authorize(renew: bool) -> str:
        renewals.append(renew)
        return next(tokens)

    scripted.says(status=401)
    scripted.says({"ok": 1})
    http = reach(scripted.url, authorize=authorize)
    assert http.get("/a") == {"ok": 1}
    assert renewals == [False, True]
    assert [one.headers["Authorization"] for one in scripted.requests] == ["Bearer old", "Bearer new"]


def test_a_new_token_that_cannot_be_had_for_now_is_still_wanted_afterwards(
    scripted: Any, reach: Callable[..., Http]
) -> None:
    renewals: list[bool] = []

    def authorize(renew: bool) -> str:
        renewals.append(renew)
        if renew and renewals.count(True) < 3:
            raise RetriableError("the token endpoint answered 503")
        return "Bearer new" if renew else "Bearer old"

    scripted.says(status=401)
    scripted.says({"ok": 1})
    assert reach(scripted.url, authorize=authorize).get("/a") == {"ok": 1}
    assert renewals == [False, True, True, True]
    assert [one.headers["Authorization"] for one in scripted.requests] == ["Bearer old", "Bearer new"]


def test_a_second_401_ends_the_call(scripted: Any, reach: Callable[..., Http], naps: list[float]) -> None:
    scripted.says(status=401, times=5)
    with pytest.raises(CredentialError, match="not accepted") as caught:
        reach(scripted.url).get("/a")
    assert not isinstance(caught.value, ForbiddenError)
    assert len(scripted.requests) == 2
    assert naps == []


def test_a_401_after_many_faults_still_gets_its_new_credential(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(status=503, times=MAX_ATTEMPTS - 1)
    scripted.says(status=401)
    scripted.says({"ok": 1})
    assert reach(scripted.url).get("/a") == {"ok": 1}


def test_a_token_that_cannot_be_had_for_now_is_tried_again(
    scripted: Any, reach: Callable[..., Http], naps: list[float]
) -> None:
    outcomes = iter([RetriableError("no token", retry_after_s=5.0), RetriableError("no token"), TOKEN])

    def authorize(_renew: bool) -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    scripted.says({"ok": 1})
    assert reach(scripted.url, authorize=authorize).get("/a") == {"ok": 1}
    assert naps[0] == 5.0
    assert len(naps) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, ForbiddenError),
        (404, NotFoundError),
        (410, NotFoundError),
        (409, StaleTicketError),
        (412, StaleTicketError),
        (400, FatalError),
        (422, FatalError),
    ],
)
def test_a_refusal_is_told_at_once_and_without_its_body(
    status: int, error: type[DeskhandError], scripted: Any, reach: Callable[..., Http], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    scripted.says({"error": WORDS}, status=status)
    with pytest.raises(error) as caught:
        reach(scripted.url).get("/api/v2/tickets/7.json", {"query": "requester:anna@mail.example"})
    assert f"GET /api/v2/tickets/7.json on {scripted.host} answered {status}" in str(caught.value)
    assert len(scripted.requests) == 1
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("connectors"))
    for hidden in ("anna", "parcel", "sekrit"):
        assert hidden not in f"{caught.value!r} {caught.value.hint} {ours}"


def test_retries_are_logged_without_query_token_or_body(
    scripted: Any, reach: Callable[..., Http], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scripted.says({"error": WORDS}, status=500)
    scripted.says({"ticket": WORDS})
    reach(scripted.url).get("/api/v2/search.json?query=anna@mail.example")
    assert "GET /api/v2/search.json" in caplog.text
    for hidden in ("anna", "parcel", "sekrit"):
        assert hidden not in caplog.text


def test_a_credential_that_no_header_can_carry_is_not_shown(reach: Callable[..., Http]) -> None:
    for broken in ("Bearer sekrit\n", "Bearer sekrit\u2026"):
        with pytest.raises(CredentialError) as caught:
            reach("http://127.0.0.1:9", authorize=lambda _renew, value=broken: value).get("/a")
        assert "sekrit" not in f"{caught.value!r}{caught.value.__context__!r}"


@pytest.mark.parametrize(
    "next_page",
    [
        "https://evil.example/api/v2/next",
        "http://127.0.0.1:1/next",
        ".evil.example/next",
        "@evil.example/next",
        "https://{host}/next",
        "http://{host}@evil.example/next",
        "http://evil.example\\@{host}/next",
        "file:///etc/passwd",
    ],
)
def test_a_next_page_on_another_host_is_not_followed(next_page: str, scripted: Any, reach: Callable[..., Http]) -> None:
    with pytest.raises(FatalError, match="another host"):
        reach(scripted.url).get(next_page.replace("{host}", scripted.host))
    assert scripted.requests == []


def test_a_next_page_on_the_same_host_is_followed(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says({"ok": 1})
    assert reach(scripted.url).get(f"{scripted.url}/next?page=2") == {"ok": 1}
    assert scripted.requests[0].target == "/next?page=2"


def test_a_redirect_is_not_followed_with_our_credential(scripted: Any, reach: Callable[..., Http]) -> None:
    scripted.says(status=302, headers={"Location": f"{scripted.url}/stolen"})
    with pytest.raises(FatalError, match="redirect"):
        reach(scripted.url).get("/a")
    assert [one.target for one in scripted.requests] == ["/a"]


def test_the_credential_is_ours_even_where_netrc_knows_the_host(
    scripted: Any, reach: Callable[..., Http], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    scripted.says()
    reach(scripted.url).get("/a")
    assert scripted.requests[0].headers["Authorization"] == TOKEN
