"""Rate limits as a helpdesk's answers state them: a state per bucket, and which buckets a route takes from.

Sources: https://developer.zendesk.com/api-reference/introduction/rate-limits/ (`ratelimit-*`, `x-rate-limit*`, a bucket
per endpoint), https://developers.freshdesk.com/api/#ratelimit (`X-RateLimit-Total`, credits per request), RFC 9110,
10.2.3 (`Retry-After`).
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC

# Limits of an account and of its exports reset within a minute. One that takes longer concerns a single ticket (30
# updates per 10 minutes), and all others should not wait for it: where it is hit, a 429 says so.
MAX_PACE_S = 60.0
# Where an answer does not say when a bucket resets, it is a minute's (Freshdesk's, and Zendesk's `x-rate-limit`).
_WINDOW_S = 60.0
# Resets are stated in whole seconds: up to one of them was rounded off.
_ROUNDED_S = 1.0
# A number this high is a moment in Unix seconds (2001), and this high one in milliseconds.
_EPOCH, _EPOCH_MS = 1e9, 1e12
_MAX_KNOWN = 1000

_ENDPOINT = "zendesk-ratelimit-"
_ACCOUNT = (
    ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-ratelimit-total", "x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"),
    ("x-rate-limit", "x-rate-limit-remaining", "x-rate-limit-reset"),
)
_NUMBER = re.compile(r'\s*"?(-?[0-9]{1,15}(?:\.[0-9]{1,9})?)(?![0-9.])')
# Numbers and lists of them, UUIDs and other long hexadecimal keys, ULIDs.
_ID = re.compile(r"(?<=/)(?:[0-9]+(?:,[0-9]+)*|[0-9a-fA-F-]{16,}|[0-9A-HJKMNP-TV-Z]{26})(?=/|\.json$|$)")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rate limit as one answer states it.

    Attributes:
        name: What the answer calls it; empty for the account's own.
        limit: Requests per window, at least 1.
        remaining: Requests left in this window.
        resets_s: Seconds until the next window; None where the answer does not say.
    """

    name: str
    limit: int
    remaining: int
    resets_s: float | None


@dataclass(frozen=True, slots=True)
class Pause:
    """How many seconds to wait before a request, and for which bucket."""

    seconds: float
    reason: str


@dataclass(slots=True)
class _State:
    limit: int
    remaining: int
    resets_at: float


_Key = tuple[str, str]  # a bucket's name, and for the account's own the family of paths that it is for


