"""The API's gate: tokens that come and go while it runs, rates, and what no answer may say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from connectors.store.database import Store
from plugin.api.gate import RateLimiter

PATH = "/api/v1/tickets/7/suggestion"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_token_is_valid_at_once_and_refused_at_once(client: Callable[..., object], store: Store) -> None:
    with client() as app:
        token_id, secret = store.tokens.create("another")
        assert app.get(PATH, headers=bearer(secret)).status_code == 200
        assert app.get(PATH, headers={"Authorization": f"bearer  {secret} "}).status_code == 200
        store.tokens.revoke(token_id)
        refused = app.get(PATH, headers=bearer(secret))
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="deskhand"')
        assert secret not in refused.text


def test_a_token_of_the_settings_moves_into_the_store_and_can_be_revoked(
    client: Callable[..., object], store: Store
) -> None:
    with client(sidebar_token=SecretStr("from-an-older-version")) as app:
        assert app.get(PATH, headers=bearer("from-an-older-versio")).status_code == 401
        for _ in range(2):
            assert app.get(PATH, headers=bearer("from-an-older-version")).status_code == 200
        (token,) = [one for one in store.tokens.valid() if one.name == "secrets.toml"]
        store.tokens.revoke(token.id)
        assert app.get(PATH, headers=bearer("from-an-older-version")).status_code == 401
    with client() as app:
        assert app.get(PATH, headers=bearer("")).status_code == 401


def test_too_many_requests_are_refused_by_token(client: Callable[..., object], store: Store) -> None:
    _, first = store.tokens.create("first")
    _, second = store.tokens.create("second")
    with client(api_requests_per_min=3) as app:
        assert [app.get(PATH, headers=bearer(first)).status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = app.get(PATH, headers=bearer(first))
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert refused.json is not None
        assert refused.json["error"]["code"] == "too_many_requests"
        assert app.get(PATH, headers=bearer(second)).status_code == 200, "another installation is not held up"
        assert app.get("/api/v1/openapi.json").status_code == 200


def test_the_window_slides(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = RateLimiter(2)
    assert [limiter.wait_s("a"), limiter.wait_s("a"), limiter.wait_s("a") > 0, limiter.wait_s("b")] == [0, 0, True, 0]
    assert [RateLimiter(0).wait_s("a") for _ in range(100)] == [0] * 100


def test_pages_of_other_origins_get_no_cors_headers(client: Callable[..., object], store: Store) -> None:
    _, secret = store.tokens.create("first")
    with client() as app:
        for method in ("GET", "OPTIONS"):
            answer = app.open(PATH, method=method, headers=bearer(secret) | {"Origin": "https://evil.example"})
            assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


def test_other_methods_are_refused_in_json(client: Callable[..., object], store: Store) -> None:
    _, secret = store.tokens.create("first")
    with client() as app:
        answer = app.delete(PATH, headers=bearer(secret))
        assert (answer.status_code, answer.json["error"]["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_an_answer_that_has_not_changed_is_empty(client: Callable[..., object], store: Store) -> None:
    _, secret = store.tokens.create("first")
    with client() as app:
        first = app.get(PATH, headers=bearer(secret))
        again = app.get(PATH, headers=bearer(secret) | {"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        store.inbox.put("sandbox", "d-1", "7")
        changed = app.get(PATH, headers=bearer(secret) | {"If-None-Match": first.headers["ETag"]})
        assert (changed.status_code, changed.json["state"]) == (200, "drafting")


def test_health_needs_a_token_and_says_what_waits(client: Callable[..., object], store: Store) -> None:
    _, secret = store.tokens.create("first")
    store.inbox.put("sandbox", "d-1", "7")
    with client() as app:
        assert app.get("/api/v1/health").status_code == 401
        answer = app.get("/api/v1/health", headers=bearer(secret))
        said = {"status": "not ready", "reason": "no model is live", "model": "", "waiting": 1}
        assert (answer.status_code, answer.json) == (503, said)
