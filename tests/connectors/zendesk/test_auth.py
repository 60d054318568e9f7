"""How Zendesk knows us, against the real endpoints of the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import CredentialError, RetriableError
from connectors.zendesk import auth
from connectors.zendesk.client import Zendesk

Connect = Callable[..., Zendesk]


@pytest.fixture
def oauth(desk: Any, connect: Connect) -> Zendesk:
    """Known by an OAuth client that fetches its own tokens."""
    sandbox = desk.sandbox
    client = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    return connect(desk.url, auth="client_credentials", token="", **client)


def test_a_bearer_token_is_known(desk: Any, connect: Connect) -> None:
    me = connect(desk.url, token=desk.token).me()
    assert (me.email, me.role, me.raw["role"]) == ("bot@desk.example", "agent", "admin")


def test_an_api_token_with_its_address_is_known(desk: Any, connect: Connect) -> None:
    assert connect(desk.url, auth="api_token", email="bot@desk.example", token=desk.token).me().name == "Deskhand"
    with pytest.raises(CredentialError):
        connect(desk.url, auth="api_token", email="marit@desk.example", token=desk.token).me()


def test_a_wrong_token_is_refused_without_showing_it(desk: Any, connect: Connect, naps: list[float]) -> None:
    with pytest.raises(CredentialError) as caught:
        connect(desk.url, token="sekrit-8d1f").me()
    assert "sekrit" not in f"{caught.value!r}{caught.value.hint}"
    assert caught.value.hint == "run: deskhand init"
    assert naps == []


def test_an_oauth_client_fetches_one_token_for_many_calls(oauth: Zendesk, desk: Any) -> None:
    assert oauth.me().name == "Deskhand"
    desk.fault("/oauth/tokens", 500, times=9)
    assert oauth.me().name == "Deskhand"


def test_a_token_that_was_revoked_is_fetched_anew(scripted: Any, connect: Connect) -> None:
    scripted.says({"access_token": "t1"})
    scripted.says(status=401)
    scripted.says({"access_token": "t2"})
    scripted.says({"user": {"id": 1}})
    connect(scripted.url, auth="client_credentials", token="", client_id="c", client_secret="s").me()
    assert [one.headers.get("Authorization") for one in scripted.requests] == [None, "Bearer t1", None, "Bearer t2"]


def test_a_token_is_renewed_before_it_ends(scripted: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr(auth, "time", type("Clock", (), {"monotonic": lambda: now_s[0]}))
    for number in (1, 2):
        scripted.says({"access_token": f"t{number}", "expires_in": 600})
        scripted.says({"user": {"id": 1}})
        if number == 1:
            scripted.says({"user": {"id": 1}})
    client = connect(scripted.url, auth="client_credentials", token="", client_id="c", client_secret="s")
    client.me()
    now_s[0] += 530
    client.me()
    now_s[0] += 20
    client.me()
    assert [one.headers.get("Authorization") for one in scripted.requests] == [
        *(None, "Bearer t1", "Bearer t1"),
        *(None, "Bearer t2"),
    ]
    assert json.loads(scripted.requests[0].body)["grant_type"] == "client_credentials"


def test_a_wrong_client_secret_is_refused_without_showing_it(desk: Any, connect: Connect) -> None:
    client = {"client_id": desk.sandbox.client_id, "client_secret": "sekrit-8d1f"}
    with pytest.raises(CredentialError, match="answered 401") as caught:
        connect(desk.url, auth="client_credentials", token="", **client).me()
    assert "sekrit" not in f"{caught.value!r}{caught.value.hint}{caught.value.__cause__!r}"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_token_endpoint_is_asked_again(status: int, oauth: Zendesk, desk: Any, naps: list[float]) -> None:
    desk.fault("/oauth/tokens", status, retry_after="3")
    assert oauth.me().name == "Deskhand"
    assert naps == [3.0]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", {}, {"access_token": "t", "expires_in": "soon"}])
def test_a_token_endpoint_that_gives_no_token_is_refused(body: object, scripted: Any, connect: Connect) -> None:
    scripted.says(body)
    client = connect(scripted.url, auth="client_credentials", token="", client_id="c", client_secret="sekrit-8d1f")
    with pytest.raises(CredentialError, match="without a token"):
        client.me()


def test_a_redirect_does_not_take_the_client_secret_along(scripted: Any, connect: Connect) -> None:
    scripted.says(status=307, headers={"Location": f"{scripted.url}/stolen"})
    client = connect(scripted.url, auth="client_credentials", token="", client_id="c", client_secret="sekrit-8d1f")
    with pytest.raises(CredentialError, match="answered 307"):
        client.me()
    assert [one.target for one in scripted.requests] == ["/oauth/tokens"]


def test_a_token_endpoint_that_hangs_up_is_a_passing_fault(scripted: Any, connect: Connect) -> None:
    scripted.says(hang_up=True, times=6)
    client = connect(scripted.url, auth="client_credentials", token="", client_id="c", client_secret="sekrit-8d1f")
    with pytest.raises(RetriableError, match="no OAuth token") as caught:
        client.me()
    assert "sekrit" not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert len(scripted.requests) == 6
