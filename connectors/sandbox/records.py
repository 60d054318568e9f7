"""Rows of the database as the JSON objects of the Zendesk API.

Shapes follow https://developer.zendesk.com/api-reference/ticketing/introduction/ (tickets, comments, audits, users).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlite_utils import Database

from connectors.sandbox.attachments import attachments_json
from connectors.sandbox.database import Row, iso, rows
from connectors.sandbox.markup import plain_text

Json = dict[str, Any]


def via(channel: str) -> Json:
    """The ``via`` object: through which channel something came."""
    return {"channel": channel, "source": {"from": {}, "to": {}, "rel": None}}


def by_ids(db: Database, table: str, ids: Iterable[int | None]) -> list[Row]:
    """Rows of a table with these ids, in the order of the ids; unknown ones are left out."""
    wanted = list(dict.fromkeys(number for number in ids if number is not None))
    found: dict[int, Row] = {}
    for start in range(0, len(wanted), 500):  # SQLite takes 999 parameters at least
        part = wanted[start : start + 500]
        marks = ",".join("?" * len(part))
        found |= {row["id"]: row for row in rows(db, f"select * from [{table}] where id in ({marks})", part)}  # noqa: S608
    return [found[number] for number in wanted if number in found]


def ticket_json(db: Database, row: Row, base_url: str) -> Json:
    """One ticket."""
    return tickets_json(db, [row], base_url)[0]


def tickets_json(db: Database, found: list[Row], base_url: str) -> list[Json]:
    """Tickets as their endpoints and exports give them; ratings come with one query for all."""
    ratings = {one["id"]: one for one in by_ids(db, "satisfaction_ratings", [row["rating_id"] for row in found])}
    brand_id = next((one["id"] for one in rows(db, "select id from brands limit 1")), None)
    return [_ticket(row, ratings.get(row["rating_id"]), brand_id, base_url) for row in found]


def _ticket(row: Row, rating: Row | None, brand_id: int | None, base_url: str) -> Json:
    custom = json.loads(row["custom_fields"])
    score: Json = {"score": "unoffered"}
    if rating:
        score = {"id": rating["id"], "score": rating["score"], "comment": rating["comment"]}
    elif row["status"] in {"solved", "closed"}:
        score = {"score": "offered"}
    return {
        "url": f"{base_url}/api/v2/tickets/{row['id']}.json",
        "id": row["id"],
        "external_id": None,
        "via": via(row["channel"]),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "generated_timestamp": row["generated_s"],
        "type": None,
        "subject": row["subject"],
        "raw_subject": row["subject"],
        "description": row["description"],
        "priority": row["priority"],
        "status": row["status"],
        "recipient": None,
        "requester_id": row["requester_id"],
        "submitter_id": row["submitter_id"],
        "assignee_id": row["assignee_id"],
        "organization_id": row["organization_id"],
        "group_id": row["group_id"],
        "collaborator_ids": [],
        "follower_ids": [],
        "email_cc_ids": [],
        "forum_topic_id": None,
        "problem_id": None,
        "has_incidents": False,
        "is_public": True,
        "due_at": None,
        "tags": json.loads(row["tags"]),
        "custom_fields": custom,
        "satisfaction_rating": score,
        "sharing_agreement_ids": [],
        "fields": custom,  # the API repeats them under both names
        "followup_ids": [],
        "ticket_form_id": None,
        "brand_id": brand_id,
        "allow_channelback": False,
        "allow_attachments": True,
        "from_messaging_channel": False,
    }


def comment_json(row: Row, base_url: str, *, inline: bool = False) -> Json:
    """A comment; as in the real API it does not say which ticket it belongs to.

    Args:
        row: The comment.
        base_url: This server.
        inline: Whether pictures inside the text count as attachments.
    """
    return {
        "id": row["id"],
        "type": "Comment",
        "author_id": row["author_id"],
        "body": row["body"],
        "html_body": row["html_body"],
        "plain_body": plain_text(row["body"]),
        "public": bool(row["public"]),
        "attachments": attachments_json(row, base_url, inline=inline),
        "audit_id": row["audit_id"],
        "via": via(row["channel"]),
        "created_at": row["created_at"],
        "metadata": {"system": {}, "custom": {}},
    }


def audit_json(row: Row, comments: dict[int, Row], base_url: str) -> Json:
    """An audit with its events; ``comments`` holds the rows of the comments it mentions, by id."""
    events = []
    for number, event in enumerate(json.loads(row["events"])):
        if event["type"] == "Comment":
            events.append(comment_json(comments[event["comment_id"]], base_url))
        else:
            events.append({"id": row["id"] * 100 + number, **event})
    return {
        "id": row["id"],
        "ticket_id": row["ticket_id"],
        "created_at": row["created_at"],
        "author_id": row["author_id"],
        "via": via(row["channel"]),
        "metadata": {"system": {}, "custom": {}},
        "events": events,
    }


def ticket_event_json(row: Row, comments: dict[int, Row], base_url: str, *, with_comments: bool) -> Json:
    """An audit in the form of the ticket-event export: ``child_events`` with an ``event_type`` each.

    Without ``include=comment_events`` a comment shows only that it was there.
    """
    children: list[Json] = []
    for number, event in enumerate(json.loads(row["events"])):
        head = {"id": row["id"] * 100 + number, "via": row["channel"], "via_reference_id": None}
        if event["type"] == "Comment":
            comment = comments[event["comment_id"]]
            if with_comments:
                said = comment_json(comment, base_url)
                children.append(said | {"via_reference_id": None, "event_type": "Comment"})
            else:
                flags = {"comment_present": True, "comment_public": bool(comment["public"])}
                children.append({**head, **flags, "event_type": "Comment"})
        elif "field_name" in event:
            child = {**head, event["field_name"]: event["value"], "event_type": event["type"]}
            if event["type"] == "Change":
                child["previous_value"] = event["previous_value"]
            children.append(child)
        else:  # a comment that was redacted or made private
            told = {key: value for key, value in event.items() if key != "type"}
            children.append({**head, **told, "event_type": event["type"]})
    return {
        "id": row["id"],
        "ticket_id": row["ticket_id"],
        "timestamp": row["created_s"],
        "created_at": row["created_at"],
        "updater_id": row["author_id"],
        "via": row["channel"],
        "system": {},
        "metadata": {},
        "event_type": "Audit",
        "child_events": children,
    }


def user_json(row: Row, base_url: str) -> Json:
    """A user."""
    return {
        "id": row["id"],
        "url": f"{base_url}/api/v2/users/{row['id']}.json",
        "name": row["name"],
        "email": row["email"],
        "created_at": row["created_at"],
        "updated_at": iso(row["updated_s"]),
        "time_zone": "Amsterdam",
        "locale": row["locale"],
        "role": row["role"],
        "active": True,
        "verified": True,
        "suspended": False,
        "organization_id": row["organization_id"],
        "tags": [],
        "phone": None,
        "photo": None,
    }
