"""`/api/v1`: the parts together behind one gate. What the sidebar app speaks; other hosts may use it too.

The bearer token names the installation, not the agent. There are no CORS headers: the helpdesk's proxy asks, no page.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app

from plugin.api import document, feedback, gate, status, suggestions
from plugin.context import context
from plugin.counts import API_ANSWERS

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
_behind_the_gate = Blueprint("behind_the_gate", __name__)
_behind_the_gate.before_request(gate.admit)
for part in (suggestions.blueprint, feedback.blueprint, status.blueprint):
    _behind_the_gate.register_blueprint(part)
blueprint.register_blueprint(_behind_the_gate)


@blueprint.get("/openapi.json")
def openapi() -> dict[str, Any]:
    """The API's description; it holds nothing that needs a token."""
    return document.document()


@blueprint.after_request
def count(response: Response) -> Response:
    """For the metrics."""
    context(current_app).counts.add(API_ANSWERS, str(response.status_code))
    return response
