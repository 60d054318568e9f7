"""What agents did with a suggestion and what they think of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import Blueprint, Response, current_app

from connectors.store.database import Store
from plugin.api import schemas
from plugin.api.answers import ApiError, body_of
from plugin.context import context

blueprint = Blueprint("feedback", __name__)

_FEEDBACK = "/suggestions/<suggestion_id>/feedback"


@blueprint.post(_FEEDBACK)
def keep(suggestion_id: str) -> Response:
    """Keeps what an agent did with a suggestion; 204."""
    given, store = body_of(schemas.Feedback), context(current_app).store()
    _require(store, suggestion_id)
    store.suggestions.add_feedback(suggestion_id, given.action, given.reason)
    return Response(status=204)


@blueprint.get(_FEEDBACK)
def count(suggestion_id: str) -> dict[str, Any]:
    """How often each thing was done with a suggestion; the reasons are for the dashboard."""
    store = context(current_app).store()
    _require(store, suggestion_id)
    counts = Counter(one["action"] for one in store.suggestions.feedback(suggestion_id))
    return schemas.FeedbackCounts(**counts).model_dump()


def _require(store: Store, suggestion_id: str) -> None:
    # Deskhand serves one helpdesk; a suggestion for another one in the same file is none of this token's business.
    suggestion = store.suggestions.get(suggestion_id)
    if suggestion is None or suggestion.helpdesk != context(current_app).helpdesk.name:
        raise ApiError("not_found", "there is no such suggestion", 404)
