"""What every API request passes: ordered faults, authentication, rate limits; and what every answer carries."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, make_response, request

from connectors.errors import ConfigError
from connectors.sandbox.database import Row, fingerprint, one
from connectors.sandbox.limits import Allowance, Fault
from connectors.sandbox.oauth import require_scope
from connectors.sandbox.records import user_json
from connectors.sandbox.refusals import Refusal, forbidden, gone, invalid_endpoint, too_many_requests
from connectors.sandbox.state import base_url, database, now_s, state, user

accounts = Blueprint("accounts", __name__)

# Path -> bucket beside the account's, and the setting that holds its requests per minute; the first that fits counts.
_BUCKETS = (
    (re.compile(r"/api/v2/incremental/users/cursor"), "incremental-exports-cursor", "SANDBOX_USER_EXPORTS_PER_MIN"),
    (re.compile(r"/api/v2/incremental/"), "incremental-exports", "SANDBOX_EXPORTS_PER_MIN"),
    (re.compile(r"/api/v2/search/export"), "search-export", "SANDBOX_SEARCH_EXPORTS_PER_MIN"),
    (re.compile(r"/api/v2/deleted_tickets$"), "deleted-tickets-index", "SANDBOX_DELETED_LISTS_PER_MIN"),
)
_REFUSALS = {403: forbidden, 404: invalid_endpoint, 410: gone}


def check() -> Response | None:
    """Before each request: faults first, then who asks, then rate limits, then what the token may do."""
    path = request.path
    if path.startswith("/sandbox"):
        return None
    fault = state().faults.take(request.method, request.environ.get("sandbox.target", path))
    if fault is not None:
        return _faulty(fault)
    if path.startswith("/api/v2/"):
        if current_app.config["SANDBOX_LATENCY_S"] > 0:
            current_app.config["SANDBOX_SLEEP"](current_app.config["SANDBOX_LATENCY_S"])
        g.user = _authenticate()
        _limit(path)
        require_scope(g.user["scope"], request.method, path)
        _refuse(request.environ.get("sandbox.target", path))
    return None


def check_refused(refused: Mapping[str, int]) -> None:
    """Check the setting SANDBOX_REFUSED.

    Raises:
        ConfigError: A key is no regular expression, or a status is none that an account or role is refused with.
    """
    for pattern, status in refused.items():
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"SANDBOX_REFUSED: {pattern!r} is no regular expression", hint=str(error)) from error
        if status not in _REFUSALS:
            raise ConfigError(f"SANDBOX_REFUSED: nothing is refused with {status!r}", hint="Take 403, 404 or 410.")


def _refuse(target: str) -> None:
    """Refuse what this account's plan or this user's role does not have, by the setting SANDBOX_REFUSED."""
    for pattern, status in current_app.config["SANDBOX_REFUSED"].items():
        if re.search(pattern, target):
            raise _REFUSALS[status]()


def _faulty(fault: Fault) -> Response:
    if fault.delay_s > 0:
        current_app.config["SANDBOX_SLEEP"](min(fault.delay_s, 60.0))
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
        "select users.*, tokens.expires_s, tokens.scope from tokens join users on users.id = tokens.user_id "
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
    config = current_app.config
    if config["SANDBOX_REQUESTS_PER_MIN"]:
        g.account = state().limiter.take((account,), config["SANDBOX_REQUESTS_PER_MIN"])
        if not g.account.granted:
            raise too_many_requests(g.account.resets_s)
    found = next(((bucket, name) for pattern, bucket, name in _BUCKETS if pattern.match(path)), None)
    if found:
        bucket, name = found
        total = config["SANDBOX_EXPORTS_PER_MIN"] if config[name] is None else config[name]
        take_bucket(bucket, (), total)


def take_bucket(name: str, owner: tuple[Any, ...], total: int, window_s: float = 60.0) -> None:
    """Take one request from an endpoint's bucket; the answer says what is left in ``zendesk-ratelimit-NAME``.

    Args:
        name: The bucket, as the header names it.
        owner: Whose it is, where it is not the account's: a user, a ticket.
        total: Requests per window; 0 means no limit.
        window_s: How long a window lasts.

    Raises:
        Refusal: 429 with Retry-After.
    """
    if not total:
        return
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


@accounts.get("/api/v2/users/me")
def show_me() -> Response:
    """Who the credential belongs to."""
    return jsonify(user=user_json(user(), base_url()))
