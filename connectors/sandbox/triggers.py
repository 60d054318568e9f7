"""Triggers: conditions over a ticket event, and the notification that a webhook then gets.

The sandbox plays the part of https://developer.zendesk.com/api-reference/ticketing/business-rules/triggers/ that a
connector needs; fields, operators and placeholders are named as in Zendesk's references of conditions and placeholders.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlite_utils import Database

from connectors.sandbox.database import Row, iso, next_id, one, rows, scalar
from connectors.sandbox.refusals import record_invalid

Json = dict[str, Any]
_ORDER = {name: place for place, name in enumerate(("new", "open", "pending", "hold", "solved", "closed"))}
_PRIORITY = {name: place for place, name in enumerate(("low", "normal", "high", "urgent"))}
FIELDS = (
    *("update_type", "role", "current_user", "comment_is_public", "status", "priority", "group_id", "assignee_id"),
    *("requester_id", "current_tags", "via_id", "subject_includes_word"),
)
OPERATORS = ("is", "is_not", "less_than", "greater_than", "includes", "not_includes", "changed", "not_changed")


@dataclass(frozen=True)
class TicketEvent:
    """One change of a ticket.

    Attributes:
        update_type: Create or Change.
        ticket: The ticket's row after the change.
        before: Its row before, None on Create.
        comment: The comment's row where the change has one.
        actor_id: Who did it; where there is a comment, its author.
    """

    update_type: Literal["Create", "Change"]
    ticket: Row
    before: Row | None
    comment: Row | None
    actor_id: int


def check_conditions(conditions: object) -> Json:
    """Check a trigger's ``conditions``; returns them with both lists present.

    Raises:
        Refusal: 422 for fields or operators that the sandbox does not play.
    """
    given = conditions if isinstance(conditions, dict) else {}
    checked: Json = {"all": given.get("all") or [], "any": given.get("any") or []}
    for condition in [*checked["all"], *checked["any"]]:
        field = condition.get("field") if isinstance(condition, dict) else None
        if field not in FIELDS:
            raise record_invalid("conditions", f"Conditions: field {field!r} is not one of {', '.join(FIELDS)}")
        if condition.get("operator", "is") not in OPERATORS:
            raise record_invalid("conditions", f"Conditions: operator is not one of {', '.join(OPERATORS)}")
    return checked


def fire(db: Database, event: TicketEvent, *, now_s: float, host: str) -> int:
    """Enqueue a delivery for each active trigger that matches; returns how many.

    Part of the transaction that changes the ticket: the sender sees the rows only once that is committed.
    """
    count = 0
    for trigger in rows(db, "select * from triggers where active = 1 order by position, id"):
        if not _matches(db, json.loads(trigger["conditions"]), event):
            continue
        for action in json.loads(trigger["actions"]):
            if action.get("field") != "notification_webhook":
                continue
            webhook_id, template = action["value"]
            if one(db, "select id from webhooks where id = ? and status = 'active'", [webhook_id]) is None:
                continue
            db.table("deliveries").insert(
                {
                    "id": next_id(db, "deliveries"),
                    "webhook_id": webhook_id,
                    "trigger_id": trigger["id"],
                    "ticket_id": event.ticket["id"],
                    "invocation_id": uuid.uuid4().hex,  # the same on every attempt, so that receivers can tell
                    "body": render(db, template, event, host=host),
                    "status": "pending",
                    "attempts": 0,
                    "next_attempt_s": 0.0,
                    "response_status": None,
                    "error": None,
                    "created_at": iso(now_s),
                    "finished_at": None,
                }
            )
            count += 1
    return count


def render(db: Database, template: str, event: TicketEvent, *, host: str) -> str:
    """Fill ``{{ticket.id}}`` and its like into a body; placeholders that the sandbox does not know become empty."""
    ticket = event.ticket
    latest = "select id from comments where ticket_id = ? {} order by id desc limit 1"
    url = f"{host}/agent/tickets/{ticket['id']}"  # Zendesk's ticket.url has no scheme, ticket.link has
    values: dict[str, Callable[[], Any]] = {
        "ticket.id": lambda: ticket["id"],
        "ticket.url": lambda: url,
        "ticket.link": lambda: f"http://{url}",
        "ticket.status": lambda: str(ticket["status"]).capitalize(),
        "ticket.created_at_with_timestamp": lambda: ticket["created_at"],
        "ticket.updated_at_with_timestamp": lambda: ticket["updated_at"],
        "ticket.latest_comment.id": lambda: scalar(db, latest.format(""), [ticket["id"]]),
        "ticket.latest_public_comment.id": lambda: scalar(db, latest.format("and public = 1"), [ticket["id"]]),
        "ticket.requester.id": lambda: ticket["requester_id"],
        "ticket.group.id": lambda: ticket["group_id"],
        "current_user.id": lambda: event.actor_id,
    }

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1], lambda: None)()
        return "" if value is None else str(value)

    return re.sub(r"\{\{\s*([\w.]+)\s*\}\}", fill, template)


def _matches(db: Database, conditions: Json, event: TicketEvent) -> bool:
    if not all(_holds(db, condition, event) for condition in conditions["all"]):
        return False
    return not conditions["any"] or any(_holds(db, condition, event) for condition in conditions["any"])


def _holds(db: Database, condition: Json, event: TicketEvent) -> bool:
    field, operator, value = condition["field"], str(condition.get("operator", "is")), condition.get("value")
    if operator in {"changed", "not_changed"}:
        changed = event.before is not None and bool(event.before.get(field) != event.ticket.get(field))
        return changed == (operator == "changed")
    if field == "current_tags":
        common = bool(set(str(value or "").split()) & set(json.loads(event.ticket["tags"])))
        return common != operator.startswith("not_") and operator != "is_not"
    if field == "subject_includes_word":
        found = any(word in event.ticket["subject"].lower() for word in str(value or "").lower().split())
        return found != operator.startswith("not_")
    order = {"status": _ORDER, "priority": _PRIORITY}.get(field)
    if operator in {"less_than", "greater_than"} and order:
        here, there = order.get(event.ticket[field], -1), order.get(str(value), -1)
        return here < there if operator == "less_than" else here > there
    equal = _equals(db, field, str(value), event)
    return equal == (operator == "is")


def _equals(db: Database, field: str, value: str, event: TicketEvent) -> bool:
    if field == "update_type":
        return value == event.update_type
    if field in {"role", "current_user"}:
        role = scalar(db, "select role from users where id = ?", [event.actor_id]) or ""
        kind = "end_user" if role == "end-user" else "agent"  # admins count as agents in conditions
        return value in {kind, role, str(event.actor_id)}
    if field == "comment_is_public":
        if event.comment is None:
            return False
        return value == "not_relevant" or value == ("true" if event.comment["public"] else "false")
    if field == "via_id":
        return value == str(event.ticket["channel"])
    present = event.ticket[field]
    return value in {str(present), "" if present is None else str(present)}
