"""The API that the sidebar app speaks; other hosts may use it too.

Every answer is JSON; errors are `{"error": {"code", "message"}}`. The bearer token names the installation, not the
agent.
"""

from __future__ import annotations

import hmac
import uuid
from typing import Any

from flask import Blueprint, Response, current_app, request
from werkzeug.routing import IntegerConverter

from connectors.store.suggestions import ACTIONS, SHOWN, Suggestion
from plugin.context import context
from trainer.replies.claims import BLANK

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

MAX_REASON_CHARS = 500
_TICKET = "/tickets/<ticket:ticket_id>/suggestion"

Answer = tuple[dict[str, Any], int]


class TicketId(IntegerConverter):
    """A ticket's number in an address. As long as a webhook's may be: Python reads no number of 5,000 digits."""

    regex = r"[0-9]{1,20}"


def failure(code: str, message: str, status: int) -> Answer:
    """An error as the API states it."""
    return {"error": {"code": code, "message": message}}, status


@blueprint.before_request
def authenticate() -> Answer | None:
    """Refuses requests without the installation's token; compared in constant time."""
    token = context(current_app).settings.plugin.sidebar_token.get_secret_value()
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if not token or not hmac.compare_digest(given.encode(), token.encode()):
        return failure("unauthorized", "the app's token is missing or wrong: compare it with secrets.toml", 401)
    return None


@blueprint.get(_TICKET)
def show(ticket_id: int) -> Answer:
    """The suggestion of a ticket's newest customer turn, or where it is on its way."""
    return _state(str(ticket_id)), 200


@blueprint.post(_TICKET)
def ask(ticket_id: int) -> Answer:
    """Asks for a draft now; it is made by the worker, so poll with GET."""
    deskhand = context(current_app)
    if not deskhand.store().inbox.open_for(deskhand.helpdesk.name, str(ticket_id)):
        deskhand.store().inbox.put(deskhand.helpdesk.name, f"asked-{uuid.uuid4().hex}", str(ticket_id))
    return _state(str(ticket_id)), 202


@blueprint.post("/suggestions/<suggestion_id>/feedback")
def feedback(suggestion_id: str) -> Answer | Response:
    """Keeps what an agent did with a suggestion; 204."""
    store = context(current_app).store()
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or body.get("action") not in ACTIONS:
        return failure("invalid", f"action must be one of {', '.join(ACTIONS)}", 422)
    reason = body.get("reason", "")
    if not isinstance(reason, str) or len(reason) > MAX_REASON_CHARS:
        return failure("invalid", f"reason must be a text of at most {MAX_REASON_CHARS} characters", 422)
    if store.suggestions.get(suggestion_id) is None:
        return failure("not_found", "there is no such suggestion", 404)
    # JSON can hold half an emoji, which SQLite does not take.
    store.suggestions.add_feedback(suggestion_id, body["action"], reason.encode("utf-8", "replace").decode())
    return Response(status=204)


def _state(ticket_id: str) -> dict[str, Any]:
    deskhand = context(current_app)
    store, name = deskhand.store(), deskhand.helpdesk.name
    suggestion = store.suggestions.latest(name, ticket_id)
    answer: dict[str, Any] = {
        "ticket_id": ticket_id,
        "state": "none",
        "message": "",
        "turn_id": suggestion.turn_id if suggestion else None,
        "note_posted": bool(suggestion and suggestion.note_posted_at),
        "suggestion": None,
        "route": None,
    }
    if store.inbox.open_for(name, ticket_id):
        answer["state"] = "drafting"
    elif error := store.inbox.failed_for(name, ticket_id):
        answer |= {"state": "failed", "message": error}
    elif suggestion:
        answer["state"] = "ready" if suggestion.state == SHOWN else "silent"
        answer["route"] = _route(suggestion, ticket_id)
        answer["suggestion"] = _suggestion(suggestion) if suggestion.state == SHOWN else None
    return answer


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "id": suggestion.id,
        "draft": suggestion.draft,
        "language": suggestion.language,
        "model_version": suggestion.model_version,
        "created_at": suggestion.created_at,
        "confidence": suggestion.confidence,
        "claims": [
            {"text": c.text, "start": c.start, "end": c.end, "supported": c.supported, "source": c.source}
            for c in suggestion.claims
        ],
        "blanks": [
            {"text": match.group(), "start": match.start(), "end": match.end()}
            for match in BLANK.finditer(suggestion.draft)
        ],
        "sources": [
            {
                "kind": s.kind,
                "id": s.id,
                "title": s.title,
                "url": s.url,
                "excerpt": s.excerpt,
                "updated_at": s.updated_at,
            }
            for s in suggestion.sources
        ],
    }


def _route(suggestion: Suggestion, ticket_id: str) -> dict[str, Any] | None:
    route = suggestion.route
    if route is None:
        return None
    deskhand = context(current_app)
    ticket = deskhand.store().history.ticket(deskhand.helpdesk.name, ticket_id)
    return {
        "group_id": route.group_id,
        "group_name": route.group_name,
        "probability": route.probability,
        "reasons": list(route.reasons),
        "alternatives": [list(alternative) for alternative in route.alternatives],
        "applied": bool(ticket and ticket.group_id == route.group_id),
        "doubt": route.doubt(deskhand.settings.plugin.min_route_probability),
        "priority": route.priority,
        "tags": list(route.tags),
    }
