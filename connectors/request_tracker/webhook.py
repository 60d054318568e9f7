"""The webhook that our Scrip sends: verifying the signature, and reading the body.

The Scrip is in docs/request-tracker.md. Signature: hex HMAC-SHA256(secret, timestamp + "." + raw body) in
`X-Deskhand-Signature`; the timestamp is in Unix seconds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping

from connectors.errors import WebhookError
from connectors.records import WebhookEvent
from connectors.webhooks import header, is_number, verify

SIGNATURE = "X-Deskhand-Signature"
TIMESTAMP = "X-Deskhand-Timestamp"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a body sent at a time."""
    return hmac.new(secret.encode(), timestamp.encode("utf-8", "replace") + b"." + body, hashlib.sha256).hexdigest()


def read(
    headers: Mapping[str, str], body: bytes, *, secret: str, max_age_s: float, now: float | None = None
) -> WebhookEvent:
    """Verifies and reads a webhook.

    Args:
        headers: Any mapping; names are matched without regard to case.
        body: The raw bytes as they came.
        max_age_s: Older (or as much newer) signatures are refused: a recorded request cannot be played again later.
        now: Unix seconds; the clock's where it is left out.

    Raises:
        WebhookError: It is not from our Request Tracker, is too old, or has no ticket id.
    """
    timestamp = header(headers, TIMESTAMP)
    hint = "compare RT's $DeskhandSecret with secrets.toml"
    verify(secret, sign(secret, timestamp, body), header(headers, SIGNATURE), what="signature", hint=hint)
    if not (timestamp.isascii() and timestamp.isdecimal()):
        raise WebhookError("the signature's timestamp is no time")
    age_s = abs((time.time() if now is None else now) - int(timestamp))
    if age_s > max_age_s:
        raise WebhookError(f"the signature is {age_s:.0f} s old", hint="check the clocks of both machines")
    return _event(body)


def _event(body: bytes) -> WebhookEvent:
    try:
        content = json.loads(body)
        ticket_id, transaction_id = str(content["ticket_id"]), str(content["transaction_id"])
    except (ValueError, KeyError, TypeError):
        raise WebhookError(
            "the body has no ticket_id and transaction_id", hint="use the Scrip of docs/request-tracker.md"
        ) from None
    for value in (ticket_id, transaction_id):
        if not is_number(value):
            raise WebhookError("the body's ids are not numbers")
    return WebhookEvent(delivery_id=transaction_id, ticket_id=ticket_id)
