"""Health for hosts that have a token: whether drafts can be expected, by which model, and how much waits."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from plugin import health
from plugin.api import schemas
from plugin.context import context

blueprint = Blueprint("status", __name__)


@blueprint.get("/health")
def show() -> tuple[dict[str, Any], int]:
    """200 where drafts can be expected, else 503 and why."""
    found, code = health.readiness(context(current_app))
    inbox = found.get("inbox", {})
    waiting = inbox.get("waiting", 0) + inbox.get("leased", 0)
    return schemas.Health.model_validate(found | {"waiting": waiting}).model_dump(mode="json"), code
