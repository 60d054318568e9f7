"""GETs that remember what the answers tell beside their data: the helpdesk's clock and its rate limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from connectors.http.client import MAX_ATTEMPTS, Http
from connectors.http.limits import stated_buckets

Json = dict[str, Any]
Query = Mapping[str, str | int]

# The Growth plan's 400 requests a minute against 10 exports a minute, until the answers tell better; see
# https://developer.zendesk.com/api-reference/introduction/rate-limits/.
PAGE_PRICE = 40.0
# Answers travel for a moment, and `Date` has whole seconds: below this the clocks agree.
_CLOCKS_AGREE_S = 5.0


def rate_limit_of(path: str) -> str:
    """Which of the account's limits a path counts towards: the Help Center has one of its own."""
    return "the Help Center" if "/api/v2/help_center/" in path else ""


class Api:
    """One account's API.

    Args:
        on_price: Told what an export's page is worth in other requests, whenever an answer tells.
    """

    def __init__(self, http: Http, *, on_price: Callable[[float], None] = lambda _: None) -> None:
        self.http = http
        self._on_price = on_price
        self._requests_per_min = 0
        self._exports_per_min = 0

    def now(self) -> int:
        """The present by the helpdesk's clock, as far as an answer has told; Unix seconds."""
        skew_s = self.http.server_skew_s or 0.0
        return int(time.time() + (skew_s if abs(skew_s) > _CLOCKS_AGREE_S else 0.0))

    def get(self, path: str, query: Query | None = None, *, slow_attempts: int = MAX_ATTEMPTS) -> Json:
        """GET, JSON object out. See `Http.request` for the other errors.

        Raises:
            RefusedError: 400 or 422: a cursor that ran out, a group that is gone.
        """
        return self._call("GET", path, params=query, slow_attempts=slow_attempts)

    def send(self, method: str, path: str, body: Json) -> Json:
        """A call that changes something. See `get`."""
        return self._call(method, path, json=body)

    def _call(self, method: str, path: str, **options: Any) -> Json:
        answer = self.http.request(method, path, **options)
        self._note(path, answer.headers)
        return answer.as_object()

    def _note(self, path: str, headers: Mapping[str, str]) -> None:
        if rate_limit_of(path):
            return
        for bucket in stated_buckets(headers, now=self.now()):
            if not bucket.name:
                self._requests_per_min = bucket.limit
            elif "incremental" in bucket.name:
                self._exports_per_min = bucket.limit
        if self._requests_per_min and self._exports_per_min:
            self._on_price(self._requests_per_min / self._exports_per_min)
