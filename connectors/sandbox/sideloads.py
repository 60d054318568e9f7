"""What ``include=`` adds to an answer with tickets: users, metric sets, the number of comments.

See https://developer.zendesk.com/documentation/ticketing/using-the-zendesk-api/side_loading/.
"""

from __future__ import annotations

from typing import Any

from flask import request

from connectors.sandbox.database import Row
from connectors.sandbox.metrics import count_comments, metric_sets
from connectors.sandbox.records import by_ids, tickets_json, user_json
from connectors.sandbox.state import base_url, database

Json = dict[str, Any]


def included() -> set[str]:
    """The names in ``include=a,b``."""
    return set(request.args.get("include", "").split(","))


def tickets_with_sideloads(found: list[Row]) -> tuple[list[Json], Json]:
    """Tickets, with ``comment_count`` where it is asked for, and the lists that come beside them."""
    db, wanted = database(), included()
    tickets = tickets_json(db, found, base_url())
    beside: Json = {}
    if "comment_count" in wanted:
        counts = count_comments(db, (row["id"] for row in found))
        for ticket in tickets:
            ticket["comment_count"] = counts.get(ticket["id"], 0)
    if "metric_sets" in wanted:
        beside["metric_sets"] = metric_sets(db, found, base_url())
    if "users" in wanted:
        ids = [row[key] for row in found for key in ("requester_id", "submitter_id", "assignee_id")]
        beside["users"] = [user_json(row, base_url()) for row in by_ids(db, "users", ids)]
    return tickets, beside