class Limits:
    """What is left of each bucket, by the answers so far, and what a request has to wait for.

    A request waits only for buckets that its own route takes from: the account's, and those that an answer to the same
    route has named. What a bucket has left is counted down by our own requests until the next answer tells it anew.

    Args:
        reserve: Share of each bucket left to people and other integrations. A share of one request or less is not
            kept back: with 10 exports a minute it would cost a tenth of the speed and be of use to nobody.
        family: Which of several account-wide buckets a path takes from; the path is below the helpdesk's address.
    """

    def __init__(
        self,
        *,
        reserve: float = 0.1,
        family: Callable[[str], str] = lambda _path: "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reserve = reserve
        self._family = family
        self._monotonic = monotonic
        self._buckets: dict[_Key, _State] = {}
        self._named: dict[str, set[_Key]] = {}
        self._costs: dict[str, int] = {}
        self._slow: set[_Key] = set()

    def claim(self, method: str, path: str) -> Pause | None:
        """Takes a request from its route's buckets; returns what is to be waited for before it is sent, if anything.

        Whoever calls this waits, so a bucket that was waited for is taken to be full again.
        """
        now = self._monotonic()
        route = _route(method, path)
        cost = self._costs.get(route, 1)
        pause = None
        for key in self._keys(route, path):
            state = self._buckets.get(key)
            if not state:
                continue
            if now < state.resets_at:
                if state.remaining - cost >= self._kept(state.limit):
                    state.remaining -= cost
                    continue
                wait_s = min(state.resets_at - now, MAX_PACE_S)
                if not pause or wait_s > pause.seconds:
                    pause = Pause(wait_s, _reason(key))
            del self._buckets[key]
        return pause

    def note(self, method: str, path: str, headers: Mapping[str, str], *, now: float) -> None:
        """Learns from an answer.

        Args:
            now: What the time is for the server, in Unix seconds; some state resets as moments.
        """
        monotonic = self._monotonic()
        route = _route(method, path)
        for known in (self._buckets, self._named, self._costs, self._slow):
            if len(known) > _MAX_KNOWN:  # paths with keys in them that `_ID` does not see
                known.clear()
        for bucket in stated_buckets(headers, now=now):
            key = self._key(bucket.name, path)
            slow = bucket.resets_s is not None and bucket.resets_s > MAX_PACE_S
            if bucket.name:
                self._named.setdefault(route, set()).add(key)
                if slow:  # for good: a ticket's bucket is in its last minute at some time, and is still one ticket's
                    self._slow.add(key)
            if slow or key in self._slow:
                self._buckets.pop(key, None)
            else:
                self._buckets[key] = _State(bucket.limit, bucket.remaining, self._resets_at(key, bucket, monotonic))
        used = _number(headers.get("x-ratelimit-used-currentrequest"))
        if used is not None and used >= 1:
            self._costs[route] = int(used)

    def reset(self, method: str, path: str, headers: Mapping[str, str], *, now: float) -> Pause | None:
        """How long until a request that was just turned away may be sent again, where its answer has no `Retry-After`.

        Args:
            headers, now: As of `note`, which has to be called first.

        Returns:
            None where no bucket is known to be empty.
        """
        monotonic = self._monotonic()
        waits = [
            Pause(state.resets_at - monotonic, _reason(key))
            for key in self._keys(_route(method, path), path)
            if (state := self._buckets.get(key)) and state.remaining <= 0 and state.resets_at > monotonic
        ] + [
            Pause(bucket.resets_s, _reason(self._key(bucket.name, path)))
            for bucket in stated_buckets(headers, now=now)
            if bucket.remaining <= 0 and bucket.resets_s
        ]
        return max(waits, key=lambda one: one.seconds, default=None)

    def _resets_at(self, key: _Key, bucket: Bucket, now: float) -> float:
        if bucket.resets_s is not None:
            return now + bucket.resets_s + _ROUNDED_S
        known = self._buckets.get(key)
        same_window = known and now < known.resets_at and bucket.remaining <= known.remaining
        return known.resets_at if known and same_window else now + _WINDOW_S

    def _kept(self, limit: int) -> int:
        kept = int(limit * self._reserve)
        return kept if kept > 1 else 0

    def _key(self, name: str, path: str) -> _Key:
        return (name, "" if name else self._family(path))

    def _keys(self, route: str, path: str) -> set[_Key]:
        return {self._key("", path)} | self._named.get(route, set())


def stated_buckets(headers: Mapping[str, str], *, now: float) -> list[Bucket]:
    """Each rate limit that an answer states; what is not in a form we know is left out.

    Args:
        now: What the time is for the server, in Unix seconds.
    """
    values = {name.lower(): value for name, value in headers.items()}
    found = list(_endpoint_buckets(values, now))
    for names in _ACCOUNT:
        if bucket := _bucket("", *(values.get(name) for name in names), now=now):
            return [*found, bucket]
    return found


def _endpoint_buckets(values: Mapping[str, str], now: float) -> Iterator[Bucket]:
    for name, value in values.items():
        if name.startswith(_ENDPOINT):
            pairs = (part.split("=", 1) for part in value.lower().split(";") if "=" in part)
            parts = {key.strip(): number for key, number in pairs}
            # The name gets into logs and onto terminals.
            shown = re.sub(r"[^a-z0-9._-]", "", name.removeprefix(_ENDPOINT))[:60]
            if bucket := _bucket(
                shown or "endpoint", *(parts.get(k) for k in ("total", "remaining", "resets")), now=now
            ):
                yield bucket


def _bucket(name: str, limit: str | None, remaining: str | None, resets: str | None, *, now: float) -> Bucket | None:
    total, left, resets_s = _number(limit), _number(remaining), _number(resets)
    if total is None or total < 1 or left is None:
        return None
    if resets_s is not None and resets_s >= _EPOCH:
        resets_s = (resets_s / 1000 if resets_s >= _EPOCH_MS else resets_s) - now
    return Bucket(name, int(total), max(0, int(left)), None if resets_s is None else max(0.0, resets_s))


def retry_after_s(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds that `Retry-After` asks for, in either form (RFC 9110, 10.2.3); None where it is absent or wrong.

    Args:
        now: What the time is for the server, in Unix seconds: a date is a moment by its clock, and not by ours. None
            takes it from the answer's own `Date`, or from our clock where there is none.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    moment = unix_seconds(value)
    if moment is None:
        return None
    if now is None:
        now = unix_seconds(headers.get("Date", ""))
    return max(0.0, moment - (time.time() if now is None else now))


def unix_seconds(date: str) -> float | None:
    """A header's date in Unix seconds; None where it is none."""
    try:
        moment = email.utils.parsedate_to_datetime(date)
        # A date without a zone is in GMT.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: str | None) -> float | None:
    found = _NUMBER.match(value or "")
    return float(found[1]) if found else None


def _route(method: str, path: str) -> str:
    return f"{method} {_ID.sub('{id}', path)}"


def _reason(key: _Key) -> str:
    name, family = key
    return f"rate limit of {name or family or 'the account'}"
