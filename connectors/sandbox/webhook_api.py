"""Webhooks and triggers over the API; admins only."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify

from connectors.sandbox.database import Row, iso, next_id, one, transaction
from connectors.sandbox.desk_records import trigger_json, webhook_json
from connectors.sandbox.listing import Select, page
from connectors.sandbox.refusals import not_found, record_invalid
from connectors.sandbox.state import base_url, database, now_s, payload, require_admin, user
from connectors.sandbox.triggers import check_conditions

webhook_api = Blueprint("webhooks", __name__, url_prefix="/api/v2")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32, as in the ids of the real service


@webhook_api.before_request
def admins_only() -> None:
    """Only admins may see or change them."""
    require_admin()


@webhook_api.post("/webhooks")
def create_webhook() -> tuple[Response, int]:
    """Create a webhook with a signing secret of its own."""
    wanted = payload("webhook")
    endpoint = str(wanted.get("endpoint") or "")
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise record_invalid("endpoint", "Endpoint: must be an http or https address")
    row: Row = {
        "id": "01" + "".join(secrets.choice(_ALPHABET) for _ in range(24)),
        "name": str(wanted.get("name") or "webhook"),
        "endpoint": endpoint,
        "status": "inactive" if wanted.get("status") == "inactive" else "active",
        "subscriptions": json.dumps(wanted.get("subscriptions") or ["conditional_ticket_events"]),
        "secret": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "created_at": iso(now_s()),
        "created_by": user()["id"],
    }
    with transaction(database()):
        database().table("webhooks").insert(row)
    return jsonify(webhook=webhook_json(row)), 201


@webhook_api.get("/webhooks")
def list_webhooks() -> Response:
    """All webhooks."""
    select = Select("webhooks", order=("created_at", "id"))
    return jsonify(page("webhooks", select, lambda part: [webhook_json(row) for row in part]))


@webhook_api.get("/webhooks/<webhook_id>")
def show_webhook(webhook_id: str) -> Response:
    """One webhook."""
    return jsonify(webhook=webhook_json(_found("webhooks", webhook_id)))


@webhook_api.get("/webhooks/<webhook_id>/signing_secret")
def show_signing_secret(webhook_id: str) -> Response:
    """The secret that signs a webhook's deliveries."""
    return jsonify(signing_secret={"algorithm": "SHA256", "secret": _found("webhooks", webhook_id)["secret"]})


@webhook_api.delete("/webhooks/<webhook_id>")
def delete_webhook(webhook_id: str) -> tuple[str, int]:
    """Delete a webhook; what waits for it fails."""
    _found("webhooks", webhook_id)
    with transaction(database()):
        database().table("webhooks").delete(webhook_id)
    return "", 204


@webhook_api.post("/triggers")
def create_trigger() -> tuple[Response, int]:
    """Create a trigger that notifies webhooks."""
    wanted = payload("trigger")
    if not str(wanted.get("title") or "").strip():
        raise record_invalid("title", "Title: cannot be blank")
    conditions = check_conditions(wanted.get("conditions"))
    actions = _checked_actions(wanted.get("actions"))
    with transaction(database()):
        number = next_id(database(), "triggers")
        row: Row = {
            "id": number,
            "title": str(wanted["title"]),
            "active": int(bool(wanted.get("active", True))),
            "conditions": json.dumps(conditions),
            "actions": json.dumps(actions),
            "position": number,
            "created_at": iso(now_s()),
        }
        database().table("triggers").insert(row)
    return jsonify(trigger=trigger_json(row, base_url())), 201


def _checked_actions(actions: object) -> list[dict[str, Any]]:
    checked: list[dict[str, Any]] = []
    for action in actions if isinstance(actions, list) else []:
        value = action.get("value") if isinstance(action, dict) else None
        if not isinstance(value, list) or len(value) != 2 or action.get("field") != "notification_webhook":
            raise record_invalid("actions", "Actions: the sandbox plays notification_webhook: [webhook_id, body] only")
        if one(database(), "select id from webhooks where id = ?", [str(value[0])]) is None:
            raise record_invalid("actions", "Actions: there is no such webhook")
        body = value[1] if isinstance(value[1], str) else json.dumps(value[1])
        checked.append({"field": "notification_webhook", "value": [str(value[0]), body]})
    if not checked:
        raise record_invalid("actions", "Actions: cannot be blank")
    return checked


@webhook_api.get("/triggers")
def list_triggers() -> Response:
    """All triggers, in the order in which they run."""
    select = Select("triggers", order=("position", "id"))
    return jsonify(page("triggers", select, lambda part: [trigger_json(row, base_url()) for row in part]))


@webhook_api.get("/triggers/<int:trigger_id>")
def show_trigger(trigger_id: int) -> Response:
    """One trigger."""
    return jsonify(trigger=trigger_json(_found("triggers", trigger_id), base_url()))


@webhook_api.delete("/triggers/<int:trigger_id>")
def delete_trigger(trigger_id: int) -> tuple[str, int]:
    """Delete a trigger."""
    _found("triggers", trigger_id)
    with transaction(database()):
        database().table("triggers").delete(trigger_id)
    return "", 204


def _found(table: str, record_id: str | int) -> Row:
    row = one(database(), f"select * from [{table}] where id = ?", [record_id])  # noqa: S608 - names from this module
    if row is None:
        raise not_found()
    return row
