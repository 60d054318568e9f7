from __future__ import annotations

import pytest

from connectors.errors import WebhookError
from connectors.request_tracker import webhook

BODY = b'{"ticket_id": "7", "transaction_id": "540"}'
NOW = 1795510800.0


def read(body: bytes = BODY, *, stamp: str = "1795510800", **changed: str) -> object:
    headers = {webhook.TIMESTAMP: stamp, webhook.SIGNATURE: webhook.sign("secret", stamp, body)} | changed
    return webhook.read(headers, body, secret="secret", max_age_s=300, now=NOW)


def test_a_known_signature() -> None:
    # By: printf '1795510800.%s' "$BODY" | openssl dgst -sha256 -hmac secret
    known = "5133e86d7a99dbef78184ba0b66dd79090e387e431747b6c334ccc83d7b4b4c0"
    assert webhook.sign("secret", "1795510800", BODY) == known


def test_the_transaction_is_the_delivery() -> None:
    event = read()
    assert (event.ticket_id, event.delivery_id) == ("7", "540")  # type: ignore[attr-defined]


@pytest.mark.parametrize("stamp", ["1795510499", "1795511101", "", "-1", "1e9", "²"])
def test_times_that_are_not_now(stamp: str) -> None:
    with pytest.raises(WebhookError):
        read(stamp=stamp)


def test_the_time_is_signed() -> None:
    with pytest.raises(WebhookError, match="signature"):
        read(**{webhook.TIMESTAMP: "1795510801"})


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"ticket_id": "7"}', BODY.replace(b'"7"', b'"7/../1"')])
def test_other_bodies(body: bytes) -> None:
    with pytest.raises(WebhookError):
        read(body)
