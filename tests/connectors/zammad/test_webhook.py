"""Webhooks: set up by the API, sent by the fake as Zammad sends them, and verified."""

from __future__ import annotations

import json

import pytest

from connectors.errors import CredentialError, SkippableError, WebhookError
from connectors.zammad import webhook, webhook_setup
from connectors.zammad.client import Zammad

from .desk import ZammadDesk
from .server import CUSTOMER, MARIT, FakeZammad

ENDPOINT = "https://deskhand.acme.example/webhooks/zammad"


def test_known_signature() -> None:
    """From RFC 2202, test case 2 of HMAC-SHA1."""
    found = webhook.sign("Jefe", b"what do ya want for nothing?")
    assert found == "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"


def test_from_the_trigger_to_the_event(desk: ZammadDesk, server: FakeZammad, zammad: Zammad) -> None:
    desk.webhook_secret = zammad.install_webhook(ENDPOINT)
    number = server.open_ticket("Question")
    server.write(number, "Answer", by=MARIT)
    server.write(number, "A note", by=MARIT, kind=10, internal=True)
    ((url, headers, body),) = server.deliveries
    assert url == ENDPOINT
    content = json.loads(body)
    assert content["ticket"] == {"id": str(number)}
    assert list(content["article"]) == ["id"], "no text of the ticket"
    event = desk.helpdesk().read_webhook(headers, body)
    assert (event.ticket_id, event.delivery_id) == (str(number), headers["X-Zammad-Delivery"])


def test_default_payload(server: FakeZammad, desk: ZammadDesk) -> None:
    number = server.open_ticket("Question")
    headers, body = desk.webhook_for(str(number))
    assert b"Question" in body
    assert desk.helpdesk().read_webhook(headers, body).ticket_id == str(number)


def test_secret_is_made_once(server: FakeZammad, desk: ZammadDesk) -> None:
    desk.webhook_secret = ""
    secret = desk.helpdesk().install_webhook(ENDPOINT)
    assert len(secret) >= 32
    desk.webhook_secret = secret
    assert desk.helpdesk().install_webhook(ENDPOINT) == secret
    assert len(server.webhooks) == len(server.triggers) == 1
    (hook,) = server.webhooks.values()
    assert hook["signature_token"] == secret


def test_secret_that_is_lost(server: FakeZammad, desk: ZammadDesk) -> None:
    """Newer versions do not show it again: it is set anew, and both sides have the same one."""
    desk.webhook_secret = ""
    first = desk.helpdesk().install_webhook(ENDPOINT)
    second = desk.helpdesk().install_webhook(ENDPOINT)
    (hook,) = server.webhooks.values()
    assert first != second == hook["signature_token"]


def test_secret_that_is_shown(server: FakeZammad, desk: ZammadDesk) -> None:
    server.masks = False
    desk.webhook_secret = ""
    assert desk.helpdesk().install_webhook(ENDPOINT) == desk.helpdesk().install_webhook(ENDPOINT)


def test_other_webhooks_stay(server: FakeZammad, zammad: Zammad) -> None:
    server.webhooks[1] = {"id": 1, "endpoint": "https://other.example", "signature_token": "theirs", "active": True}
    server.triggers[2] = {
        "id": 2, "active": True, "condition": {}, "perform": {"notification.webhook": {"webhook_id": "1"}},
    }  # fmt: skip
    zammad.install_webhook(ENDPOINT)
    assert server.webhooks[1]["signature_token"] == "theirs"
    assert len(server.triggers) == 2


@pytest.mark.parametrize("missing", ["admin.webhook", "admin.trigger"])
def test_not_an_admin(missing: str, server: FakeZammad, zammad: Zammad) -> None:
    server.permissions.discard(missing)
    with pytest.raises(SkippableError) as caught:
        zammad.install_webhook(ENDPOINT)
    assert ENDPOINT in caught.value.hint


def test_switched_off(server: FakeZammad, zammad: Zammad) -> None:
    zammad.install_webhook(ENDPOINT)
    for rows in (server.triggers, server.webhooks):
        (row,) = rows.values()
        row["active"] = False
        with pytest.raises(SkippableError, match="switched it off"):
            zammad.install_webhook(ENDPOINT)


def test_bad_token_is_no_matter_of_rights(desk: ZammadDesk) -> None:
    with pytest.raises(CredentialError):
        desk.bad_credential().install_webhook(ENDPOINT)


@pytest.mark.parametrize("ticket", [{"id": True}, {"id": "1/../2"}, {"id": "\u0661"}, {"id": ""}, {}, [1], None])
def test_ids_that_are_none(ticket: object, server: FakeZammad, desk: ZammadDesk) -> None:
    body = json.dumps({"ticket": ticket}).encode()
    with pytest.raises(WebhookError) as caught:
        desk.helpdesk().read_webhook(server.signed(body, desk.webhook_secret), body)
    assert webhook.PAYLOAD in caught.value.hint


def test_customers_second_turn(server: FakeZammad, zammad: Zammad) -> None:
    zammad.install_webhook(ENDPOINT)
    number = server.open_ticket("Question")
    server.write(number, "And now?", by=CUSTOMER)
    deliveries = [headers["X-Zammad-Delivery"] for _, headers, _ in server.deliveries]
    assert len(set(deliveries)) == 2


def test_hint_by_hand_names_what_the_trigger_does() -> None:
    assert "Sender is Customer" in webhook_setup._BY_HAND
