"""How Zendesk knows us: a bearer token, a legacy API token, or OAuth with tokens that are renewed."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from connectors.errors import ConfigError
from connectors.settings import HelpdeskSettings
from connectors.zendesk import oauth
from connectors.zendesk.token_pair import Pair, PairFile

# Renewed this long before it ends, so that no request is under way when it does.
_MARGIN_S = 60.0


def authorizer(settings: HelpdeskSettings, home: Path | None = None) -> Callable[[bool], str]:
    """A function that gives the `Authorization` header's value; called with True it gets a new token first.

    Args:
        home: Where the pair of tokens of `authorization_code` is kept; the other kinds need none.

    Raises:
        ConfigError: No home is given for a kind that needs one.
    """
    token = settings.token.get_secret_value()
    if settings.auth == "bearer":
        return lambda _renew: f"Bearer {token}"
    if settings.auth == "api_token":
        basic = base64.b64encode(f"{settings.email}/token:{token}".encode()).decode()
        return lambda _renew: f"Basic {basic}"
    if settings.auth == "client_credentials":
        return _ClientCredentials(settings)
    if home is None:
        raise ConfigError(f"auth = '{settings.auth}' needs a home to keep its tokens in", hint="run: deskhand init")
    return _SharedPair(settings, home)


class _ClientCredentials:
    """Tokens for the OAuth client itself, kept in memory: each process has its own."""

    def __init__(self, settings: HelpdeskSettings) -> None:
        self._settings = settings
        self._token = ""
        self._ends_at = 0.0

    def __call__(self, renew: bool) -> str:
        if renew:
            self._ends_at = 0.0  # kept in mind: where no new one can be had now, the next call asks again
        if time.monotonic() > self._ends_at - _MARGIN_S:
            self._token, lives_s = oauth.own_token(self._settings)
            self._ends_at = time.monotonic() + lives_s
        return f"Bearer {self._token}"


class _SharedPair:
    """The pair of tokens in the home, which all processes use and whichever finds it due renews."""

    def __init__(self, settings: HelpdeskSettings, home: Path) -> None:
        self._settings = settings
        self._file = PairFile(home, settings.name, patience_s=3 * settings.timeout_s)
        self._pair: Pair | None = None
        self._is_refused = False

    def __call__(self, renew: bool) -> str:
        self._is_refused |= renew
        pair = self._pair = self._pair or self._file.read()
        if self._is_refused or pair.is_due(time.time()):
            # Ctrl-C and our SIGTERM raise in the main thread, which then waits here for what has begun: a pair that
            # the helpdesk gave and nobody stored would be the end of the sign-in.
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="oauth") as alone:
                pair = self._pair = alone.submit(self._renew, pair).result()
            self._is_refused = False
        return f"Bearer {pair.access_token}"

    def _renew(self, used: Pair) -> Pair:
        with self._file.locked():
            found = self._file.read()
            if found.access_token != used.access_token and not found.is_due(time.time()):
                return found  # another process was quicker
            with self._file.replacing() as put:
                pair = oauth.refresh(self._settings, found)
                put(pair)
            return pair
