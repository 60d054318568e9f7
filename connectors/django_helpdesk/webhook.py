"""django-helpdesk's webhooks: it posts a ticket as its API shows it, and signs nothing.

So the address that it is given carries a secret as user info, `https://deskhand:SECRET@host/…`, which its sender
(`requests`) turns into an `Authorization` header. Whoever has once seen a request can send another one; all that such a
request can do is have us look at a ticket. It sends each event once, whatever comes of it (helpdesk/webhooks.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from connectors.errors import WebhookError
from connectors.records import WebhookEvent
from connectors.webhooks import header, verify

HEADER = "Authorization"
USER = "deskhand"
HINT = (
    "set the environment variables HELPDESK_NEW_TICKET_WEBHOOK_URLS and HELPDESK_FOLLOWUP_WEBHOOK_URLS of"
    " django-helpdesk's site to {endpoint}, with '" + USER + ":SECRET@' put in behind '//', where SECRET is the"
    " webhook_secret of secrets.toml"
)


def authorization(secret: str) -> str:
    """What the header says where the address has the secret."""
    return "Basic " + base64.b64encode(f"{USER}:{secret}".encode()).decode()


def read(headers: Mapping[str, str], body: bytes, *, secret: str) -> WebhookEvent:
    """Verifies and reads a webhook.

    Args:
        headers: Any mapping; names are matched without regard to case.

    Raises:
        WebhookError: The secret is wrong, or there is no ticket's id.
    """
    hint = "compare the webhook's address with secrets.toml"
    verify(secret, authorization(secret), header(headers, HEADER), what="secret", hint=hint)
    return WebhookEvent(hashlib.sha256(body).hexdigest(), _ticket_id(body))


def _ticket_id(body: bytes) -> str:
    try:
        content: Any = json.loads(body)
        found = content["ticket"]["id"]
    except (ValueError, KeyError, TypeError):
        raise WebhookError("the body has no ticket with an id", hint="is it django-helpdesk that sends it?") from None
    if type(found) is not int or not 0 < found < 10**20:
        raise WebhookError("the body's ticket id is not a number", hint="is it django-helpdesk that sends it?")
    return str(found)
