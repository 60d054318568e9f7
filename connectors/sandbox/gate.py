"""What every API request passes: ordered faults, authentication, rate limits; and what every answer carries."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, make_response, request

from connectors.sandbox.database import Row, fingerprint, issue_token, one, transaction
from connectors.sandbox.limits import Allowance, Fault
from connectors.sandbox.records import user_json
from connectors.sandbox.refusals import Refusal, too_many_requests
from connectors.sandbox.state import base_url, database, now_s, state, user

accounts = Blueprint("accounts", __name__)
TOKEN_LIFE_S = 1800

# Path -> bucket beside the account's, and the setting that holds its requests per minute.
_BUCKETS = (
    (re.compile(r"/api/v2/incremental/"), "incremental-exports", "SANDBOX_EXPORTS_PER_MIN"),
    (re.compile(r"/api/v2/search/export"), "search-export", "SANDBOX_SEARCH_EXPORTS_PER_MIN"),
)


def check() -> Response | None:
    """Before each request: faults first, then who asks, then the account's and the endpoint's rate limits."""
    path = request.path
    if path.startswith("/sandbox"):
        return None
    fault = state().faults.take(request.method, request.environ.get("sandbox.target", path))
    if fault is not None:
        return _faulty(fault)
    if path.startswith("/api/v2/"):
        g.user = _authenticate()
        _limit(path)
    return None


def _faulty(fault: Fault) -> Response:
    if fault.delay_s > 0:
        time.sleep(min(fault.delay_s, 60.0))
    body = fault.body if fault.body is not None else {"error": "ordered by a test"}
    response = make_response(body if isinstance(body, str) else jsonify(body), fault.status)
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _authenticate() -> Row:
    kind, _, credential = request.headers.get("Authorization", "").partition(" ")
    email = None
    if kind.lower() == "basic":
        try:
            name, _, credential = base64.b64decode(credential.strip()).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _unauthenticated() from None
        email, _, suffix = name.rpartition("/")
        if suffix != "token":  # plain passwords are long gone
            raise _unauthenticated()
    elif kind.lower() != "bearer":
        raise _unauthenticated()
    sql = (
        "select users.*, tokens.expires_s from tokens join users on users.id = tokens.user_id "
        "where tokens.hash = ? and users.role != 'end-user'"
    )
    found = one(database(), sql, [fingerprint(credential.strip())])
    if found is None or (email is not None and found["email"] != email.lower()):
        raise _unauthenticated()
    if found["expires_s"] is not None and found["expires_s"] <= now_s():
        raise _unauthenticated()
    return found


def _unauthenticated() -> Refusal:
    return Refusal(401, {"error": "Couldn't authenticate you"}, {"WWW-Authenticate": 'Basic realm="Sandbox"'})


def _limit(path: str) -> None:
    # The Help Center counts for itself, as on the real service.
    account = "help_center" if path.startswith("/api/v2/help_center/") else "account"
    g.account = state().limiter.take((account,), current_app.config["SANDBOX_REQUESTS_PER_MIN"])
    if not g.account.granted:
        raise too_many_requests(g.account.resets_s)
    for pattern, bucket, name in _BUCKETS:
        if pattern.match(path):
            take_bucket(bucket, (), current_app.config[name])


def take_bucket(name: str, owner: tuple[Any, ...], total: int, window_s: float = 60.0) -> None:
    """Take one request from an endpoint's bucket; the answer says what is left in ``zendesk-ratelimit-NAME``.

    Args:
        name: The bucket, as the header names it.
        owner: Whose it is, where it is not the account's: a user, a ticket.
        total: Requests per window.
        window_s: How long a window lasts.

    Raises:
        Refusal: 429 with Retry-After.
    """
    allowance = state().limiter.take((name, *owner), total, window_s)
    buckets: dict[str, str] = g.setdefault("buckets", {})
    buckets[name] = f"total={allowance.total}; remaining={allowance.remaining}; resets={allowance.resets_s}"
    if not allowance.granted:
        raise too_many_requests(allowance.resets_s)


def add_headers(response: Response) -> Response:
    """After each request: the rate-limit headers, on refusals as well."""
    allowance: Allowance | None = g.get("account")
    if allowance is not None:
        response.headers["X-Rate-Limit"] = response.headers["ratelimit-limit"] = str(allowance.total)
        response.headers["X-Rate-Limit-Remaining"] = str(allowance.remaining)
        response.headers["ratelimit-remaining"] = str(allowance.remaining)
        response.headers["ratelimit-reset"] = str(allowance.resets_s)
    for name, text in g.get("buckets", {}).items():
        response.headers[f"zendesk-ratelimit-{name}"] = text
    return response


@accounts.post("/oauth/tokens")
def create_token() -> Response:
    """OAuth 2.0 client credentials (RFC 6749, 4.4): a bearer token for 30 minutes."""
    data = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    data = data if isinstance(data, dict) else {}
    if data.get("grant_type") != "client_credentials":
        text = "The authorization grant type is not supported by the authorization server."
        raise Refusal(400, {"error": "unsupported_grant_type", "error_description": text})
    client = one(database(), "select * from oauth_clients where id = ?", [str(data.get("client_id"))])
    given = fingerprint(str(data.get("client_secret")))
    if client is None or not hmac.compare_digest(client["secret_hash"], given):
        text = "Client authentication failed due to unknown client, or wrong secret."
        raise Refusal(401, {"error": "invalid_client", "error_description": text})
    scope = str(data.get("scope") or "read write")
    with transaction(database()):
        token = issue_token(database(), client["user_id"], scope=scope, expires_s=now_s() + TOKEN_LIFE_S)
    return jsonify(access_token=token, token_type="bearer", scope=scope, expires_in=TOKEN_LIFE_S)  # noqa: S106


@accounts.get("/api/v2/users/me")
def show_me() -> Response:
    """Who the credential belongs to."""
    return jsonify(user=user_json(user(), base_url()))
