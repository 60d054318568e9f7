"""One way out: a `requests` session with time-outs, retries, rate limits as the server states them, and redaction.

What a helpdesk answers decides what is raised: see `connectors.errors`. Bodies never get into messages or logs, since
they hold customers' words.
"""

from __future__ import annotations

import email.utils
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from requests.exceptions import ChunkedEncodingError, ContentDecodingError

from connectors.errors import (
    CredentialError,
    DeskhandError,
    FatalError,
    ForbiddenError,
    NotFoundError,
    RetriableError,
    SlowAnswerError,
    StaleTicketError,
)

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 6
MAX_BACKOFF_S = 60.0
# An account's and an export's limits reset within a minute; one that takes longer concerns a single ticket, and all
# others should not wait for it.
MAX_PACE_S = 60.0
_RETRIED = frozenset({429, 500, 502, 503, 504})


class Http:
    """Requests to one helpdesk.

    Args:
        base_url: Scheme and host; credentials are sent to this host only.
        authorize: Gives the `Authorization` header's value for each request; called again after a 401 with
            `renew=True`, so that short-lived tokens can be fetched anew.
        deadline_s: How long one call may take with all its waiting; then the last error is raised.
        reserve: Share of the rate limit left to people and other integrations: below it we slow down.
    """

    def __init__(
        self,
        base_url: str,
        authorize: Callable[[bool], str],
        *,
        timeout_s: float = 30.0,
        deadline_s: float = 900.0,
        reserve: float = 0.1,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._origin = urlsplit(base_url)[:2]
        self._host = self._origin[1]
        self._authorize = authorize
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self._reserve = reserve
        self._sleep = sleep
        self._monotonic = monotonic
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "deskhand/0.1 (+self-hosted)"
        self.requests_made = 0

    def close(self) -> None:
        """Closes the pooled connections."""
        self._session.close()

    def get(
        self, path: str, params: Mapping[str, str | int] | None = None, *, slow_attempts: int = MAX_ATTEMPTS
    ) -> dict[str, Any]:
        """GET, JSON object out. See `send` for the arguments and the errors."""
        return self.send("GET", path, params=params, slow_attempts=slow_attempts)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        slow_attempts: int = MAX_ATTEMPTS,
    ) -> dict[str, Any]:
        """One API call.

        Args:
            path: A path below the base address, or an address on the same host.
            slow_attempts: After how many attempts to give up on answers that take too long: whoever can ask for less
                does so soon.

        Raises:
            CredentialError: 401; 403 as a ForbiddenError.
            NotFoundError: 404 or 410.
            StaleTicketError: 409.
            RetriableError: A rate limit, a time-out or a 5xx that outlasted the retries or the deadline; a
                SlowAnswerError after a 504 or a time-out.
            FatalError: Another 4xx, a redirect, an answer that is no JSON object, or an address on another host.
        """
        url = self._url(path)
        started = self._monotonic()
        renew = renewed = False
        # A write that timed out may have happened: whoever writes must be able to tell (markers) before it is repeated.
        retried = _RETRIED if method == "GET" else frozenset({429, 503})
        attempt = 0
        while True:
            attempt += 1
            try:
                authorization = self._authorization(renew=renew)
                renew = False
                self.requests_made += 1
                answer = self._session.request(
                    method, url, params=params, json=json, timeout=self._timeout_s, allow_redirects=False,
                    headers={"Accept": "application/json"}, auth=_Header(authorization),
                )  # fmt: skip
            except RetriableError as error:  # no new token for now
                failure: DeskhandError = error
                can_retry, asked_s = True, error.retry_after_s
            except requests.RequestException as error:
                failure, can_retry, asked_s = self._broken(error), method == "GET", None
            else:
                if answer.status_code < 300:
                    self._pace(answer.headers)
                    return self._json(answer)
                if answer.status_code == 401 and not renewed:
                    renew = renewed = True
                    continue
                failure, can_retry = self._failure(answer, method, path), answer.status_code in retried
                asked_s = retry_after_s(answer.headers)
            wait_s = asked_s or self._backoff_s(attempt)
            last = attempt >= (slow_attempts if isinstance(failure, SlowAnswerError) else MAX_ATTEMPTS)
            out_of_time = self._monotonic() - started + wait_s > self._deadline_s
            if not can_retry or not isinstance(failure, RetriableError) or last or out_of_time:
                raise failure
            log.info("waiting %.1f s before attempt %d: %s", wait_s, attempt + 1, failure)
            self._sleep(wait_s)

    def _authorization(self, *, renew: bool) -> str:
        value = self._authorize(renew)
        # http.client would refuse it too, with the value in its message.
        if not (value.isascii() and value.isprintable()):
            raise CredentialError("the credential holds characters that no header can carry", hint="run: deskhand init")
        return value

    def _url(self, path: str) -> str:
        # `next_page` comes from the other side; following it elsewhere would hand our token to a stranger. Joined only
        # where it is a path for sure: '.example.org/' behind our address would be another host.
        url = self._base_url + path if path.startswith("/") else path
        if urlsplit(url)[:2] != self._origin:
            raise FatalError(
                f"{self._host} pointed to another host for the next page; not followed",
                hint="set the helpdesk's url to the address that it calls itself by",
            )
        return url

    def _broken(self, error: requests.RequestException) -> DeskhandError:
        """What to raise where no whole answer came; the library's own message may hold the address with its query."""
        what = f"{self._host} did not answer ({type(error).__name__})"
        if isinstance(error, requests.ReadTimeout):
            return SlowAnswerError(what, hint="try again later")
        broken = (requests.Timeout, requests.ConnectionError, ChunkedEncodingError, ContentDecodingError)
        if isinstance(error, broken):
            return RetriableError(what, hint="check the address and the network")
        return FatalError(what, hint="check the helpdesk's address")

    def _backoff_s(self, attempt: int) -> float:
        return min(MAX_BACKOFF_S, 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311

    def _pace(self, headers: Mapping[str, str]) -> None:
        """Slows down before the limit is hit, as the answer's own figures say, leaving a share to people."""
        low = [one for one in _buckets(headers) if one.limit and one.remaining <= one.limit * self._reserve]
        if low:
            bucket = max(low, key=lambda one: one.resets_s)
            wait_s = min(bucket.resets_s, MAX_PACE_S, self._deadline_s)
            log.info("rate limit: %d of %d requests left, waiting %.0f s", bucket.remaining, bucket.limit, wait_s)
            self._sleep(wait_s)

    def _failure(self, answer: requests.Response, method: str, path: str) -> DeskhandError:
        status = answer.status_code
        what = f"{method} {_without_query(path)} on {self._host} answered {status}"
        if status == 401:
            return CredentialError(f"{what}: the credential is not accepted", hint="run: deskhand init")
        if status == 403:
            return ForbiddenError(f"{what}: this credential may not do that", hint="use an admin's credential")
        if status in (404, 410):
            return NotFoundError(what)
        if status == 409:
            return StaleTicketError(what)
        if status in _RETRIED:
            kind = SlowAnswerError if status == 504 else RetriableError
            return kind(what, hint="try again later", retry_after_s=retry_after_s(answer.headers))
        if status < 400:
            return FatalError(f"{what}, a redirect; not followed", hint="check the helpdesk's address")
        return FatalError(what, hint="this is likely a bug in Deskhand or a changed API")

    def _json(self, answer: requests.Response) -> dict[str, Any]:
        if not answer.content:
            return {}
        try:
            value = answer.json()
        except requests.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            raise FatalError(f"{self._host} did not answer with a JSON object", hint="check the helpdesk's address")
        return value


@dataclass(frozen=True, slots=True)
class _Header(AuthBase):
    """Puts the credential on a request.

    As an object and not among the headers: those `requests` would overwrite with what ~/.netrc has for the host.
    """

    value: str

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self.value
        return request


@dataclass(frozen=True, slots=True)
class _Bucket:
    limit: int
    remaining: int
    resets_s: float


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, in either form (RFC 9110, 10.2.3); None where it is absent or wrong."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)  # a date without a zone is in GMT
    return max(0.0, moment.timestamp() - time.time())


def _buckets(headers: Mapping[str, str]) -> list[_Bucket]:
    """Each rate limit that an answer states, with the seconds until it resets."""
    values = {name.lower(): value for name, value in headers.items()}
    found = []
    for name, value in values.items():
        if name.startswith("zendesk-ratelimit-"):
            parts = dict(part.strip().split("=", 1) for part in value.split(";") if "=" in part)
            found.append(_Bucket(_int(parts.get("total")), _int(parts.get("remaining")), _int(parts.get("resets"))))
    if "ratelimit-remaining" in values:
        limit, remaining, resets = (values.get(f"ratelimit-{name}") for name in ("limit", "remaining", "reset"))
        found.append(_Bucket(_int(limit), _int(remaining), _int(resets)))
    return [bucket for bucket in found if bucket.resets_s]


def _int(value: str | None) -> int:
    return int(value) if value and value.strip().isdecimal() else 0


def _without_query(path: str) -> str:
    # Ids say which ticket; the query may hold a search for somebody's address.
    return urlsplit(path).path
