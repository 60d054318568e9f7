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
    sent = {name.lower(): value for name, value in headers.items()}
    if not secret:
        raise WebhookError("no webhook secret is set", hint="set [plugin] webhook_secret in secrets.toml")
    # Compared as bytes: compare_digest refuses text with characters beyond ASCII.
    signature = sent.get(SIGNATURE.lower(), "").encode("utf-8", "replace")
    if not hmac.compare_digest(sign(secret, body).encode(), signature):
        raise WebhookError(
            "the signature does not match", hint="compare the webhook's HMAC SHA1 signature token with secrets.toml"
        )
    ticket_id = _ticket_id(body)
    delivery = sent.get(DELIVERY.lower()) or hashlib.sha256(body).hexdigest()
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
    if not (ticket_id.isascii() and ticket_id.isdigit() and len(ticket_id) <= 20):
        raise WebhookError("the body's ticket id is not a number", hint="leave the payload as it is, or: " + PAYLOAD)
    return ticket_id
