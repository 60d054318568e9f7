"""Rate limits: what answers state of them, and what a request waits for because of it."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.http.limits import MAX_PACE_S, Bucket, Limits, Pause, retry_after_s, stated_buckets
from connectors.sandbox.limits import Limiter

NOW = 1_790_000_000.0
EXPORT = "/api/v2/incremental/tickets/cursor.json"
COMMENTS = "/api/v2/tickets/7/comments.json"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def account(remaining: int, limit: int = 100, reset: int = 20) -> dict[str, str]:
    return {"ratelimit-limit": str(limit), "ratelimit-remaining": str(remaining), "ratelimit-reset": str(reset)}


def exports(remaining: int, total: int = 10, resets: int = 44) -> dict[str, str]:
    return {"zendesk-ratelimit-incremental-exports": f"total={total}; remaining={remaining}; resets={resets}"}


@pytest.mark.parametrize(
    ("headers", "bucket"),
    [
        (account(99), Bucket("", 100, 99, 20)),
        ({"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "699"}, Bucket("", 700, 699, None)),
        ({"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "1", **account(50)}, Bucket("", 100, 50, 20)),
        ({"X-Ratelimit-Total": "50", "X-Ratelimit-Remaining": "49"}, Bucket("", 50, 49, None)),
        (
            {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "9", "X-RateLimit-Reset": f"{NOW + 9:.0f}"},
            Bucket("", 10, 9, 9),
        ),
        (
            {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "9", "X-RateLimit-Reset": f"{(NOW + 9) * 1000:.0f}"},
            Bucket("", 10, 9, 9),
        ),
        ({"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "9"}, Bucket("", 10, 9, 9)),
        (account(-1, reset=-3), Bucket("", 100, 0, 0)),
        ({"RateLimit-Limit": '"100";w=60', "RateLimit-Remaining": " 4.0 "}, Bucket("", 100, 4, None)),
        (
            {"Zendesk-RateLimit-Tickets-Index": "Total = 30;remaining= 29 ; resets=468"},
            Bucket("tickets-index", 30, 29, 468),
        ),
    ],
)
def test_each_form_of_the_headers_is_read(headers: dict[str, str], bucket: Bucket) -> None:
    assert stated_buckets(headers, now=NOW) == [bucket]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ratelimit-remaining": "many", "ratelimit-limit": "100", "ratelimit-reset": "9"},
        {"ratelimit-remaining": "0", "ratelimit-reset": "9"},
        {"ratelimit-remaining": "0", "ratelimit-limit": "0"},
        {"ratelimit-remaining": "9" * 5000, "ratelimit-limit": "9" * 5000},
        {"zendesk-ratelimit-x": "nonsense"},
        {"zendesk-ratelimit-x": "total=\u00b2; remaining=; resets=9"},
    ],
)
def test_odd_limits_are_none(headers: dict[str, str]) -> None:
    assert stated_buckets(headers, now=NOW) == []


def test_a_buckets_name_is_fit_for_a_terminal() -> None:
    (bucket,) = stated_buckets({"zendesk-ratelimit-\x1b[31m" + "x" * 100: "total=1; remaining=1"}, now=NOW)
    assert bucket.name == "31m" + "x" * 57


NUMBERISH = st.text(st.sampled_from('0123456789.-+eE";= _\u00b2\u0663nainf'), max_size=24) | st.text(max_size=12)
NAMES = st.sampled_from(
    [
        *(f"{x}{stem}{part}" for x in ("", "x-") for stem in ("ratelimit", "rate-limit")
          for part in ("", "-limit", "-total", "-remaining", "-reset", "-used-currentrequest")),
        "zendesk-ratelimit-a", "Zendesk-RateLimit-B", "zendesk-ratelimit-", "Retry-After", "Date",
    ]
)  # fmt: skip
VALUES = NUMBERISH | st.builds("total={}; remaining={}; resets={}".format, NUMBERISH, NUMBERISH, NUMBERISH)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=8)


@settings(max_examples=200, deadline=None)
@example({"ratelimit-limit": "1e999", "ratelimit-remaining": "0", "ratelimit-reset": "-9.9.9"})
@given(HEADERS)
def test_no_header_can_do_harm(headers: dict[str, str]) -> None:
    limits = Limits(monotonic=lambda: 5.0)
    for _ in range(2):
        limits.note("GET", "/a", headers, now=NOW)
        assert all(one.limit >= 1 and one.remaining >= 0 for one in stated_buckets(headers, now=NOW))
        reset = limits.reset("GET", "/a", headers, now=NOW)
        assert reset is None or reset.seconds > 0
        pause = limits.claim("GET", "/a")
        assert pause is None or 0 < pause.seconds <= MAX_PACE_S
    assert (retry_after_s(headers) or 0) >= 0


def test_a_share_of_the_accounts_limit_is_left_to_people(clock: Clock) -> None:
    limits = Limits(reserve=0.1, monotonic=clock)
    limits.note("GET", "/a", account(11), now=NOW)
    assert limits.claim("GET", "/a") is None, "11 of 100: one may be taken"
    assert limits.claim("GET", "/b") == Pause(21, "rate limit of the account"), "counted down by our own request"
    assert limits.claim("GET", "/b") is None, "after the wait it is full again"


def test_a_bucket_is_full_again_once_its_window_is_over(clock: Clock) -> None:
    limits = Limits(monotonic=clock)
    limits.note("GET", "/a", account(0), now=NOW)
    clock.now += 22
    assert limits.claim("GET", "/a") is None
    assert limits.claim("GET", "/a") is None


@pytest.mark.parametrize(("limit", "kept"), [(10, 0), (19, 0), (20, 2), (30, 3), (700, 70)])
def test_a_share_of_a_request_or_none_is_not_kept_back(limit: int, kept: int, clock: Clock) -> None:
    limits = Limits(reserve=0.1, monotonic=clock)
    limits.note("GET", EXPORT, exports(kept + 2, total=limit), now=NOW)
    assert [bool(limits.claim("GET", EXPORT)) for _ in range(3)] == [False, False, True]


def test_only_the_routes_that_take_from_a_bucket_wait_for_it(clock: Clock) -> None:
    limits = Limits(monotonic=clock)
    limits.note("GET", EXPORT, {**account(90), **exports(0)}, now=NOW)
    assert limits.claim("GET", COMMENTS) is None
    assert limits.claim("POST", EXPORT) is None, "another method is another route"
    assert limits.claim("GET", EXPORT) == Pause(45, "rate limit of incremental-exports")


def test_of_two_low_buckets_the_one_that_resets_later_counts(clock: Clock) -> None:
    limits = Limits(monotonic=clock)
    limits.note("GET", EXPORT, {**account(0, reset=9), **exports(0)}, now=NOW)
    assert limits.claim("GET", EXPORT) == Pause(45, "rate limit of incremental-exports")
    assert limits.claim("GET", "/a") is None, "both were waited for"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/api/v2/tickets/7/comments.json", "/api/v2/tickets/8123/comments.json"),
        ("/api/v2/tickets/7.json", "/api/v2/tickets/8.json"),
        ("/api/v2/tickets/7,8", "/api/v2/tickets/9"),
        ("/api/v2/webhooks/01GXXZ7XW5VQJMN7PJZ8S2WQ9A", "/api/v2/webhooks/01HXXZ7XW5VQJMN7PJZ8S2WQ9B"),
        ("/files/123e4567-e89b-12d3-a456-426614174000/x", "/files/00000000-e89b-12d3-a456-426614174001/x"),
    ],
)
def test_ids_do_not_make_routes(one: str, other: str, clock: Clock) -> None:
    limits = Limits(monotonic=clock)
    limits.note("GET", one, exports(0), now=NOW)
    assert limits.claim("GET", other)


@pytest.mark.parametrize("other", ["/api/v3/tickets/7/comments.json", "/api/v2/tickets/7", "/api/v2/tickets/cafe"])
def test_other_paths_are_other_routes(other: str, clock: Clock) -> None:
    limits = Limits(monotonic=clock)
    limits.note("GET", COMMENTS, exports(0), now=NOW)
    assert limits.claim("GET", other) is None


def test_a_single_tickets_bucket_holds_nobody_up(clock: Clock) -> None:
    name = "zendesk-ratelimit-tickets-update-per-ticket"
    limits = Limits(monotonic=clock)
    for resets in (468, 40):  # the second one is in its last minute
        limits.note("PUT", "/api/v2/tickets/7", {name: f"total=30; remaining=0; resets={resets}"}, now=NOW)
        assert limits.claim("PUT", "/api/v2/tickets/8") is None


def test_an_account_window_that_is_long_at_first_counts_in_its_last_minute(clock: Clock) -> None:
    limits = Limits(monotonic=clock)
    limits.note("GET", "/a", account(0, reset=3000), now=NOW)
    assert limits.claim("GET", "/a") is None
    limits.note("GET", "/a", account(0, reset=50), now=NOW)
    assert limits.claim("GET", "/a") == Pause(51, "rate limit of the account")


def test_an_account_may_have_several_limits(clock: Clock) -> None:
    limits = Limits(family=lambda path: "help center" if "/help_center/" in path else "", monotonic=clock)
    limits.note("GET", "/api/v2/help_center/articles", account(0), now=NOW)
    assert limits.claim("GET", "/api/v2/tickets") is None
    assert limits.claim("GET", "/api/v2/help_center/sections") == Pause(21, "rate limit of help center")


def test_where_no_reset_is_stated_it_is_a_minutes_bucket(clock: Clock) -> None:
    def stated(remaining: int) -> dict[str, str]:
        return {"X-Rate-Limit": "100", "X-Rate-Limit-Remaining": str(remaining)}

    limits = Limits(monotonic=clock)
    limits.note("GET", "/a", stated(60), now=NOW)
    clock.now += 45
    limits.note("GET", "/a", stated(10), now=NOW)
    assert limits.claim("GET", "/a") == Pause(15, "rate limit of the account"), "the window was seen 45 s ago"
    clock.now += 15
    limits.note("GET", "/a", stated(99), now=NOW)
    clock.now += 20
    limits.note("GET", "/a", stated(5), now=NOW)
    assert limits.claim("GET", "/a") == Pause(40, "rate limit of the account")


def test_a_request_that_costs_more_waits_sooner(clock: Clock) -> None:
    stated = {"x-ratelimit-total": "50", "x-ratelimit-remaining": "7", "x-ratelimit-used-currentrequest": "3"}
    limits = Limits(monotonic=clock)
    limits.note("GET", "/dear", stated, now=NOW)
    assert limits.claim("GET", "/cheap") is None, "6 of 50 are left, 5 are kept back"
    assert limits.claim("GET", "/dear")


def test_after_a_429_an_empty_bucket_says_when_to_go_on(clock: Clock) -> None:
    limits = Limits(monotonic=clock)

    def reset(headers: dict[str, str]) -> Pause | None:
        limits.note("GET", EXPORT, headers, now=NOW)
        return limits.reset("GET", EXPORT, headers, now=NOW)

    assert reset({}) is None
    assert reset(account(50)) is None
    assert reset(exports(0)) == Pause(45, "rate limit of incremental-exports")
    clock.now += 20
    assert reset({}) == Pause(25, "rate limit of incremental-exports"), "known from before"
    slow = {"zendesk-ratelimit-of-a-ticket": "total=30; remaining=0; resets=468"}
    assert reset(slow) == Pause(468, "rate limit of of-a-ticket"), "that is long, and the answer's own word"


def test_what_is_remembered_is_bounded(clock: Clock) -> None:
    limits = Limits(monotonic=clock)
    for n in range(3000):
        stated = {f"zendesk-ratelimit-{n}": "total=9; remaining=9; resets=9", "x-ratelimit-used-currentrequest": "2"}
        limits.note("GET", f"/of-{chr(97 + n % 26)}{n}x", stated, now=NOW)
    assert max(len(limits._buckets), len(limits._named), len(limits._costs)) < 1500


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([EXPORT, COMMENTS]), min_size=30, max_size=120),
    st.sampled_from([20, 60, 200]),
    st.floats(0, 3),
)
def test_a_server_that_counts_never_has_to_turn_us_away(paths: list[str], per_min: int, step_s: float) -> None:
    """Against the sandbox's limiter: nothing is refused, people's share is left, and the wait is not for nothing."""
    clock = Clock()
    limiter = Limiter(clock)
    limits = Limits(reserve=0.1, monotonic=clock)
    for path in paths:
        if pause := limits.claim("GET", path):
            assert pause.seconds <= MAX_PACE_S
            clock.now += pause.seconds
        taken = limiter.take(("account",), per_min)
        headers = account(taken.remaining, per_min, taken.resets_s)
        assert taken.granted
        assert taken.remaining >= per_min * 0.1
        if path == EXPORT:
            export = limiter.take(("exports",), 10)
            assert export.granted
            headers |= exports(export.remaining, 10, export.resets_s)
        limits.note("GET", path, headers, now=NOW)
        clock.now += step_s
    # Windows begin with their first request, so all but the last one of each bucket are used up.
    windows = max(len(paths) / (0.9 * per_min), paths.count(EXPORT) / 10) + 1
    assert clock.now - 100 <= windows * 61 + len(paths) * step_s


def test_a_date_is_compared_with_the_servers_own_clock() -> None:
    late = {"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert retry_after_s(late) == 30
    assert retry_after_s({**late, "Date": "nonsense"}) == 0
    assert retry_after_s(late, now=time.time()) == 0
