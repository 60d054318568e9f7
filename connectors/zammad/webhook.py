"""Zammad's webhooks: verifying the signature, and reading which ticket it is about.

Signature: `X-Hub-Signature: sha1=` and hex HMAC-SHA1(token, raw body) (`UserAgent.set_signature`). The time is not
signed, so an old request can be played again; all that it can do is have us look at a ticket. `X-Zammad-Delivery` is
the id of the job that sends, and the same at each of its five tries (`TriggerWebhookJob`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from connectors.errors import WebhookError
from connectors.records import WebhookEvent
from connectors.webhooks import header, is_number, verify

SIGNATURE = "X-Hub-Signature"
DELIVERY = "X-Zammad-Delivery"
# What ours send, since version 6: no text of the ticket. Older ones send the whole ticket and the article.
PAYLOAD = '{"ticket": {"id": "#{ticket.id}"}, "article": {"id": "#{article.id}"}}'


def sign(secret: str, body: bytes) -> str:
    """The signature of a body."""
    return "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


def read(headers: Mapping[str, str], body: bytes, *, secret: str) -> WebhookEvent:
    """Verifies and reads a webhook. Whether a customer wrote, the worker sees in the ticket itself.

    Args:
        headers: Any mapping; names are matched without regard to case.
        body: The raw bytes as they came.

    Raises:
        WebhookError: It is not from our Zammad, or has no ticket id.
    """
    hint = "compare the webhook's HMAC SHA1 signature token with secrets.toml"
    verify(secret, sign(secret, body), header(headers, SIGNATURE), what="signature", hint=hint)
    ticket_id = _ticket_id(body)
    delivery = header(headers, DELIVERY) or hashlib.sha256(body).hexdigest()
    return WebhookEvent(delivery, ticket_id)


def _ticket_id(body: bytes) -> str:
    try:
        content: Any = json.loads(body)
        found = content["ticket"]["id"]
    except (ValueError, KeyError, TypeError):
        raise WebhookError(
            "the body has no ticket with an id", hint="leave the payload as it is, or: " + PAYLOAD
        ) from None
    ticket_id = "" if isinstance(found, bool) else str(found)
    if not is_number(ticket_id):
        raise WebhookError("the body's ticket id is not a number", hint="leave the payload as it is, or: " + PAYLOAD)
    return ticket_id
