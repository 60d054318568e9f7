"""The sandbox's OAuth: consent, codes that count once, tokens that rotate, and scopes that hold."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlite_utils import Database
from werkzeug.test import TestResponse

from connectors.sandbox.server import create_app

ME = "/api/v2/users/me.json"
CONSENT = "/oauth/authorizations/new"
REDIRECT = "http://127.0.0.1:8643/callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REFUSED = {"invalid_grant": 400, "invalid_client": 401, "invalid_request": 400, "unsupported_grant_type": 400}

Ask = Callable[..., TestResponse]


@pytest.fixture
def bare(app: Flask) -> FlaskClient:
    """Somebody without a token."""
    return app.test_client()


@pytest.fixture
def wanted(app: Flask) -> dict[str, str]:
    """What an application asks for."""
    return {
        "response_type": "code",
        "client_id": app.extensions["sandbox"].client[0],
        "redirect_uri": REDIRECT,
        "scope": "read",
        "state": "s 1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }


@pytest.fixture
def allow(bare: FlaskClient, wanted: dict[str, str]) -> Callable[..., str]:
    """Says yes on the consent page; returns the code."""

    def allow(**changes: str) -> str:
        answer = bare.post(CONSENT, data=wanted | {"decision": "allow"} | changes)
        assert answer.status_code == 302
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]

    return allow


@pytest.fixture
def ask(app: Flask, bare: FlaskClient) -> Ask:
    """Asks the token endpoint as a confidential client; None leaves a parameter out."""

    def ask(grant_type: str, **more: Any) -> TestResponse:
        client_id, secret = app.extensions["sandbox"].client
        usual = {"client_id": client_id, "client_secret": secret, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        body = {key: value for key, value in (usual | more).items() if value is not None}
        return bare.post("/oauth/tokens", json=body | {"grant_type": grant_type})

    return ask


def refusal(answer: TestResponse) -> str:
    word = str(answer.json["error"])
    assert answer.status_code == REFUSED[word]
    return word


def status(bare: FlaskClient, token: str, method: str = "GET", path: str = ME) -> int:
    return bare.open(path, method=method, json={}, headers={"Authorization": f"Bearer {token}"}).status_code


# ---- consent


def test_the_page_says_who_asks_for_what(bare: FlaskClient, wanted: dict[str, str]) -> None:
    answer = bare.get(CONSENT, query_string=wanted | {"scope": "read tickets:write", "state": '"><script>'})
    assert answer.status_code == 200
    assert all(word in answer.text for word in ("deskhand", "<code>tickets:write</code>", "Marit (admin)"))
    assert "<script" not in answer.text
    assert "form-action 'self' http://127.0.0.1:8643" in answer.headers["Content-Security-Policy"]


def test_yes_and_no_go_back_to_the_application_with_its_state(bare: FlaskClient, wanted: dict[str, str]) -> None:
    for decision, expected in (("allow", "code"), ("deny", "error")):
        answer = bare.post(CONSENT, data=wanted | {"decision": decision})
        assert answer.headers["Location"].startswith(f"{REDIRECT}?")
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert expected in query
        assert query["state"] == ["s 1"]
    assert query["error"] == ["access_denied"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"client_id": "stranger"}, "invalid_client"),
        ({"redirect_uri": "http://evil.example/callback"}, "invalid_request"),
        ({"redirect_uri": "/callback"}, "invalid_request"),
        ({"redirect_uri": ""}, "invalid_request"),
        ({"user_id": "404"}, "invalid_request"),
    ],
)
def test_the_browser_is_not_sent_where_it_might_harm(
    changes: dict[str, str], word: str, bare: FlaskClient, wanted: dict[str, str]
) -> None:
    answer = bare.post(CONSENT, data=wanted | {"decision": "allow"} | changes)
    assert (answer.status_code, answer.json["error"]) == (400, word)
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_what_the_application_got_wrong_is_said_to_it(
    changes: dict[str, str], word: str, bare: FlaskClient, wanted: dict[str, str]
) -> None:
    for answer in (
        bare.get(CONSENT, query_string=wanted | changes),
        bare.post(CONSENT, data=wanted | {"decision": "allow"} | changes),
    ):
        assert parse_qs(urlsplit(answer.headers["Location"]).query)["error"] == [word]


def test_another_sites_form_cannot_say_yes(bare: FlaskClient, wanted: dict[str, str]) -> None:
    data = wanted | {"decision": "allow"}
    assert bare.post(CONSENT, data=data, headers={"Origin": "http://evil.example"}).status_code == 403
    assert bare.post(CONSENT, data=data, headers={"Origin": "http://localhost"}).status_code == 302


# ---- tokens


def test_a_code_gives_a_pair_that_acts_as_who_allowed_it(
    allow: Callable[..., str], ask: Ask, bare: FlaskClient
) -> None:
    answer = ask("authorization_code", code=allow(user_id="5009"))
    assert answer.status_code == 200
    assert answer.json | {"access_token": 0, "refresh_token": 0} == {
        "access_token": 0,
        "refresh_token": 0,
        "token_type": "bearer",
        "scope": "read",
        "expires_in": 1800,
        "refresh_token_expires_in": 2_592_000,
    }
    me = bare.get(ME, headers={"Authorization": f"Bearer {answer.json['access_token']}"})
    assert me.json["user"]["email"] == "karim@t.example"


def test_a_code_counts_once_and_for_two_minutes(allow: Callable[..., str], ask: Ask, clock: Any) -> None:
    code = allow()
    assert ask("authorization_code", code=code).status_code == 200
    assert refusal(ask("authorization_code", code=code)) == "invalid_grant"
    code = allow()
    clock.advance(121)
    assert refusal(ask("authorization_code", code=code)) == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"redirect_uri": "http://127.0.0.1:9/callback"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code": "x"}, "invalid_grant"),
        ({"client_secret": "x"}, "invalid_client"),
        ({"client_id": "x"}, "invalid_client"),
        ({"expires_in": 20}, "invalid_request"),
        ({"expires_in": "soon"}, "invalid_request"),
        ({"expires_in": 200_000}, "invalid_request"),
    ],
)
def test_a_code_is_for_the_one_who_asked(
    changes: dict[str, Any], word: str, allow: Callable[..., str], ask: Ask
) -> None:
    code = allow()
    assert refusal(ask("authorization_code", **({"code": code} | changes))) == word
    if word == "invalid_grant" and "code" not in changes:
        assert refusal(ask("authorization_code", code=code)) == "invalid_grant", "it was used up"


def test_a_public_client_must_have_used_a_challenge(allow: Callable[..., str], ask: Ask) -> None:
    assert ask("authorization_code", code=allow(), client_secret=None).status_code == 200
    plain = allow(code_challenge="", code_challenge_method="")
    assert refusal(ask("authorization_code", code=plain, client_secret=None, code_verifier=None)) == "invalid_client"
    plain = allow(code_challenge="", code_challenge_method="")
    assert ask("authorization_code", code=plain, code_verifier=None).status_code == 200


def test_refreshing_ends_both_old_tokens_at_once(allow: Callable[..., str], ask: Ask, bare: FlaskClient) -> None:
    first = ask("authorization_code", code=allow()).json
    second = ask("refresh_token", refresh_token=first["refresh_token"]).json
    assert second.keys() == first.keys()
    assert (status(bare, first["access_token"]), status(bare, second["access_token"])) == (401, 200)
    assert refusal(ask("refresh_token", refresh_token=first["refresh_token"])) == "invalid_grant"
    assert ask("refresh_token", refresh_token=second["refresh_token"]).json["scope"] == "read"


def test_a_refresh_token_outlives_its_access_token_by_thirty_days(
    allow: Callable[..., str], ask: Ask, bare: FlaskClient, clock: Any
) -> None:
    pair = ask("authorization_code", code=allow()).json
    clock.advance(1801)
    assert status(bare, pair["access_token"]) == 401
    clock.advance(29 * 86_400)
    pair = ask("refresh_token", refresh_token=pair["refresh_token"]).json
    assert status(bare, pair["access_token"]) == 200
    clock.advance(30 * 86_400 + 1)
    assert refusal(ask("refresh_token", refresh_token=pair["refresh_token"])) == "invalid_grant"


def test_a_confidential_clients_refresh_token_needs_the_secret(allow: Callable[..., str], ask: Ask) -> None:
    pair = ask("authorization_code", code=allow()).json
    bare_ask = ask("refresh_token", refresh_token=pair["refresh_token"], client_secret=None)
    assert refusal(bare_ask) == "invalid_client"
    assert ask("refresh_token", refresh_token=pair["refresh_token"]).status_code == 200
    public = ask("authorization_code", code=allow(), client_secret=None).json
    assert ask("refresh_token", refresh_token=public["refresh_token"], client_secret=None).status_code == 200


def test_a_revoked_token_takes_its_refresh_token_along(allow: Callable[..., str], ask: Ask, bare: FlaskClient) -> None:
    pair = ask("authorization_code", code=allow()).json
    assert status(bare, pair["access_token"], "DELETE", "/api/v2/oauth/tokens/current.json") == 204
    assert status(bare, pair["access_token"]) == 401
    assert refusal(ask("refresh_token", refresh_token=pair["refresh_token"])) == "invalid_grant"


def test_lives_are_what_was_asked_for_up_to_what_is_set(app: Flask, ask: Ask) -> None:
    assert ask("client_credentials", expires_in=600).json["expires_in"] == 600
    assert ask("client_credentials", expires_in=172_800).json["expires_in"] == 1800
    app.config["SANDBOX_TOKEN_LIFE_S"] = 5
    assert ask("client_credentials").json["expires_in"] == 5


def test_a_clients_own_token_needs_the_secret(ask: Ask) -> None:
    assert refusal(ask("client_credentials", client_secret=None)) == "invalid_client"
    assert refusal(ask("password")) == "unsupported_grant_type"


def test_no_token_and_no_code_is_stored_in_plain_text(allow: Callable[..., str], ask: Ask, app: Flask) -> None:
    waiting, pair = allow(), ask("authorization_code", code=allow()).json
    folder = app.extensions["sandbox"].database.parent
    stored = b"".join(path.read_bytes() for path in folder.glob("sandbox.db*"))
    for secret in (waiting, pair["access_token"], pair["refresh_token"]):
        assert secret.encode() not in stored


def test_a_file_from_before_there_was_consent_goes_on_working(app: Flask, clock: Any) -> None:
    path = app.extensions["sandbox"].database
    db = Database(path)
    assert "oauth_codes" not in db.table_names()
    db.close()
    later = create_app(path, SANDBOX_CLOCK=clock)
    client_id, secret = later.extensions["sandbox"].client
    grant = {"grant_type": "refresh_token", "client_id": client_id, "client_secret": secret, "refresh_token": "x"}
    assert refusal(later.test_client().post("/oauth/tokens", json=grant)) == "invalid_grant"


# ---- scopes


@pytest.mark.parametrize(
    ("scope", "method", "path", "allowed"),
    [
        ("read", "GET", "/api/v2/tickets/1.json", True),
        ("read", "PUT", "/api/v2/tickets/1.json", False),
        ("write", "GET", "/api/v2/tickets/1.json", False),
        ("tickets:read", "GET", "/api/v2/tickets/1/comments.json", True),
        ("tickets:read", "GET", "/api/v2/incremental/tickets/cursor.json", True),
        ("tickets:read", "GET", ME, False),
        ("users:read", "GET", ME, True),
        ("hc:read", "GET", "/api/v2/help_center/articles.json", True),
        ("read tickets:write", "PUT", "/api/v2/tickets/1.json", True),
        ("read tickets:write", "POST", "/api/v2/webhooks", False),
        ("read webhooks:write", "POST", "/api/v2/webhooks", True),
        ("tickets", "PUT", "/api/v2/tickets/1.json", True),
        ("nonsense", "GET", ME, False),
    ],
)
def test_a_token_may_do_what_its_scopes_say(
    scope: str, method: str, path: str, allowed: bool, ask: Ask, bare: FlaskClient
) -> None:
    token = ask("client_credentials", scope=scope).json["access_token"]
    answer = bare.open(path, method=method, json={}, headers={"Authorization": f"Bearer {token}"})
    missing = "required scopes" in answer.text
    assert missing is not allowed
    assert (answer.status_code == 403) is missing
