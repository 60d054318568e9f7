"""Freshdesk's webhooks: an automation rule posts what we tell it to, with a header that we tell it to send.

Freshdesk signs nothing, so the secret itself is in the header: only over HTTPS, and whoever has once seen a request can
send another one. All that such a request can do is have us look at a ticket.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping

from connectors.errors import WebhookError
from connectors.records import WebhookEvent
from connectors.webhooks import header, is_number, verify

HEADER = "Authorization"
# What the rule posts: no text of the ticket, only which one, and what tells one event from the next.
BODY = '{"ticket_id": "{{ticket.id}}", "changed": "{{ticket.modified_on}}"}'
HINT = (
    "in Freshdesk open Admin > Automations and add a rule for new tickets, and one for updates whose event is 'Reply is"
    " sent' performed by the requester; the action of both is 'Trigger webhook': POST to {endpoint}, with the custom"
    " header 'Authorization: Bearer SECRET' (SECRET as webhook_secret in secrets.toml), encoding JSON, advanced"
    " content: " + BODY.replace("{", "{{").replace("}", "}}")
)
# Without a time in the body, tries within so many seconds count as one delivery.
_WINDOW_S = 60.0


def read(headers: Mapping[str, str], body: bytes, *, secret: str, now: float | None = None) -> WebhookEvent:
    """Verifies and reads a webhook.

    Args:
        headers: Any mapping; names are matched without regard to case.
        now: Unix seconds; None takes the present.

    Raises:
        WebhookError: The secret is wrong, or there is no ticket id.
    """
    hint = "compare the rule's header with secrets.toml"
    verify(secret, f"Bearer {secret}", header(headers, HEADER), what="secret", hint=hint)
    content = _content(body)
    ticket_id = content.get("ticket_id")
    if isinstance(ticket_id, bool) or not isinstance(ticket_id, str | int):
        raise WebhookError("the body has no ticket_id", hint="the rule's JSON content must be: " + BODY)
    ticket_id = str(ticket_id)
    if not is_number(ticket_id):
        raise WebhookError("the body's ticket_id is not a number", hint="the rule's JSON content must be: " + BODY)
    # Two events of a ticket must not look like one delivery, or the second would be left out.
    changed = content.get("changed") or int((time.time() if now is None else now) // _WINDOW_S)
    return WebhookEvent(hashlib.sha256(f"{ticket_id} {changed}".encode()).hexdigest(), ticket_id)


def _content(body: bytes) -> dict[str, object]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise WebhookError("the body is no JSON object", hint="the rule's JSON content must be: " + BODY)
    return content
