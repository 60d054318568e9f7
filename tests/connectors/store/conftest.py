"""Records with everything filled in, for the store's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.records import Comment, Ticket


@pytest.fixture
def ticket() -> Callable[..., Ticket]:
    """Makes a solved ticket; anything can be given."""

    def ticket(ticket_id: str = "7", **changes: Any) -> Ticket:
        values: dict[str, Any] = {
            "id": ticket_id,
            "subject": "Where is it?",
            "status": "solved",
            "requester_id": "90",
            "created_at": "2026-04-01T09:00:00Z",
            "updated_at": "2026-04-02T09:00:00Z",
            "generated_at": 1000,
            "group_id": "2101",
            "tags": ("delay",),
            "raw": {"description": "Where is my parcel?"},
        }
        return Ticket(**(values | changes))

    return ticket


@pytest.fixture
def comment() -> Callable[..., Comment]:
    """Makes a public comment of ticket 7; anything can be given."""

    def comment(comment_id: str = "70", **changes: Any) -> Comment:
        values: dict[str, Any] = {
            "id": comment_id,
            "ticket_id": "7",
            "author_id": "90",
            "public": True,
            "text": "Where is my parcel?",
            "created_at": "2026-04-01T09:00:00Z",
        }
        return Comment(**(values | changes))

    return comment
