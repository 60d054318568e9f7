"""The webhook's door: verify, store, answer. Nothing else happens before the answer."""

from __future__ import annotations

import logging

from flask import Blueprint, current_app, request

from connectors.errors import WebhookError
from connectors.store.inbox import Delivery
from plugin.context import context
from plugin.counts import WEBHOOKS

log = logging.getLogger(__name__)

blueprint = Blueprint("webhook", __name__)


@blueprint.post("/webhooks/<helpdesk>")
def receive(helpdesk: str) -> tuple[dict[str, object], int]:
    """Takes a webhook; 200 once it is stored (also when it was known already), 401 where we do not believe it."""
    deskhand = context(current_app)
    if helpdesk != deskhand.helpdesk.name:
        return {"error": {"code": "unknown_helpdesk", "message": "no such helpdesk is configured here"}}, 404
    try:
        event = deskhand.helpdesk.read_webhook(dict(request.headers), request.get_data(cache=False))
    except WebhookError as error:
        deskhand.counts.add(WEBHOOKS, "refused")
        log.warning("a webhook was refused: %s (%s)", error, error.hint)
        return {"error": {"code": "refused", "message": "the webhook could not be verified"}}, 401
    new = deskhand.intake.put(deskhand.store(), Delivery(helpdesk, event.delivery_id, event.ticket_id))
    deskhand.counts.add(WEBHOOKS, "stored" if new else "known")
    return {"stored": new}, 200
