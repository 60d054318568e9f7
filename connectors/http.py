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
from typing import Any
from urllib.parse import urlsplit

import requests

from connectors.errors import (
    CredentialError,
    DeskhandError,
    FatalError,
    NotFoundError,
    RetriableError,
    StaleTicketError,
)

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 6
MAX_BACKOFF_S = 60.0
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
        self._host = urlsplit(base_url).netloc
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

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """GET, JSON object out. See `send` for the errors."""
        return self.send("GET", path, params=params)

    def send(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None = None, json: object = None
    ) -> dict[str, Any]:
        """One API call. `path` is a path below the base address, or an address on the same host.

        Raises:
            CredentialError: 401, or 403.
            NotFoundError: 404 or 410.
            StaleTicketError: 409.
            RetriableError: A rate limit, a time-out or a 5xx that outlasted the retries or the deadline.
            FatalError: Another 4xx, an answer that is no JSON object, or an address on another host.
        """
        url = self._url(path)
        started = self._monotonic()
        renewed = False
        # A write that timed out may have happened: whoever writes must be able to tell (markers) before it is repeated.
        retried = _RETRIED if method == "GET" else frozenset({429, 503})
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                answer = self._session.request(
                    method, url, params=params, json=json, timeout=self._timeout_s, allow_redirects=False,
                    headers={"Authorization": self._authorize(False), "Accept": "application/json"},
                )  # fmt: skip
            except (requests.Timeout, requests.ConnectionError) as error:
                self.requests_made += 1
                failure: DeskhandError = RetriableError(
                    f"{self._host} did not answer ({type(error).__name__})", hint="check the address and the network"
                )
                wait_s = self._backoff_s(attempt)
                can_retry = method == "GET"
            else:
                self.requests_made += 1
                if answer.status_code == 401 and not renewed:
                    renewed = True
                    self._authorize(True)
                    continue
                if answer.status_code < 300:
                    self._pace(answer.headers)
                    return self._json(answer)
                failure = self._failure(answer, method, path)
                wait_s = retry_after_s(answer.headers) or self._backoff_s(attempt)
                can_retry = answer.status_code in retried
            if not can_retry or attempt == MAX_ATTEMPTS or self._monotonic() - started + wait_s > self._deadline_s:
                raise failure
            log.info("waiting %.1f s before attempt %d: %s", wait_s, attempt + 1, failure)
            self._sleep(wait_s)
        raise FatalError(f"{self._host} keeps refusing a renewed credential", hint="run: deskhand init")

    def _url(self, path: str) -> str:
        if not path.startswith(("http://", "https://")):
            return self._base_url + path
        # `next_page` comes from the other side; following it elsewhere would hand our token to a stranger.
        if urlsplit(path).netloc != self._host:
            raise FatalError(f"{self._host} pointed to another host for the next page; not followed")
        return path

    def _backoff_s(self, attempt: int) -> float:
        return min(MAX_BACKOFF_S, 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311

    def _pace(self, headers: Mapping[str, str]) -> None:
        """Slows down before the limit is hit, as the answer's own figures say, leaving a share to people."""
        for limit, remaining, resets_s in _buckets(headers):
            keep = limit * self._reserve
            if limit and remaining <= keep and resets_s:
                wait_s = min(resets_s, self._deadline_s)
                log.info("rate limit: %d of %d requests left, waiting %.0f s", remaining, limit, wait_s)
                self._sleep(wait_s)
                return

    def _failure(self, answer: requests.Response, method: str, path: str) -> DeskhandError:
        status = answer.status_code
        what = f"{method} {_without_query(path)} on {self._host} answered {status}"
        if status == 401:
            return CredentialError(f"{what}: the credential is not accepted", hint="run: deskhand init")
        if status == 403:
            return CredentialError(f"{what}: this credential may not do that", hint="use an admin's credential")
        if status in (404, 410):
            return NotFoundError(what)
        if status == 409:
            return StaleTicketError(what)
        if status in _RETRIED:
            return RetriableError(what, hint="try again later", retry_after_s=retry_after_s(answer.headers))
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


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, in either of its forms (RFC 9110, 10.2.3); None where it is absent or wrong."""
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())


def _buckets(headers: Mapping[str, str]) -> list[tuple[int, int, float]]:
    """(limit, remaining, seconds until it resets) of each rate limit that an answer states."""
    found = []
    for name, value in headers.items():
        if name.lower().startswith("zendesk-ratelimit-"):
            parts = dict(part.strip().split("=", 1) for part in value.split(";") if "=" in part)
            found.append((_int(parts.get("total")), _int(parts.get("remaining")), float(_int(parts.get("resets")))))
    if "ratelimit-remaining" in {name.lower() for name in headers}:
        reset_s = float(_int(headers.get("ratelimit-reset")))
        found.append((_int(headers.get("ratelimit-limit")), _int(headers.get("ratelimit-remaining")), reset_s))
    return found


def _int(value: str | None) -> int:
    return int(value) if value and value.strip().isdigit() else 0


def _without_query(path: str) -> str:
    # Ids say which ticket; the query may hold a search for somebody's address.
    return urlsplit(path).path
