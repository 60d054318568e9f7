"""Signing in by OAuth 2.0 (RFC 6749) as Zendesk has it: consent, tokens, their rotation, and what each may do.

Shapes and limits are from Zendesk's pages 'OAuth Tokens for Grant Types' and 'Using PKCE to make Zendesk OAuth access
tokens more secure'.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, current_app, jsonify, make_response, redirect, render_template, request
from sqlite_utils import Database
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox.agent_queries import brand_name
from connectors.sandbox.database import Row, fingerprint, issue_token, one, rows, setting, transaction
from connectors.sandbox.refusals import Refusal, forbidden
from connectors.sandbox.state import database, now_s

oauth = Blueprint("oauth", __name__, template_folder="templates")

CODE_LIFE_S = 120
REFRESH_LIFE_S = 30 * 86_400
_LEAST_LIFE_S, _MOST_LIFE_S = 300, 172_800

# Made where they are missing: a demo's file from before there was consent goes on working.
_TABLES: dict[str, dict[str, type]] = {
    "oauth_codes": {
        "hash": str, "client_id": str, "user_id": int, "redirect_uri": str, "scope": str, "challenge": str,
        "expires_s": float,
    },
    "oauth_refresh_tokens": {
        "hash": str, "access_hash": str, "client_id": str, "user_id": int, "scope": str, "public": int,
        "expires_s": float,
    },
}  # fmt: skip
_ASKED = ("response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")


@oauth.get("/oauth/authorizations/new")
def show_consent() -> BaseResponse:
    """Asks whether the application may act as one of the team.

    Raises:
        Refusal: 400 where it would not be safe to send the browser back.
    """
    asked = _asked(request.args)
    if refused := _cannot_be_asked(asked):
        return refused
    db = database()
    people = rows(db, "select id, name, role from users where role != 'end-user' order by id")
    page = render_template(
        "oauth_consent.html", brand=brand_name(db), asked=asked, people=people, chosen=setting(db, "writer_id")
    )
    response = make_response(page)
    home = urlsplit(asked["redirect_uri"])
    # The form's answer is a redirect to the application, which browsers count as a part of the form's action.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {home.scheme}://{home.netloc}"
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@oauth.post("/oauth/authorizations/new")
def decide() -> BaseResponse:
    """Sends the browser back to the application, with a code that is valid for two minutes or with the refusal.

    Raises:
        Refusal: 400 as above, 403 for a form on another site's page.
    """
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise forbidden()
    asked = _asked(request.form)
    if refused := _cannot_be_asked(asked):
        return refused
    if request.form.get("decision") != "allow":
        text = "The end-user or authorization server denied the request."
        return _back(asked, error="access_denied", error_description=text)
    db = database()
    wanted = request.form.get("user_id", setting(db, "writer_id"), type=int)
    person = one(db, "select id from users where id = ? and role != 'end-user'", [wanted])
    if person is None:
        raise Refusal(400, {"error": "invalid_request", "error_description": "nobody at the desk has this id"})
    code = secrets.token_hex(32)
    row: Row = {key: asked[key] for key in ("client_id", "redirect_uri", "scope")}
    row |= {"challenge": asked["code_challenge"], "user_id": person["id"], "expires_s": now_s() + CODE_LIFE_S}
    with transaction(db):
        _make_tables(db)
        db.table("oauth_codes").insert({"hash": fingerprint(code), **row})
    return _back(asked, code=code)


@oauth.post("/oauth/tokens")
def create_token() -> Response:
    """Tokens for a code, for a refresh token, or for a client's own secret.

    Raises:
        Refusal: 400 or 401 with an `error` of RFC 6749, 5.2.
    """
    data = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    data = data if isinstance(data, dict) else {}
    grants = {"authorization_code": _exchange, "refresh_token": _rotate, "client_credentials": _own_token}
    grant = grants.get(str(data.get("grant_type")))
    if grant is None:
        text = "The authorization grant type is not supported by the authorization server."
        raise Refusal(400, {"error": "unsupported_grant_type", "error_description": text})
    db = database()
    life_s = _life_s(data)
    with transaction(db):
        _make_tables(db)
        answer = grant(db, data, life_s)
    if answer is None:  # raised here, since what was used up stays used up
        text = "The provided access grant is invalid, expired, or revoked."
        raise Refusal(400, {"error": "invalid_grant", "error_description": text})
    return jsonify(answer)


@oauth.delete("/api/v2/oauth/tokens/current")
def revoke_token() -> tuple[str, int]:
    """Ends the token that asks for it, and the refresh token beside it."""
    used = fingerprint(request.headers["Authorization"].partition(" ")[2].strip())
    db = database()
    with transaction(db):
        _make_tables(db)
        db.execute("delete from tokens where hash = ?", [used])
        db.execute("delete from oauth_refresh_tokens where access_hash = ?", [used])
    return "", 204


def require_scope(granted: str, method: str, path: str) -> None:
    """Lets a request pass that one of the token's scopes covers.

    Args:
        granted: Words such as `read` and `tickets:write`; without a resource they are for all of them.

    Raises:
        Refusal: 403 as on the real service.
    """
    resource = path.removeprefix("/api/v2/").removeprefix("incremental/").partition("/")[0].partition(".")[0]
    if resource == "oauth":
        return
    resource = "hc" if resource == "help_center" else resource
    access = "read" if method in ("GET", "HEAD", "OPTIONS") else "write"
    if not {access, resource, f"{resource}:{access}"} & set(granted.split()):
        text = f"You are missing the following required scopes: {access}"
        raise Refusal(403, {"error": "Forbidden", "description": text})


def _exchange(db: Database, data: dict[str, Any], life_s: float) -> dict[str, Any] | None:
    """A pair of tokens for a code, which is used up whatever comes of it."""
    public = _is_public(db, data)
    used = fingerprint(str(data.get("code")))
    code = one(db, "select * from oauth_codes where hash = ?", [used])
    db.execute("delete from oauth_codes where hash = ? or expires_s <= ?", [used, now_s()])
    if code is None or code["expires_s"] <= now_s() or code["client_id"] != data.get("client_id"):
        return None
    if code["redirect_uri"] != data.get("redirect_uri"):
        return None
    digest = hashlib.sha256(str(data.get("code_verifier", "")).encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if code["challenge"] and not hmac.compare_digest(code["challenge"], challenge):
        return None
    if public and not code["challenge"]:
        raise _unknown_client()  # neither the secret nor PKCE proves who asks
    return _pair(db, code, data, life_s, public=public)


def _rotate(db: Database, data: dict[str, Any], life_s: float) -> dict[str, Any] | None:
    """A new pair of tokens; the old one is gone at once."""
    public = _is_public(db, data)
    used = fingerprint(str(data.get("refresh_token")))
    old = one(db, "select * from oauth_refresh_tokens where hash = ?", [used])
    if old is None or old["expires_s"] <= now_s() or old["client_id"] != data.get("client_id"):
        return None
    if public and not old["public"]:
        raise _unknown_client()
    db.execute("delete from oauth_refresh_tokens where hash = ?", [used])
    db.execute("delete from tokens where hash = ?", [old["access_hash"]])
    return _pair(db, old, data, life_s, public=public)


def _own_token(db: Database, data: dict[str, Any], life_s: float) -> dict[str, Any]:
    """A token that acts as whoever made the client; there is no refresh token (RFC 6749, 4.4.3)."""
    if _is_public(db, data):
        raise _unknown_client()
    client = one(db, "select user_id from oauth_clients where id = ?", [str(data["client_id"])])
    assert client is not None
    scope = str(data.get("scope") or "read write")
    token = issue_token(db, client["user_id"], scope=scope, expires_s=now_s() + life_s)
    return {"access_token": token, "token_type": "bearer", "scope": scope, "expires_in": life_s}


def _pair(db: Database, granted: Row, data: dict[str, Any], life_s: float, *, public: bool) -> dict[str, Any]:
    scope, user_id = str(granted["scope"]), int(granted["user_id"])
    access, refresh = issue_token(db, user_id, scope=scope, expires_s=now_s() + life_s), secrets.token_hex(32)
    row: Row = {"client_id": granted["client_id"], "user_id": user_id, "scope": scope, "public": public}
    row |= {"hash": fingerprint(refresh), "access_hash": fingerprint(access), "expires_s": now_s() + REFRESH_LIFE_S}
    db.table("oauth_refresh_tokens").insert(row)
    lives = {"expires_in": life_s, "refresh_token_expires_in": REFRESH_LIFE_S}
    return {"access_token": access, "refresh_token": refresh, "token_type": "bearer", "scope": scope, **lives}


def _asked(given: Any) -> dict[str, str]:
    return {key: str(given.get(key, "")) for key in _ASKED}


def _cannot_be_asked(asked: dict[str, str]) -> BaseResponse | None:
    """What is wrong with a request for consent: said to the application where its address can be trusted."""
    if one(database(), "select id from oauth_clients where id = ?", [asked["client_id"]]) is None:
        raise Refusal(400, {"error": "invalid_client", "error_description": "no such OAuth client"})
    home = urlsplit(asked["redirect_uri"])
    # What Zendesk lets an admin register: https, except on the machine itself.
    if home.scheme != "https" and (home.scheme, home.hostname) not in {("http", "127.0.0.1"), ("http", "localhost")}:
        raise Refusal(400, {"error": "invalid_request", "error_description": "redirect_uri is not one of the client's"})
    if asked["response_type"] != "code":
        return _back(asked, error="unsupported_response_type", error_description="response_type must be code")
    if not asked["scope"] or (asked["code_challenge"] and asked["code_challenge_method"] != "S256"):
        text = "scope is required, and code_challenge_method must be S256"
        return _back(asked, error="invalid_request", error_description=text)
    return None


def _back(asked: dict[str, str], **answer: str) -> BaseResponse:
    given = answer | ({"state": asked["state"]} if asked["state"] else {})
    joint = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    return redirect(asked["redirect_uri"] + joint + urlencode(given))


def _is_public(db: Database, data: dict[str, Any]) -> bool:
    """Whether the client came without its secret; a wrong one is refused."""
    client = one(db, "select * from oauth_clients where id = ?", [str(data.get("client_id"))])
    secret = data.get("client_secret")
    if client is None or (secret and not hmac.compare_digest(client["secret_hash"], fingerprint(str(secret)))):
        raise _unknown_client()
    return not secret


def _unknown_client() -> Refusal:
    text = "Client authentication failed due to unknown client, or wrong secret."
    return Refusal(401, {"error": "invalid_client", "error_description": text})


def _life_s(data: dict[str, Any]) -> float:
    """How long an access token lives: what is asked for, at most what the sandbox is set to."""
    most: float = current_app.config["SANDBOX_TOKEN_LIFE_S"]
    try:
        wanted = int(data.get("expires_in") or _MOST_LIFE_S)
    except (TypeError, ValueError):
        wanted = 0
    if not _LEAST_LIFE_S <= wanted <= _MOST_LIFE_S:
        text = f"expires_in must be between {_LEAST_LIFE_S} and {_MOST_LIFE_S}"
        raise Refusal(400, {"error": "invalid_request", "error_description": text})
    return min(most, wanted)


def _make_tables(db: Database) -> None:
    for name, columns in _TABLES.items():
        db.table(name).create(columns, pk="hash", if_not_exists=True)
