from __future__ import annotations

import base64
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

ME = "/api/v2/users/me.json"


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def test_who_may_in(app: Flask) -> None:
    token = app.extensions["sandbox"].token
    bare = app.test_client()
    assert bare.get(ME, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert bare.get(ME, headers=basic("deskhand@t.example/token", token)).status_code == 200
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic !!"},
        basic("marit@t.example/token", token),
        basic("deskhand@t.example", token),
        {"Authorization": f"Digest {token}"},
    ):
        answer = bare.get(ME, headers=headers)
        assert answer.status_code == 401
        assert answer.json == {"error": "Couldn't authenticate you"}


def test_tokens_are_stored_as_hashes_only(app: Flask) -> None:
    state = app.extensions["sandbox"]
    stored = b"".join(path.read_bytes() for path in state.database.parent.glob("sandbox.db*"))
    assert state.token.encode() not in stored
    assert state.client[1].encode() not in stored


def test_client_credentials_last_half_an_hour(app: Flask, clock: Any) -> None:
    client_id, secret = app.extensions["sandbox"].client
    bare = app.test_client()
    grant = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    answer = bare.post("/oauth/tokens", json=grant)
    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "scope", "expires_in"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("bearer", 1800)
    headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert bare.get(ME, headers=headers).json["user"]["email"] == "deskhand@t.example"
    clock.advance(1801)
    assert bare.get(ME, headers=headers).status_code == 401
    assert bare.post("/oauth/tokens", data=grant | {"scope": "read"}).json["scope"] == "read"
    wrong = bare.post("/oauth/tokens", json=grant | {"client_secret": "x"})
    assert (wrong.status_code, wrong.json["error"]) == (401, "invalid_client")
    other = bare.post("/oauth/tokens", json=grant | {"grant_type": "password"})
    assert (other.status_code, other.json["error"]) == (400, "unsupported_grant_type")


def test_account_limit_and_headers(app: Flask, client: FlaskClient, clock: Any) -> None:
    app.config["SANDBOX_REQUESTS_PER_MIN"] = 3
    answers = [client.get(ME) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert [one.headers["X-Rate-Limit-Remaining"] for one in answers] == ["2", "1", "0", "0"]
    first = answers[0].headers
    assert (first["X-Rate-Limit"], first["ratelimit-limit"], first["ratelimit-remaining"]) == ("3", "3", "2")
    assert first["ratelimit-reset"] == "60"
    clock.advance(50)
    late = client.get(ME)
    assert (late.headers["Retry-After"], late.headers["ratelimit-reset"]) == ("10", "10")
    assert late.json["error"] == "APIRateLimitExceeded"
    assert client.get("/api/v2/help_center/articles").status_code == 200, "the help centre has its own"
    clock.advance(10)
    assert client.get(ME).status_code == 200


def test_exports_have_their_own_bucket(app: Flask, client: FlaskClient) -> None:
    app.config["SANDBOX_EXPORTS_PER_MIN"] = 1
    path = "/api/v2/incremental/tickets/cursor.json?start_time=0"
    first, second = client.get(path), client.get(path)
    assert (first.status_code, second.status_code) == (200, 429)
    assert first.headers["zendesk-ratelimit-incremental-exports"] == "total=1; remaining=0; resets=60"
    assert second.headers["Retry-After"] == "60"
    assert client.get(ME).status_code == 200


def test_search_export_has_its_own_bucket(app: Flask, client: FlaskClient) -> None:
    app.config["SANDBOX_SEARCH_EXPORTS_PER_MIN"] = 1
    path = "/api/v2/search/export?filter[type]=ticket"
    assert [client.get(path).status_code for _ in range(2)] == [200, 429]


def test_faults(client: FlaskClient) -> None:
    order = {"path": r"cursor\.json.*per_page=1000", "status": 504, "times": 2, "body": "<html>Gateway</html>"}
    assert client.post("/sandbox/faults", json=order).status_code == 201
    big, small = ("/api/v2/incremental/tickets/cursor.json?start_time=0&per_page=" + n for n in ("1000", "500"))
    assert [client.get(big).status_code, client.get(small).status_code] == [504, 200]
    answer = client.get(big)
    assert (answer.status_code, answer.text) == (504, "<html>Gateway</html>")
    assert client.get(big).status_code == 200
    client.post("/sandbox/faults", json={"path": "/me", "status": 429, "retry_after": 7, "method": "get"})
    limited = client.get(ME)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    assert client.get(ME).status_code == 200


def test_faults_are_checked_listed_and_cleared(client: FlaskClient) -> None:
    for order in ({}, {"path": "("}, {"path": "x", "status": "bad"}, {"path": "x", "color": 1}, ["x"]):
        assert client.post("/sandbox/faults", json=order).status_code == 400
    client.post("/sandbox/faults", json={"path": "x", "times": 3})
    assert client.get("/sandbox/faults").json["faults"] == [{"path": "x", "status": 504, "times": 3}]
    assert client.delete("/sandbox/faults").status_code == 204
    assert client.get("/sandbox/faults").json["faults"] == []
