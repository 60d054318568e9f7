"""How Zendesk knows us: a bearer token, a legacy API token, or an OAuth client that fetches short-lived tokens."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import requests

from connectors.errors import CredentialError, RetriableError
from connectors.http import retry_after_s
from connectors.settings import HelpdeskSettings

# Renewed this long before it ends, so that no request is under way when it does.
_MARGIN_S = 60.0
_LIVES_S = 1800.0


def authorizer(settings: HelpdeskSettings) -> Callable[[bool], str]:
    """A function that gives the `Authorization` header's value; called with True it gets a new token first."""
    token = settings.token.get_secret_value()
    if settings.auth == "bearer":
        return lambda _renew: f"Bearer {token}"
    if settings.auth == "api_token":
        basic = base64.b64encode(f"{settings.email}/token:{token}".encode()).decode()
        return lambda _renew: f"Basic {basic}"
    return _ClientCredentials(settings)


class _ClientCredentials:
    """`POST /oauth/tokens` with the client's id and secret; tokens live 30 minutes unless the answer differs."""

    def __init__(self, settings: HelpdeskSettings) -> None:
        self._settings = settings
        self._token = ""
        self._ends_at = 0.0

    def __call__(self, renew: bool) -> str:
        if renew or time.monotonic() > self._ends_at - _MARGIN_S:
            self._fetch()
        return f"Bearer {self._token}"

    def _fetch(self) -> None:
        settings = self._settings
        body = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
            "scope": "read write",
        }
        try:
            answer = requests.post(
                f"{settings.base_url}/oauth/tokens", json=body, timeout=settings.timeout_s, allow_redirects=False,
                auth=lambda request: request,  # or `requests` adds what ~/.netrc has for the host
            )  # fmt: skip
        except requests.RequestException as error:
            raise RetriableError(
                f"no OAuth token: {type(error).__name__}", hint="check the helpdesk's address"
            ) from None
        what = f"no OAuth token: the helpdesk answered {answer.status_code}"
        if answer.status_code == 429 or answer.status_code >= 500:
            raise RetriableError(what, hint="try again later", retry_after_s=retry_after_s(answer.headers))
        if answer.status_code != 200:
            raise CredentialError(what, hint="check client_id and client_secret")
        try:
            values = answer.json()
            token, lives_s = str(values["access_token"]), float(values.get("expires_in") or _LIVES_S)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CredentialError(f"{what} without a token in it", hint="check the helpdesk's address") from None
        self._token, self._ends_at = token, time.monotonic() + lives_s
