"""Webhooks: only what our helpdesk signed, only now, and only in the shape that we set up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import WebhookError
from connectors.zendesk import webhook
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
