"""One way out: a `requests` session with time-outs, retries, rate limits as the server states them, and redaction.

What a helpdesk answers decides what is raised: see `connectors.errors`. Bodies never get into messages or logs, since
they hold customers' words.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from connectors.errors import (
    CredentialError,
    DeskhandError,
    FatalError,
    ForbiddenError,
    RetriableError,
    SlowAnswerError,
)
from connectors.http.answers import PASSING, Answer, UnreadableAnswerError, parsed, refusal
from connectors.http.limits import MAX_PACE_S, Limits, Pause, retry_after_s, unix_seconds
from connectors.http.transport import Call, Transport
from connectors.http.waits import Wait, Waits

MAX_ATTEMPTS = 6
# A page in place of JSON may be a gateway's that is being restarted, or a wrong address's: that one should not take
# half a minute to be told.
UNREADABLE_ATTEMPTS = 3
MAX_BACKOFF_S = 60.0


class Http:
    """Requests to one helpdesk. For one thread: each has an `Http` of its own.

    Args:
        base_url: Scheme and host; credentials are sent to this host only.
        authorize: Gives the `Authorization` header's value for each request; called again after a 401 with
            `renew=True`, so that short-lived tokens can be fetched anew.
        timeout_s: How long to wait for a connection, and then for each next byte.
        answer_timeout_s: How long an answer may take from the request to its last byte.
        max_answer_bytes: An answer that is bigger is refused.
        deadline_s: How long one call may take with all its retries; then the last error is raised. What is waited for
            before a first attempt, to stay within the rate limits, does not count.
        run_deadline_s: How long the client may be used at all; sets `stop_at`.
        reserve: Share of the rate limit left to people and other integrations: below it we slow down.
        family: Which of the helpdesk's account-wide rate limits a path counts towards, where it has several.
        on_wait: Called about once a second during a wait, and with 0 seconds left at its end. May be set later.

    Attributes:
        requests_made: Requests sent so far, retries among them.
        retries: Requests that were repeated.
        server_skew_s: Seconds that the server's clock is ahead of ours, by its last `Date`; None until known.
    """

    def __init__(
        self,
        base_url: str,
        authorize: Callable[[bool], str],
        *,
        timeout_s: float = 30.0,
        answer_timeout_s: float = 120.0,
        max_answer_bytes: int = 64_000_000,
        deadline_s: float = 900.0,
        run_deadline_s: float | None = None,
        reserve: float = 0.1,
        family: Callable[[str], str] = lambda _path: "",
        on_wait: Callable[[Wait], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._origin = urlsplit(base_url)[:2]
        self._base_path = urlsplit(self._base_url).path
        self._host = self._origin[1]
        self._authorize = authorize
        self._deadline_s = deadline_s
        self._monotonic = monotonic
        self._now = now
        self._transport = Transport(
            timeout_s=timeout_s, answer_timeout_s=answer_timeout_s, max_bytes=max_answer_bytes, monotonic=monotonic
        )
        self._limits = Limits(reserve=reserve, family=family, monotonic=monotonic)
        self._waits = Waits(on_wait, sleep, monotonic)
        self.requests_made = 0
        self.retries = 0
        self.server_skew_s: float | None = None
        if run_deadline_s is not None:
            self.stop_at = monotonic() + run_deadline_s

    @property
    def stop_at(self) -> float | None:
        """Moment on the monotonic clock after which no request and no wait is begun; None for no end."""
        return self._waits.stop_at

    @stop_at.setter
    def stop_at(self, moment: float | None) -> None:
        self._waits.stop_at = moment

    @property
    def on_wait(self) -> Callable[[Wait], None] | None:
        """See the argument."""
        return self._waits.on_wait

    @on_wait.setter
    def on_wait(self, shown: Callable[[Wait], None] | None) -> None:
        self._waits.on_wait = shown

    @property
    def waited_s(self) -> float:
        """Seconds waited so far, for rate limits and before retries."""
        return self._waits.waited_s

    def close(self) -> None:
        """Closes the pooled connections."""
        self._transport.close()

    def get(
        self, path: str, params: Mapping[str, str | int] | None = None, *, slow_attempts: int = MAX_ATTEMPTS
    ) -> dict[str, Any]:
        """GET, JSON object out. See `request` for the arguments and the errors."""
        return self.send("GET", path, params=params, slow_attempts=slow_attempts)

    def get_list(
        self, path: str, params: Mapping[str, str | int] | None = None, *, slow_attempts: int = MAX_ATTEMPTS
    ) -> list[dict[str, Any]]:
        """GET, a JSON list of objects out. See `request`."""
        return self.request("GET", path, params=params, slow_attempts=slow_attempts).as_list()

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        slow_attempts: int = MAX_ATTEMPTS,
    ) -> dict[str, Any]:
        """One API call, JSON object out. See `request`."""
        return self.request(
            method, path, params=params, json=json, headers=headers, slow_attempts=slow_attempts
        ).as_object()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        slow_attempts: int = MAX_ATTEMPTS,
    ) -> Answer:
        """One API call.

        Args:
            path: A path below the base address, or an address on the same host.
            headers: More headers, for example `If-Match`; the credential is not among them.
            slow_attempts: After how many attempts to give up on answers that take too long: whoever can ask for less
                does so soon.

        Raises:
            CredentialError: 401; 403 as a ForbiddenError.
            NotFoundError: 404 or 410.
            StaleTicketError: 409 or 412.
            RetriableError: A rate limit, a time-out, a broken answer or a 5xx that outlasted the retries or the
                deadline; a SlowAnswerError after a 504 or a time-out. Or the run's time is up.
            FatalError: Another 4xx, a redirect, an answer that is too big, or an address on another host.
        """
        call = Call(method, self._url(path), params, json, headers or {})
        route = urlsplit(call.url).path.removeprefix(self._base_path)
        started = self._monotonic()
        renew = renewed = told = False
        attempt = unreadable = 0
        while True:
            attempt += 1
            pause = self._limits.claim(method, route)
            if pause and not told:  # where the server has said how long to wait, it knows best
                self._waits.wait(pause.seconds, pause.reason, attempt)
                started += pause.seconds
            self._waits.check()
            outcome = self._attempt(call, route, renew=renew)
            if isinstance(outcome, Answer):
                return outcome
            if outcome.stale_token and not renewed:
                renew = renewed = True
                continue
            # A new token that cannot be had for now is still wanted at the next attempt.
            renew = renew and not outcome.sent
            told = outcome.asked is not None
            wait = outcome.asked or Pause(
                min(MAX_BACKOFF_S, 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0),  # noqa: S311
                f"retry {attempt} of {MAX_ATTEMPTS - 1} after {outcome.why}",
            )
            unreadable += isinstance(outcome.error, UnreadableAnswerError)
            attempts = slow_attempts if isinstance(outcome.error, SlowAnswerError) else MAX_ATTEMPTS
            last = attempt >= attempts or unreadable >= UNREADABLE_ATTEMPTS
            out_of_time = self._monotonic() - started + wait.seconds > self._deadline_s
            # A write is one ticket's, and others are behind it: its caller can come back to it.
            too_long = method != "GET" and wait.seconds > MAX_PACE_S
            if not outcome.passing or last or out_of_time or too_long:
                raise outcome.error
            self._waits.wait(wait.seconds, wait.reason, attempt + 1, after=outcome.error)
            self.retries += 1

    def _attempt(self, call: Call, route: str, *, renew: bool) -> Answer | _Failure:
        what = f"{call.method} {urlsplit(call.url).path} on {self._host}"
        try:
            authorization = self._authorization(renew=renew)
        except RetriableError as error:  # no new token for now
            asked = Pause(error.retry_after_s, "server asked") if error.retry_after_s else None
            return _Failure(error, "a token that could not be had", passing=True, asked=asked, sent=False)
        # A write that timed out may have happened: whoever writes must be able to tell (markers) before it is repeated.
        repeatable = call.method == "GET"
        self.requests_made += 1
        try:
            answer, body = self._transport.send(call, authorization, what)
        except RetriableError as error:
            return _Failure(error, _why(error), passing=repeatable)
        server_now = self._server_now(answer.headers)
        self._limits.note(call.method, route, answer.headers, now=server_now)
        status = answer.status_code
        if status >= 300:
            asked_s = retry_after_s(answer.headers, now=server_now)
            asked = Pause(asked_s, "server asked") if asked_s else None
            if not asked and status in (429, 503):
                asked = self._limits.reset(call.method, route, answer.headers, now=server_now)
            passing = status in PASSING if repeatable else status in (429, 503)
            refused = refusal(status, what, asked.seconds if asked else None)
            return _Failure(refused, str(status), passing=passing, asked=asked)
        try:
            if isinstance(body, DeskhandError):
                raise body
            if call.method == "GET" and status == 200 and not body.strip():
                raise UnreadableAnswerError(f"{what} answered without a body", hint="try again later")
            return Answer(self._host, status, answer.headers, parsed(body, what))
        except RetriableError as error:
            return _Failure(error, _why(error), passing=repeatable)

    def _server_now(self, headers: Mapping[str, str]) -> float:
        now = self._now()
        date = unix_seconds(headers.get("Date", ""))
        if date is not None:
            self.server_skew_s = date - now
        return now + (self.server_skew_s or 0.0)

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


@dataclass(frozen=True, slots=True)
class _Failure:
    """An attempt that failed.

    Attributes:
        why: In a few words, for the countdown.
        passing: Whether the same request is worth another attempt.
        asked: How long the other side wants us to wait.
        sent: Whether the request went out at all.
    """

    error: DeskhandError
    why: str
    passing: bool
    asked: Pause | None = None
    sent: bool = True

    @property
    def stale_token(self) -> bool:
        return isinstance(self.error, CredentialError) and not isinstance(self.error, ForbiddenError)


def _why(error: RetriableError) -> str:
    if isinstance(error, SlowAnswerError):
        return "a time-out"
    return "an unreadable answer" if isinstance(error, UnreadableAnswerError) else "a broken connection"
