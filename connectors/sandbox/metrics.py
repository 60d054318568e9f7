"""A ticket's metrics, counted from its comments for a whole page of tickets at once.

See https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_metrics/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from connectors.sandbox.database import Row

Json = dict[str, Any]
FIRST_ID = 70_000_000  # a metric set's id, less its ticket's


@dataclass(frozen=True)
class Figures:
    """What a ticket's comments say.

    Attributes:
        comments: How many there are, public or not.
        replies: Public ones of the team.
        first_reply_at: When the team first answered the customer.
        latest_at: When the last one was added.
    """

    comments: int = 0
    replies: int = 0
    first_reply_at: str | None = None
    latest_at: str | None = None


def count_comments(db: Database, ticket_ids: Iterable[int]) -> dict[int, int]:
    """Ticket -> number of its comments, public or not; tickets without one are left out."""
    sql = """
        select ticket_id, count(*) from comments
        where ticket_id in (select value from json_each(?)) group by ticket_id
    """
    return dict(db.execute(sql, [json.dumps([*ticket_ids])]).fetchall())


def figures_of(db: Database, ticket_ids: Iterable[int]) -> dict[int, Figures]:
    """Ticket -> figures; tickets without a comment are left out."""
    sql = """
        with reply as materialized (select id from users where role in ('agent', 'admin'))
        select ticket_id, count(*), sum(public = 1 and author_id in reply),
            min(case when public = 1 and author_id in reply then created_at end), max(created_at)
        from comments where ticket_id in (select value from json_each(?)) group by ticket_id
    """
    return {row[0]: Figures(*row[1:]) for row in db.execute(sql, [json.dumps([*ticket_ids])])}


def metric_sets(db: Database, found: list[Row], base_url: str) -> list[Json]:
    """The metric sets of these tickets, the part of them that the sandbox knows."""
    figures = figures_of(db, (row["id"] for row in found))
    return [_metric_set(row, figures.get(row["id"], Figures()), base_url) for row in found]


def _metric_set(row: Row, figures: Figures, base_url: str) -> Json:
    solved_at = row["solved_at"] if row["status"] in {"solved", "closed"} else None
    resolved = _minutes(row["created_at"], solved_at)
    return {
        "url": f"{base_url}/api/v2/ticket_metrics/{FIRST_ID + row['id']}.json",
        "id": FIRST_ID + row["id"],
        "ticket_id": row["id"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "group_stations": int(row["group_id"] is not None),
        "assignee_stations": int(row["assignee_id"] is not None),
        "reopens": row["reopens"],
        "replies": figures.replies,
        "solved_at": row["solved_at"],
        "latest_comment_added_at": figures.latest_at,
        "reply_time_in_minutes": _minutes(row["created_at"], figures.first_reply_at),
        # The sandbox keeps the last solution only, which is the first one where nothing was opened again.
        "first_resolution_time_in_minutes": resolved if not row["reopens"] else _minutes(row["created_at"], None),
        "full_resolution_time_in_minutes": resolved,
    }


def _minutes(start: str, end: str | None) -> Json:
    """Minutes in calendar and business hours, which are the same on an account without a schedule."""
    if end is None:
        return {"calendar": None, "business": None}
    minutes = int((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() // 60)
    return {"calendar": minutes, "business": minutes}
