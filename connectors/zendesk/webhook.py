"""Zendesk's webhooks: verifying the signature, and reading the body that our trigger sends.

Signature: base64(HMAC-SHA256(secret, timestamp + raw body)), in `X-Zendesk-Webhook-Signature`; Zendesk's page
'Verifying webhook authenticity'. The raw bytes are signed: parsing and dumping the body again would not match.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from connectors import clock
from connectors.errors import WebhookError
from connectors.records import WebhookEvent
from connectors.webhooks import header, is_number, verify

SIGNATURE = "X-Zendesk-Webhook-Signature"
TIMESTAMP = "X-Zendesk-Webhook-Signature-Timestamp"
INVOCATION = "X-Zendesk-Webhook-Invocation-Id"

# What the trigger posts: no text of the ticket, only which ticket. The worker reads the ticket itself.
TRIGGER_BODY = '{"ticket_id": "{{ticket.id}}"}'


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a body sent at a time."""
    return base64.b64encode(hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()).decode()


def read(
    headers: Mapping[str, str], body: bytes, *, secret: str, max_age_s: float, now: datetime | None = None
) -> WebhookEvent:
    """Verifies and reads a webhook.

    Args:
        headers: Any mapping; names are matched without regard to case.
        body: The raw bytes as they came.
        max_age_s: Older (or as much newer) signatures are refused: a recorded request cannot be played again later.

    Raises:
        WebhookError: It is not from our helpdesk, is too old, or has no ticket id.
    """
    timestamp = header(headers, TIMESTAMP)
    hint = "compare the webhook's signing secret with secrets.toml"
    verify(secret, sign(secret, timestamp, body), header(headers, SIGNATURE), what="signature", hint=hint)
    try:
        age_s = abs(((now or datetime.now(UTC)) - clock.from_iso(timestamp)).total_seconds())
    except ValueError:
        raise WebhookError("the signature's timestamp is no time") from None
    if age_s > max_age_s:
        raise WebhookError(f"the signature is {age_s:.0f} s old", hint="check this machine's clock")
    return WebhookEvent(delivery_id=header(headers, INVOCATION) or _digest(timestamp, body), ticket_id=_ticket_id(body))


def _ticket_id(body: bytes) -> str:
    try:
        content = json.loads(body)
        ticket_id = str(content["ticket_id"])
    except (ValueError, KeyError, TypeError):
        raise WebhookError(
            "the body has no ticket_id", hint="the trigger's JSON body must be: " + TRIGGER_BODY
        ) from None
    if not is_number(ticket_id):
        raise WebhookError("the body's ticket_id is not a number")
    return ticket_id


def _digest(timestamp: str, body: bytes) -> str:
    return hashlib.sha256(timestamp.encode() + body).hexdigest()
