"""Who may use the API, and how much of it: a bearer token, a rate limit for each token, small bodies."""

from __future__ import annotations

import hmac
import math
import time

from flask import Flask, current_app, request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from connectors.settings import Settings
from plugin.api.answers import ApiError
from plugin.context import context

MAX_BODY_BYTES = 16_384
_KEY = "deskhand-rate"
_ADOPTED = "secrets.toml"


class RateLimiter:
    """So many requests a minute for each token, in a window that slides, counted in this process.

    Args:
        per_minute: 0 sets no limit.
    """

    def __init__(self, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())

    def wait_s(self, key: str) -> int:
        """Counts a request; returns 0 where it may go on, else in how many seconds the next one may."""
        if self._limit is None or self._windows.hit(self._limit, key):
            return 0
        return max(1, math.ceil(self._windows.get_window_stats(self._limit, key).reset_time - time.time()))


def attach(app: Flask, settings: Settings) -> None:
    """Gives an application its limiter."""
    app.extensions[_KEY] = RateLimiter(settings.plugin.api_requests_per_min)


def admit() -> None:
    """Lets a request with a valid token pass.

    Raises:
        ApiError: 401 without one, 429 where there were too many.
    """
    request.max_content_length = MAX_BODY_BYTES
    token_id = token_of_request()
    if token_id is None:
        raise ApiError(
            "unauthorized",
            "the token is missing, wrong or revoked: make another by: deskhand token create NAME",
            401,
            {"WWW-Authenticate": 'Bearer realm="deskhand"'},
        )
    limiter = current_app.extensions[_KEY]
    assert isinstance(limiter, RateLimiter)
    if wait_s := limiter.wait_s(str(token_id)):
        raise ApiError(
            "too_many_requests", f"too many requests, go on in {wait_s} s", 429, {"Retry-After": str(wait_s)}
        )


def token_of_request() -> int | None:
    """The id of the bearer token that the request carries; None without a valid one."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        return None
    deskhand = context(current_app)
    tokens = deskhand.store().tokens
    found = tokens.check(secret)
    if found is None and hmac.compare_digest(
        secret.encode(), deskhand.settings.plugin.sidebar_token.get_secret_value().encode()
    ):
        # From before there were tokens in the store: its hash moves there at its first use, and can be revoked there.
        tokens.adopt(_ADOPTED, secret)
        return tokens.check(secret)
    return found
