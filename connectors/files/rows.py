"""Rows of a folder's tables to our records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors import clock
from connectors import values as loose
from connectors.files import kinds
from connectors.records import (
    Article,
    Attachment,
    Brand,
    Comment,
    FieldValue,
    Group,
    Macro,
    Organization,
    Record,
    Role,
    Satisfaction,
    Ticket,
    TicketField,
    TicketMetrics,
    User,
)

Values = dict[str, Any]

AGENT = "agent"
UNKNOWN_TIME = "1970-01-01T00:00:00Z"


def ticket(row: Values) -> Ticket:
    """A ticket; one whose state is not given is solved, as finished tickets are what people export."""
    created_at = row["created_at"]
    updated_at = row.get("updated_at") or row.get("reply_at") or created_at
    state = row.get("status") or "solved"
    deleted = bool(row.get("deleted")) or state == "deleted"
    return Ticket(
        id=row["id"],
        subject="" if deleted else row.get("subject") or "",
        status="deleted" if deleted else state,
        requester_id=requester_id(row),
        created_at=created_at,
        updated_at=updated_at,
        generated_at=row.get("generated_at") or clock.to_epoch(updated_at),
        group_id=row.get("group_id"),
        assignee_id=row.get("assignee_id"),
        brand_id=row.get("brand_id"),
        priority=row.get("priority"),
        channel=row.get("channel"),
        tags=() if deleted else row.get("tags") or (),
        satisfaction=row.get("satisfaction"),
        organization_id=row.get("organization_id"),
        url=row.get("url") or "",
        deleted=deleted,
        merged=bool(row.get("merged")),
        comment_count=row.get("comment_count"),
        fields=() if deleted else fields(row.get("fields")),
        raw={} if deleted else row["raw"],
    )


def requester_id(row: Values) -> str:
    """Who asked; where nothing says so, somebody whom no other ticket knows."""
    found = row.get("requester_id") or row.get("requester_email") or row.get("requester_name")
    return str(found or f"requester of {row['id']}")


def requester(row: Values) -> User | None:
    """Who asked, where the ticket has a name or an address."""
    if not row.get("requester_name") and not row.get("requester_email"):
        return None
    name, email = row.get("requester_name") or "", row.get("requester_email") or ""
    return User(requester_id(row), name, email, "requester")


def dialogue(row: Values) -> tuple[list[Comment], list[User]]:
    """Question and reply that stand in the ticket's own row."""
    comments, authors = [], []
    if row.get("question"):
        comments.append(
            Comment(f"{row['id']}-1", row["id"], requester_id(row), True, row["question"], row["created_at"])
        )
    if row.get("reply"):
        agent_id, at = row.get("reply_by") or AGENT, row.get("reply_at") or row["created_at"]
        comments.append(Comment(f"{row['id']}-2", row["id"], agent_id, True, row["reply"], at))
        authors.append(User(agent_id, agent_id if row.get("reply_by") else "", "", "agent"))
    return comments, authors


def comment(row: Values, ticket_row: Values, number: int) -> tuple[Comment, User]:
    """A comment and its author.

    Args:
        number: Which of its ticket's it is, from 1.
    """
    asked = requester_id(ticket_row)
    author_id = row.get("author_id") or row.get("author_email") or row.get("author_name")
    role: Role | None = row.get("author_role")
    if not author_id:
        author_id = AGENT if role == "agent" else asked
    author = User(
        id=author_id,
        name=row.get("author_name") or "",
        email=row.get("author_email") or "",
        role=role or ("requester" if author_id == asked else "agent"),
    )
    return (
        Comment(
            id=row.get("id") or f"{row['ticket_id']}-{number}",
            ticket_id=row["ticket_id"],
            author_id=author_id,
            public=row["public"] is True,
            text=row["text"],
            created_at=row["created_at"],
            attachments=attachments(row.get("attachments")),
            raw=row["raw"],
        ),
        author,
    )


def fields(items: object) -> tuple[tuple[str, FieldValue], ...]:
    """Custom fields that have a value."""
    if not isinstance(items, dict):
        return ()
    return tuple(
        (str(key), value if isinstance(value, str | int | float | list) else str(value))
        for key, value in items.items()
        if value is not None
    )


def attachments(items: object) -> tuple[Attachment, ...]:
    """What is known of files; nobody needs more of them than this."""
    return tuple(
        Attachment(
            id=kinds.text(item.get("id", "")),
            name=kinds.text(item.get("name", "")),
            media_type=kinds.text(item.get("media_type", "")),
            size_bytes=loose.number(item.get("size_bytes")) or 0,
            inline=item.get("inline") in (True, 1),
        )
        for item in loose.objects(items)
    )


def _named(row: Values, field: str) -> str:
    """A name, which is the id where the table has no column for it."""
    return str(row.get(field, row["id"]))


def _user(row: Values) -> User:
    return User(
        row["id"], row.get("name") or "", row.get("email") or "", row["role"], row.get("locale") or "", row["raw"]
    )


def _group(row: Values) -> Group:
    name = _named(row, "name")
    return Group(row["id"], name, row.get("description") or "", bool(row.get("deleted")), row["raw"])


def _brand(row: Values) -> Brand:
    return Brand(row["id"], _named(row, "name"), row.get("url") or "", row.get("active", True), row["raw"])


def _ticket_field(row: Values) -> TicketField:
    title, kind = _named(row, "title"), row.get("type") or ""
    return TicketField(row["id"], title, kind, row.get("active", True), row.get("options") or (), row["raw"])


def _organization(row: Values) -> Organization:
    return Organization(row["id"], _named(row, "name"), row["raw"])


def _macro(row: Values) -> Macro:
    return Macro(row["id"], _named(row, "title"), row["text"], row.get("active", True), row["raw"])


def _article(row: Values) -> Article:
    return Article(
        row["id"],
        row["title"],
        row["text"],
        row.get("url") or "",
        row.get("locale") or "",
        row.get("updated_at") or UNKNOWN_TIME,
        bool(row.get("draft")),
        row["raw"],
    )


def _metrics(row: Values) -> TicketMetrics:
    return TicketMetrics(
        ticket_id=row["ticket_id"],
        replies=row.get("replies"),
        reopens=row.get("reopens"),
        first_reply_minutes=row.get("first_reply_minutes"),
        resolution_minutes=row.get("resolution_minutes"),
        solved_at=row.get("solved_at"),
        raw=row["raw"],
    )


def _satisfaction(row: Values) -> Satisfaction:
    return Satisfaction(
        row.get("id") or row["ticket_id"],
        row["ticket_id"],
        row["score"],
        row.get("comment") or "",
        row.get("updated_at") or UNKNOWN_TIME,
        row["raw"],
    )


MAKERS: dict[str, Callable[[Values], Record]] = {
    "users": _user, "groups": _group, "brands": _brand, "ticket_fields": _ticket_field,
    "organizations": _organization, "macros": _macro, "articles": _article, "ticket_metrics": _metrics,
    "satisfaction_ratings": _satisfaction,
}  # fmt: skip
"""For each table but tickets and comments: a row's values to its record."""
