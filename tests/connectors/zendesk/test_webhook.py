"""Webhooks: set up once, fired by customers only; only what our helpdesk signed, only now, is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import SkippableError, WebhookError
from connectors.records import WriteBack
from connectors.sandbox.state import database
from connectors.zendesk import webhook, webhook_setup
from connectors.zendesk.client import Zendesk

# From Zendesk's documentation.
SECRET = "HRkRd4BeOAoUkfZr-mhauJT64rvBASlJRoIyPsd3zeA="
TIMESTAMP = "2021-07-25T10:00:00Z"
SIGNATURE = "Rry/4TtIdFyawtXXp8QdI6tlAUUQ/5kL1OTp5qo/ZIk="
NOW = datetime(2021, 7, 25, 10, 0, 0, tzinfo=UTC)
BODY = b'{"ticket_id": "35436"}'


def headers(body: bytes = BODY, timestamp: str = TIMESTAMP, secret: str = SECRET) -> dict[str, str]:
    return {
        "X-Zendesk-Webhook-Signature": webhook.sign(secret, timestamp, body),
        "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
        "X-Zendesk-Webhook-Invocation-Id": "01FB",
    }


def read(body: bytes = BODY, given: dict[str, str] | None = None, **changes: Any) -> Any:
    options = {"secret": SECRET, "max_age_s": 300, "now": NOW} | changes
    return webhook.read(headers(body) if given is None else given, body, **options)


def refused(*args: Any, **changes: Any) -> str:
    with pytest.raises(WebhookError) as caught:
        read(*args, **changes)
    assert SECRET not in f"{caught.value!r}{caught.value.hint}"
    return str(caught.value)


def test_the_signature_is_the_documented_one() -> None:
    assert webhook.sign(SECRET, TIMESTAMP, b'{"say": "hello"}') == SIGNATURE


def test_a_signed_webhook_says_which_ticket() -> None:
    event = read()
    assert (event.ticket_id, event.delivery_id) == ("35436", "01FB")


def test_header_names_match_in_any_case() -> None:
    assert read(given={name.upper(): value for name, value in headers().items()}).ticket_id == "35436"


def test_the_raw_bytes_are_what_is_signed() -> None:
    pretty = b'{\n  "ticket_id": "35436"\n}\n'
    assert read(pretty).ticket_id == "35436"
    assert "does not match" in refused(BODY, headers(pretty)), "the same object in other bytes"


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_body_with_any_byte_changed_is_refused(place: int, difference: int) -> None:
    changed = bytearray(BODY)
    changed[place] ^= difference
    assert "does not match" in refused(bytes(changed), headers(BODY))


@given(st.text(max_size=50))
def test_no_made_up_signature_is_believed(signature: str) -> None:
    assert "does not match" in refused(BODY, headers() | {"X-Zendesk-Webhook-Signature": signature})


def test_a_webhook_without_signature_or_timestamp_is_refused() -> None:
    for name in ("X-Zendesk-Webhook-Signature", "X-Zendesk-Webhook-Signature-Timestamp"):
        assert "does not match" in refused(BODY, {key: value for key, value in headers().items() if key != name})
    assert "does not match" in refused(BODY, {})


def test_without_a_secret_nothing_is_believed() -> None:
    assert "no webhook secret" in refused(BODY, headers(secret=""), secret="")


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_within_the_window_a_webhook_is_believed(seconds: int) -> None:
    assert read(now=NOW + timedelta(seconds=seconds)).ticket_id == "35436"


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_recorded_webhook_cannot_be_played_later(seconds: int) -> None:
    assert "s old" in refused(now=NOW + timedelta(seconds=seconds))


def test_a_newer_timestamp_on_a_recorded_webhook_is_noticed() -> None:
    later = headers() | {"X-Zendesk-Webhook-Signature-Timestamp": "2021-07-25T11:00:00Z"}
    assert "does not match" in refused(BODY, later, now=NOW + timedelta(hours=1))


def test_a_timestamp_that_is_no_time_is_refused_even_when_signed() -> None:
    assert "is no time" in refused(BODY, headers(timestamp="soon"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ticket 7",
        b"[7]",
        b"null",
        b'"7"',
        b"\xff",
        b"{}",
        b'{"ticket_id": ""}',
        b'{"ticket_id": null}',
        b'{"ticket_id": "7/../8"}',
        b'{"ticket_id": "\xc2\xb2"}',
        b'{"ticket_id": "-7"}',
        b'{"ticket_id": 7.5}',
        b'{"ticket_id": "123456789012345678901"}',
    ],
)
def test_a_body_without_a_ticket_number_is_refused(body: bytes) -> None:
    assert "ticket_id" in refused(body)


def test_a_number_may_come_without_quotes() -> None:
    assert read(b'{"ticket_id": 7, "more": "is fine"}').ticket_id == "7"


def test_without_an_id_the_same_delivery_is_still_known_again() -> None:
    def delivery(body: bytes, timestamp: str = TIMESTAMP) -> str:
        given = {name: value for name, value in headers(body, timestamp).items() if "Invocation" not in name}
        return str(read(body, given).delivery_id)

    assert delivery(BODY) == delivery(BODY)
    assert len({delivery(BODY), delivery(b'{"ticket_id": 8}'), delivery(BODY, "2021-07-25T10:00:01Z")}) == 3


def test_what_our_trigger_sends_is_what_we_read() -> None:
    body = webhook.TRIGGER_BODY.replace("{{ticket.id}}", "35436").encode()
    assert json.loads(body) == {"ticket_id": "35436"}
    assert read(body).ticket_id == "35436"


def test_a_webhook_of_the_running_helpdesk_is_believed(
    desk: Any, scripted: Any, connect: Callable[..., Zendesk]
) -> None:
    secret = connect(desk.url, token=desk.token).install_webhook(f"{scripted.url}/webhooks/zendesk")
    scripted.says()
    ticket_id = desk.open_ticket("Where is my parcel?")
    request = scripted.wait_for(1)[0]
    event = connect(desk.url, token=desk.token, webhook_secret=secret).read_webhook(request.headers, request.body)
    assert event.ticket_id == ticket_id
    assert event.delivery_id
    with pytest.raises(WebhookError):
        connect(desk.url, webhook_secret="other").read_webhook(request.headers, request.body)


# Setting it up

HOOK = "http://127.0.0.1:9/hook"


def trigger_of(desk: Any) -> dict[str, Any]:
    (trigger,) = desk.call("GET", "/api/v2/triggers")["triggers"]
    return dict(trigger)


def fired(desk: Any, ticket_id: str) -> int:
    return len(desk.call("GET", f"/sandbox/deliveries?ticket_id={ticket_id}")["deliveries"])


def test_the_webhook_is_set_up_once(zendesk: Zendesk, desk: Any) -> None:
    secret = zendesk.install_webhook(HOOK)
    assert len(secret) > 20
    assert zendesk.install_webhook(HOOK) == secret
    assert len(desk.call("GET", "/api/v2/webhooks")["webhooks"]) == 1
    assert trigger_of(desk)["actions"][0]["value"][1] == webhook.TRIGGER_BODY
    assert zendesk.install_webhook("http://127.0.0.1:9/other") != secret
    assert len(desk.call("GET", "/api/v2/triggers")["triggers"]) == 2


def test_ours_is_found_among_many(zendesk: Zendesk, desk: Any, rows: Any) -> None:
    rows(2)
    for number in range(5):
        body = {"webhook": {"name": "x", "endpoint": f"http://127.0.0.1:9/{number}"}}
        hook = desk.call("POST", "/api/v2/webhooks", body)["webhook"]
        action = {"field": "notification_webhook", "value": [hook["id"], "{}"]}
        conditions = {"all": [{"field": "status", "operator": "is", "value": "new"}], "any": []}
        desk.call(
            "POST", "/api/v2/triggers", {"trigger": {"title": "x", "conditions": conditions, "actions": [action]}}
        )
    secret = zendesk.install_webhook(HOOK)
    assert zendesk.install_webhook(HOOK) == secret
    assert len(desk.call("GET", "/api/v2/webhooks")["webhooks"]) == 6
    assert len(desk.call("GET", "/api/v2/triggers")["triggers"]) == 6


def test_a_trigger_that_is_missing_is_made(zendesk: Zendesk, desk: Any) -> None:
    secret = zendesk.install_webhook(HOOK)
    desk.call("DELETE", f"/api/v2/triggers/{trigger_of(desk)['id']}")
    assert zendesk.install_webhook(HOOK) == secret
    assert trigger_of(desk)["title"] == webhook_setup.TITLE
    ticket_id = desk.open_ticket("Where is my parcel?")
    assert fired(desk, ticket_id) == 1


def test_only_customers_fire_it(zendesk: Zendesk, desk: Any) -> None:
    ticket_id = desk.open_ticket("Where is my parcel?")
    zendesk.install_webhook(HOOK)
    zendesk.write_back(zendesk.ticket(ticket_id), WriteBack("<p>x</p>", "Deskhand s-1", group_id="2104", tags=("t",)))
    answer = {"comment": {"body": "In Tilburg.", "public": True, "author_id": 5001}, "status": "open"}
    desk.call("PUT", f"/api/v2/tickets/{ticket_id}", {"ticket": answer})
    assert fired(desk, ticket_id) == 0, "our own note must not bring us back"
    desk.reply(int(ticket_id), "And when will it come?")
    assert fired(desk, ticket_id) == 1


@pytest.mark.parametrize("channel", ["chat", "native_messaging", "whatsapp"])
def test_so_it_is_on_chat_and_messaging_channels(channel: str, zendesk: Zendesk, desk: Any) -> None:
    ticket_id = desk.open_ticket("Where is my parcel?")
    with desk.sandbox.app.app_context():
        database().execute("update tickets set channel = ? where id = ?", [channel, int(ticket_id)])
        database().conn.commit()
    zendesk.install_webhook(HOOK)
    zendesk.write_back(zendesk.ticket(ticket_id), WriteBack("<p>x</p>", "Deskhand s-1"))
    assert fired(desk, ticket_id) == 0
    desk.reply(int(ticket_id), "And when will it come?")
    assert fired(desk, ticket_id) == 1


def test_our_own_user_is_left_out_by_name_where_that_is_allowed(zendesk: Zendesk, desk: Any) -> None:
    zendesk.install_webhook(HOOK)
    everybody = {"field": "role", "operator": "is", "value": "end_user"}
    not_us = {"field": "role", "operator": "is_not", "value": "5099"}
    conditions = trigger_of(desk)["conditions"]["all"]
    assert everybody in conditions
    assert not_us in conditions
    desk.call("DELETE", f"/api/v2/triggers/{trigger_of(desk)['id']}")
    desk.fault("triggers", 422, method="POST")
    zendesk.install_webhook(HOOK)
    conditions = trigger_of(desk)["conditions"]["all"]
    assert everybody in conditions
    assert not_us not in conditions


@pytest.mark.parametrize("path", ["webhooks", "triggers", "signing_secret"])
@pytest.mark.parametrize("status", [403, 404])
def test_who_may_not_set_it_up_is_told_how_it_is_done_by_hand(
    path: str, status: int, zendesk: Zendesk, refuse: Any
) -> None:
    refuse((path, status))
    with pytest.raises(SkippableError, match="may not set up webhooks") as caught:
        zendesk.install_webhook(HOOK)
    assert HOOK in caught.value.hint
    assert webhook.TRIGGER_BODY in caught.value.hint


def test_a_helpdesk_that_refuses_the_trigger_is_set_up_by_hand(zendesk: Zendesk, desk: Any) -> None:
    desk.fault("triggers", 422, method="POST", times=2)
    with pytest.raises(SkippableError, match="refused") as caught:
        zendesk.install_webhook(HOOK)
    assert HOOK in caught.value.hint


def test_what_somebody_switched_off_is_left_off(zendesk: Zendesk, desk: Any) -> None:
    zendesk.install_webhook(HOOK)
    for table, column in (("triggers", "active = 0"), ("webhooks", "status = 'inactive'")):
        with desk.sandbox.app.app_context():
            database().execute(f"update {table} set {column}")
            database().conn.commit()
        with pytest.raises(SkippableError, match=f"the {table[:-1]} .* switched it off") as caught:
            zendesk.install_webhook(HOOK)
        assert "Admin Center" in caught.value.hint
