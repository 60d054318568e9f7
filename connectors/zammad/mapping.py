"""Zammad's JSON, with `expand=true`, to our records. The raw JSON is kept beside them, so nothing is lost.

Shapes: https://docs.zammad.org/en/latest/api/ticket/index.html and its neighbours. Whatever is missing, null or of
another type is left empty; only a record without an id is an error, for the caller to report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from connectors import clock, values
from connectors.records import (
    Attachment,
    Comment,
    FieldValue,
    Group,
    Macro,
    Organization,
    Ticket,
    TicketField,
    TicketMetrics,
    User,
)

Json = dict[str, Any]

UNKNOWN_TIME = "1970-01-01T00:00:00Z"
INTAKE = "users"
"""The group that Zammad comes with, where tickets are that nobody has sorted yet: for us those have no group."""

# The kinds of states; a site gives its states names of its own. A closed ticket can be opened again by everybody, so it
# is what others call solved.
_STATUSES = {
    "new": "new", "open": "open", "pending reminder": "pending", "pending action": "pending", "closed": "solved",
    "merged": "closed", "removed": "closed",
}  # fmt: skip
# Of the states that every installation has; for credentials that may not read the list.
STATE_TYPES: Mapping[str, str] = {name: name for name in _STATUSES} | {"pending close": "pending action"}

_TEAM = frozenset({"Admin", "Agent"})
_NO_VALUE: tuple[object, ...] = (None, "", [], {})
# What every ticket has; the rest are an account's own fields. From the documentation's examples and db/migrate.
_STANDARD = frozenset(
    {
        "id", "number", "title", "note", "preferences", "type", "time_unit", "time_units_per_type",
        "article_count", "article_ids", "articles", "group", "group_id", "priority", "priority_id", "state",
        "state_id", "organization", "organization_id", "owner", "owner_id", "customer", "customer_id",
        "created_by", "created_by_id", "updated_by", "updated_by_id", "created_at", "updated_at",
        "pending_time", "first_response_at", "first_response_escalation_at", "first_response_in_min",
        "first_response_diff_in_min", "close_at", "close_escalation_at", "close_in_min", "close_diff_in_min",
        "last_close_at", "update_escalation_at", "update_in_min", "update_diff_in_min", "escalation_at",
        "last_contact_at", "last_contact_agent_at", "last_contact_customer_at", "last_owner_update_at",
        "create_article_type", "create_article_type_id", "create_article_sender", "create_article_sender_id",
        "ticket_time_accounting", "ticket_time_accounting_ids", "checklist", "checklist_id",
        "referencing_checklist_tickets", "referencing_checklist_ticket_ids", "mentions", "mention_ids",
        "participant_ids", "tags", "ai_agent_running", "ai_summary_enabled", "ai_stored_results",
    }
)  # fmt: skip


def ticket(item: Json, base_url: str, states: Mapping[str, str], *, tags: tuple[str, ...] = ()) -> Ticket:
    """A ticket.

    Args:
        states: The kind of each state by its name.
        tags: They are no part of a ticket's JSON.
    """
    kind = states.get(values.text(item.get("state")).lower(), "open")
    created_at = values.moment(item.get("created_at"))
    updated_at = values.moment(item.get("updated_at")) or created_at or UNKNOWN_TIME
    ticket_id = values.key(item)
    group = None if values.text(item.get("group")).lower() == INTAKE else values.identifier(item.get("group_id"))
    owner = values.identifier(item.get("owner_id"))
    return Ticket(
        id=ticket_id,
        subject=values.text(item.get("title")),
        status=_STATUSES.get(kind, "open"),
        requester_id=values.identifier(item.get("customer_id")) or "",
        created_at=created_at or updated_at,
        updated_at=updated_at,
        generated_at=clock.to_epoch(updated_at),
        group_id=group,
        assignee_id=None if owner == "1" else owner,  # user 1 is the system: nobody
        priority=values.text(item.get("priority")) or None,
        channel=values.text(item.get("create_article_type")) or None,
        tags=tags,
        organization_id=values.identifier(item.get("organization_id")),
        url=f"{base_url}/#ticket/zoom/{ticket_id}",
        merged=kind == "merged",
        comment_count=values.number(item.get("article_count")),
        fields=_fields(item),
        raw=item,
    )


def metrics(item: Json) -> TicketMetrics | None:
    """A ticket's figures; None where it has neither been answered nor closed.

    Zammad's own minutes count business hours; ours are those of the calendar.
    """
    created, answered, closed = (
        values.moment(item.get(name)) for name in ("created_at", "first_response_at", "close_at")
    )
    if not answered and not closed:
        return None
    return TicketMetrics(
        ticket_id=values.key(item),
        first_reply_minutes=_minutes(created, answered),
        resolution_minutes=_minutes(created, closed),
        solved_at=closed,
    )


def comment(item: Json, ticket_id: str) -> Comment:
    """An article. Anything but a plain `false` for `internal` is private.

    So is what the system wrote by itself: the automatic answers to new tickets are nobody's words, and would be taken
    for the team's answer. And so are mails forwarded to third parties.
    """
    preferences = item.get("preferences")
    forwarded = isinstance(preferences, dict) and preferences.get("subtype") == "forward"
    body = values.text(item.get("body"))
    is_html = "html" in values.text(item.get("content_type")).lower()
    return Comment(
        id=values.key(item),
        ticket_id=ticket_id,
        # Whoever types in a call is not the one who said it.
        author_id=values.identifier(item.get("origin_by_id") or item.get("created_by_id")) or "",
        public=item.get("internal") is False and item.get("sender") in ("Agent", "Customer") and not forwarded,
        text=values.from_html(body) if is_html else values.plain(body),
        created_at=values.moment(item.get("created_at")) or UNKNOWN_TIME,
        attachments=tuple(
            _attachment(one) for one in values.objects(item.get("attachments")) if values.identifier(one.get("id"))
        ),
        raw=item,
    )


def _attachment(item: Json) -> Attachment:
    preferences = item.get("preferences")
    about = preferences if isinstance(preferences, dict) else {}
    return Attachment(
        id=values.key(item),
        name=values.text(item.get("filename")),
        media_type=values.text(about.get("Mime-Type") or about.get("Content-Type")).partition(";")[0],
        size_bytes=values.number(item.get("size")) or 0,
        inline=bool(about.get("Content-ID")) or about.get("Content-Disposition") == "inline",
    )


def user(item: Json) -> User:
    """A user; of the team is who has a role of the team or access to a group (roles may have any name).

    Phone numbers and street addresses are left out: nobody here needs them.
    """
    roles, groups, preferences = item.get("roles"), item.get("group_ids"), item.get("preferences")
    is_team = bool(_TEAM & set(roles) if isinstance(roles, list) else ()) or bool(groups)
    names = (values.text(item.get(name)) for name in ("firstname", "lastname"))
    return User(
        id=values.key(item),
        name=" ".join(name for name in names if name),
        email=values.text(item.get("email")),
        role="agent" if is_team else "requester",
        locale=values.text(preferences.get("locale")) if isinstance(preferences, dict) else "",
    )


def group(item: Json) -> Group:
    """A group."""
    return Group(
        id=values.key(item),
        name=values.text(item.get("name")),
        description=values.from_html(values.text(item.get("note"))),
        deleted=item.get("active") is False,
        raw=item,
    )


def organization(item: Json) -> Organization:
    """An organization, without the list of its members."""
    kept = {key: value for key, value in item.items() if "member" not in key}
    return Organization(id=values.key(item), name=values.text(item.get("name")), raw=kept)


def ticket_field(item: Json) -> TicketField:
    """An attribute of tickets; tickets name it by its `name`, so that is its id here."""
    option = item.get("data_option")
    choices = option.get("options") if isinstance(option, dict) else None
    if isinstance(choices, list):  # a tree, or a list in an order of its own
        choices = [one.get("value") if isinstance(one, dict) else one for one in choices]
    return TicketField(
        id=values.text(item["name"]),
        title=values.text(item.get("display")),
        type=values.text(item.get("data_type")),
        active=item.get("active") is not False,
        options=tuple(values.text(name) for name in choices or () if values.text(name)),
        raw=item,
    )


def is_own_field(item: Json) -> bool:
    """Whether an attribute is one of tickets, and the account's own."""
    return item.get("object") == "Ticket" and item.get("name") not in _STANDARD


