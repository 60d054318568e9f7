"""OAuth at Zendesk: the address where consent is asked for, and the endpoint that gives tokens.

Facts are from Zendesk's pages 'OAuth Tokens for Grant Types', 'Using PKCE to make Zendesk OAuth access tokens more
secure' and 'Announcing support for OAuth refresh token grant type': a code is valid for 120 s; refreshing gives a new
pair and deletes the old one; clients made before April 2025 get tokens that end, and refresh tokens, only where
`expires_in` is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from connectors.errors import CredentialError, RetriableError
from connectors.http.limits import retry_after_s
from connectors.settings import HelpdeskSettings
from connectors.zendesk.token_pair import Pair

# The least that works. Reading goes across everything: there is no finer scope for ticket fields, and the search export
# asks for the broad one. Writing is for tickets alone. An account can allow a client no more than it wants to; then
# `scope` in the settings says what.
SCOPE = "read tickets:write"
# While the webhook is installed; nothing else needs it.
INSTALL_SCOPE = f"{SCOPE} webhooks:write triggers:write"

# Zendesk's own defaults; it takes 300 s to 172,800 s, and up to 90 days for the refresh token.
_LIFE_S = 1800
_REFRESH_LIFE_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Consent:
    """A sign-in that is under way in a browser.

    Attributes:
        address: Where an agent says yes or no.
        redirect_uri: Where the browser is sent afterwards; the OAuth client must have it among its redirect URLs.
    """

    address: str = field(repr=False)
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    def is_answered_by(self, redirected: str) -> bool:
        """Whether an address that a browser was sent to belongs to this sign-in, and to no other."""
        return hmac.compare_digest(_parameter(redirected, "state").encode(), self.state.encode())

    def code_in(self, redirected: str) -> str:
        """The code that the redirect carries.

        Raises:
            CredentialError: It is not an answer to this sign-in, or the answer is no.
        """
        if not self.is_answered_by(redirected):
            raise CredentialError(
                "this is not the answer to the sign-in that was begun", hint="copy the whole address, or begin again"
            )
        code = _parameter(redirected, "code")
        if not code:
            # One of the words of RFC 6749, 4.1.2.1; what else might be there is not repeated.
            refusal = _parameter(redirected, "error")
            why = "nobody allowed it" if refusal == "access_denied" else "the helpdesk refused to ask"
            raise CredentialError(f"no sign-in: {why}", hint="run: deskhand init, and choose Allow")
        return code


def begin_consent(settings: HelpdeskSettings, redirect_uri: str, *, scope: str = SCOPE) -> Consent:
    """Makes the address of Zendesk's consent page, with a state and a PKCE challenge (RFC 7636) of its own."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": redirect_uri,
        "scope": settings.scope or scope,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return Consent(f"{settings.base_url}/oauth/authorizations/new?{urlencode(query)}", redirect_uri, state, verifier)


def exchange(settings: HelpdeskSettings, consent: Consent, code: str) -> Pair:
    """The first pair of tokens.

    Raises:
        CredentialError: The code is used up or too old, or the client is not known by this secret.
        RetriableError: No answer, a rate limit or a 5xx.
    """
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": consent.redirect_uri}
    grant |= {"code_verifier": consent.verifier, "scope": _parameter(consent.address, "scope")}
    return _pair(_ask(settings, grant | _lives()))


def refresh(settings: HelpdeskSettings, pair: Pair) -> Pair:
    """The next pair; the one given is void from then on.

    Raises:
        CredentialError: The refresh token is not accepted: it was used before, revoked, or is too old.
        RetriableError: As `exchange`.
    """
    if not pair.refresh_token:
        raise CredentialError("the OAuth token has ended and cannot be renewed", hint="run: deskhand init")
    return _pair(_ask(settings, {"grant_type": "refresh_token", "refresh_token": pair.refresh_token} | _lives()))


def own_token(settings: HelpdeskSettings) -> tuple[str, float]:
    """A token for the client itself, and how many seconds it lives.

    Raises:
        CredentialError: The client is not known by this secret.
        RetriableError: As `exchange`.
    """
    answer = _ask(settings, {"grant_type": "client_credentials", "scope": settings.scope or SCOPE})
    return answer["access_token"], answer["expires_in"] or _LIFE_S


def _lives() -> dict[str, Any]:
    return {"expires_in": _LIFE_S, "refresh_token_expires_in": _REFRESH_LIFE_S}


def _pair(answer: dict[str, Any]) -> Pair:
    now_s = time.time()
    ends_at = now_s + answer["expires_in"] if answer["expires_in"] else None
    return Pair(answer["access_token"], answer["refresh_token"], ends_at, answer["scope"], now_s)


def _ask(settings: HelpdeskSettings, grant: dict[str, Any]) -> dict[str, Any]:
    """`POST /oauth/tokens`; returns the four fields that we use, `expires_in` as a number, 0 where it is absent."""
    body = grant | {"client_id": settings.client_id}
    if secret := settings.client_secret.get_secret_value():
        body["client_secret"] = secret
    try:
        answer = requests.post(
            f"{settings.base_url}/oauth/tokens", json=body, timeout=settings.timeout_s, allow_redirects=False,
            auth=lambda request: request,  # or `requests` adds what ~/.netrc has for the host
        )  # fmt: skip
    except requests.RequestException as error:
        raise RetriableError(f"no OAuth token: {type(error).__name__}", hint="check the helpdesk's address") from None
    what = f"no OAuth token: the helpdesk answered {answer.status_code}"
    if answer.status_code == 429 or answer.status_code >= 500:
        raise RetriableError(what, hint="try again later", retry_after_s=retry_after_s(answer.headers))
    if answer.status_code != 200:
        raise _refused(what, answer, grant["grant_type"])
    try:
        values = answer.json()
        fields = {name: str(values.get(name) or "") for name in ("refresh_token", "scope")}
        return fields | {
            "access_token": str(values["access_token"]),
            "expires_in": float(values.get("expires_in") or 0),
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CredentialError(f"{what} without a token in it", hint="check the helpdesk's address") from None


def _refused(what: str, answer: requests.Response, grant_type: str) -> CredentialError:
    if answer.status_code not in (400, 401):
        return CredentialError(what, hint="check the helpdesk's address")
    try:
        is_client = answer.json()["error"] == "invalid_client"
    except (ValueError, KeyError, TypeError):
        is_client = False
    if is_client or grant_type == "client_credentials":
        return CredentialError(f"{what}: the OAuth client is not accepted", hint="check client_id and client_secret")
    if grant_type == "refresh_token":
        return CredentialError(f"{what}: the sign-in has ended or was replaced", hint="run: deskhand init")
    return CredentialError(f"{what}: the code is not accepted", hint="run: deskhand init; a code lasts two minutes")


def _parameter(address: str, name: str) -> str:
    """A parameter of an address's query; empty where it is absent or comes more than once."""
    try:
        found = parse_qs(urlsplit(address.strip()).query).get(name, [])
    except ValueError:
        return ""
    return found[0] if len(found) == 1 else ""
