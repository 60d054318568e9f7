"""A ticket's row before anything has happened to it."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.company import TRACKING_NUMBER
from connectors.sandbox.database import Row


def fill_custom_fields(fields: list[Row], text: str) -> list[dict[str, Any]]:
    """Custom fields of a ticket as ``[{"id", "value"}]``; the tracking number comes from the customer's text."""
    found = TRACKING_NUMBER.search(text)
    return [
        {"id": field["id"], "value": found[0] if found and field["title"] == "Tracking number" else None}
        for field in fields
    ]


def new_ticket(ticket_id: int, requester_id: int, subject: str, description: str, channel: str) -> Row:
    """A fresh ticket's row; its times are for the caller to fill in."""
    return {
        "id": ticket_id,
        "subject": subject,
        "description": description,
        "channel": channel,
        "requester_id": requester_id,
        "submitter_id": requester_id,
        "assignee_id": None,
        "group_id": None,
        "priority": None,
        "status": "new",
        "tags": "[]",
        "custom_fields": "[]",
        "rating_id": None,
        "created_at": None,
        "updated_at": None,
        "solved_at": None,
        "reopens": 0,
        "generated_s": 0,
        "deleted_at": None,
        "deleted_by": None,
        "status_before": None,
        "organization_id": None,
        "scrubbed": 0,
    }