def text_module(item: Json) -> Macro:
    """A text module: what Zammad calls a saved reply."""
    return Macro(
        id=f"t{values.key(item)}",
        title=values.text(item.get("name")),
        text=values.from_html(values.text(item.get("content"))),
        active=item.get("active") is not False,
        raw=item,
    )


def macro(item: Json) -> Macro | None:
    """A macro that writes something for the customer; None for others, and for those that leave an internal note."""
    perform = item.get("perform")
    note = perform.get("article.note") if isinstance(perform, dict) else None
    if not isinstance(note, dict) or str(note.get("internal")).lower() != "false":
        return None
    text = values.from_html(values.text(note.get("body")))
    name = values.text(item.get("name"))
    active = item.get("active") is not False
    return Macro(id=f"m{values.key(item)}", title=name, text=text, active=active, raw=item) if text else None


def state_types(items: list[Json]) -> dict[str, str]:
    """The kind of each state by its name, in lower case."""
    kinds = {values.text(item.get("name")).lower(): values.text(item.get("state_type")) for item in items}
    return {**STATE_TYPES, **{name: kind for name, kind in kinds.items() if kind}}


def _fields(item: Json) -> tuple[tuple[str, FieldValue], ...]:
    return tuple(
        (name, value if isinstance(value, str | int | float | list) else json.dumps(value))
        for name, value in item.items()
        if name not in _STANDARD and value not in _NO_VALUE
    )


def _minutes(start: str | None, end: str | None) -> int | None:
    return (clock.to_epoch(end) - clock.to_epoch(start)) // 60 if start and end else None
