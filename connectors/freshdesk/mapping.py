"""Freshdesk's JSON to our records. The raw JSON is kept beside them, so a field we do not map yet is not lost.

Shapes: Freshdesk's API reference (https://developers.freshdesk.com/api/) for tickets, conversations, contacts, agents,
groups, companies, products, ticket fields, canned responses, solutions and satisfaction ratings. Whatever is missing,
null or of another type is left empty; only a record without an id is an error, for the caller to report.
"""

from __future__ import annotations

import json
from typing import Any

from markdownify import markdownify

from connectors import clock, values
from connectors.records import (
    Article,
    Attachment,
    Brand,
    Comment,
    FieldValue,
    Group,
    Macro,
    Organization,
    Role,
    Satisfaction,
    Ticket,
    TicketField,
    TicketMetrics,
    User,
)

Json = dict[str, Any]

# 6 and 7 come with every account; an account's own states start at 8 and are none of the final ones.
STATUSES = {2: "open", 3: "pending", 4: "solved", 5: "closed", 6: "pending", 7: "hold"}
PRIORITIES = {1: "low", 2: "medium", 3: "high", 4: "urgent"}
_CHANNELS = {
    1: "email", 2: "portal", 3: "phone", 4: "forum", 5: "twitter", 6: "facebook", 7: "chat", 9: "feedback_widget",
    10: "outbound_email", 11: "ecommerce",
}  # fmt: skip
# What a customer sees is a reply (0) or a note that is not private (2); a post and its answers on a social network (5,
# 7) are public as well. A forwarded mail (8) went to somebody else, a survey's answer (6) is for the team, and what
# kinds there will be nobody knows.
_PUBLIC_SOURCES = frozenset({0, 2, 5, 7})
_PUBLISHED, _VISIBLE_TO_ALL = 2, 1
_NO_VALUE: tuple[object, ...] = (None, "", [], {})
UNKNOWN_TIME = "1970-01-01T00:00:00Z"


def ticket(item: Json, base_url: str) -> Ticket:
    """A ticket; one in the bin or in the spam folder counts as deleted."""
    deleted = item.get("deleted") is True or item.get("spam") is True
    created_at = values.moment(item.get("created_at"))
    updated_at = values.moment(item.get("updated_at")) or created_at or UNKNOWN_TIME
    ticket_id = values.key(item)
    return Ticket(
        id=ticket_id,
        subject="" if deleted else values.text(item.get("subject")),
        status="deleted" if deleted else STATUSES.get(values.number(item.get("status")) or 0, "open"),
        requester_id=values.identifier(item.get("requester_id")) or "",
        created_at=created_at or updated_at,
        updated_at=updated_at,
        generated_at=clock.to_epoch(updated_at),
        group_id=values.identifier(item.get("group_id")),
        assignee_id=values.identifier(item.get("responder_id")),
        brand_id=values.identifier(item.get("product_id")),
        priority=PRIORITIES.get(values.number(item.get("priority")) or 0),
        channel=_CHANNELS.get(values.number(item.get("source")) or 0),
        tags=() if deleted else _tags(item.get("tags")),
        organization_id=values.identifier(item.get("company_id")),
        url=f"{base_url}/a/tickets/{ticket_id}",
        deleted=deleted,
        fields=() if deleted else _fields(item.get("custom_fields")),
        raw={} if deleted else item,
    )


def metrics(item: Json) -> TicketMetrics | None:
    """What `include=stats` says of a ticket; None where it was not included."""
    stats = item.get("stats")
    if not isinstance(stats, dict):
        return None
    created = values.moment(item.get("created_at"))
    solved = values.moment(stats.get("resolved_at")) or values.moment(stats.get("closed_at"))
    return TicketMetrics(
        ticket_id=values.key(item),
        first_reply_minutes=_minutes(created, values.moment(stats.get("first_responded_at"))),
        resolution_minutes=_minutes(created, solved),
        solved_at=solved,
        raw=stats,
    )


def description(item: Json) -> Comment:
    """The first turn of a ticket, which Freshdesk keeps in the ticket and not among its conversations."""
    author = item.get("responder_id") if is_outbound(item) else item.get("requester_id")
    return Comment(
        id=f"t{values.key(item)}",
        ticket_id=values.key(item),
        author_id=values.identifier(author) or "",
        public=True,
        text=_words(item.get("description_text"), item.get("description")),
        created_at=values.moment(item.get("created_at")) or UNKNOWN_TIME,
        attachments=_attachments(item.get("attachments")),
    )


def is_outbound(item: Json) -> bool:
    """Whether the first word of a ticket is the team's own."""
    return values.number(item.get("source")) == 10 and item.get("responder_id") is not None


def is_by_the_team(conversation: Json) -> bool:
    """Whether a turn is the team's; what came in from outside, or answers a survey (6), is a customer's."""
    return conversation.get("incoming") is False and conversation.get("source") != 6


def conversation(item: Json, ticket_id: str) -> Comment:
    """A reply or a note. Anything but a plain `false` is private, and so is every kind that no customer sees."""
    return Comment(
        id=values.key(item),
        ticket_id=ticket_id,
        author_id=values.identifier(item.get("user_id")) or "",
        public=item.get("private") is False and item.get("source") in _PUBLIC_SOURCES,
        text=_words(item.get("body_text"), item.get("body")),
        created_at=values.moment(item.get("created_at")) or UNKNOWN_TIME,
        attachments=_attachments(item.get("attachments")),
        raw=item,
    )


def agent(item: Json) -> User:
    """Somebody of the team; name and address are in the `contact` inside."""
    inside = item.get("contact")
    return _user(values.key(item), inside if isinstance(inside, dict) else item, "agent")


def contact(item: Json, role: Role = "requester") -> User:
    """A customer, also as the `requester` inside a ticket."""
    return _user(values.key(item), item, role)


def _user(user_id: str, item: Json, role: Role) -> User:
    # The same person comes from five places, in as many shapes. What not all of them have is left out, or each sync
    # would find everybody changed; so are the phone numbers and street addresses that nobody here needs. The language
    # is the account's own for whoever never chose one.
    return User(id=user_id, name=values.text(item.get("name")), email=values.text(item.get("email")), role=role)


def group(item: Json) -> Group:
    """A group."""
    name, description = values.text(item.get("name")), values.text(item.get("description"))
    return Group(id=values.key(item), name=name, description=description, raw=item)


def organization(item: Json) -> Organization:
    """A company."""
    return Organization(id=values.key(item), name=values.text(item.get("name")), raw=item)


def brand(item: Json) -> Brand:
    """A product: what Freshdesk calls several names that one account answers under."""
    return Brand(id=values.key(item), name=values.text(item.get("name")), raw=item)


def ticket_field(item: Json) -> TicketField:
    """A field's definition; tickets name it by its `name`, so that is its id here. Choices are a list or a tree."""
    choices = item.get("choices")
    names = [next(iter(one), "") if isinstance(one, dict) else one for one in choices or ()]
    return TicketField(
        id=values.text(item.get("name")) or values.key(item),
        title=values.text(item.get("label")),
        type=values.text(item.get("type")),
        active=item.get("archived") is not True,
        options=tuple(values.text(name) for name in names if name),
        raw=item,
    )


def macro(item: Json) -> Macro:
    """A canned response."""
    text = _words(item.get("content"), item.get("content_html"))
    return Macro(id=values.key(item), title=values.text(item.get("title")), text=text, raw=item)


def article(item: Json, folder: Json, base_url: str) -> Article:
    """A solution article; one that is not published, or not for everybody, is a draft: no customer may read it."""
    article_id = values.key(item)
    levels = values.objects(item.get("hierarchy"))
    languages = [level["data"].get("language") for level in levels if isinstance(level.get("data"), dict)]
    return Article(
        id=article_id,
        title=values.text(item.get("title")),
        text=values.plain(markdownify(values.text(item.get("description")), heading_style="ATX", strip=["img"])),
        url=f"{base_url}/support/solutions/articles/{article_id}",
        locale=values.text(item.get("language") or next((one for one in languages if one), "")),
        updated_at=values.moment(item.get("updated_at")) or UNKNOWN_TIME,
        draft=item.get("status") != _PUBLISHED or folder.get("visibility") != _VISIBLE_TO_ALL,
        raw=item,
    )


def satisfaction(item: Json) -> Satisfaction:
    """A rating, by its main question: 1 and 101 to 103 are happy, 3 and -101 to -103 are not, the others neither."""
    ratings = item.get("ratings")
    rating = values.number(ratings.get("default_question") if isinstance(ratings, dict) else None)
    score = ""
    if rating is not None:
        score = "good" if rating == 1 or rating > 100 else "bad" if rating == 3 or rating < -100 else ""
    return Satisfaction(
        id=values.key(item),
        ticket_id=values.identifier(item.get("ticket_id")) or "",
        score=score,
        comment=values.text(item.get("feedback")),
        updated_at=values.moment(item.get("updated_at")) or values.moment(item.get("created_at")) or UNKNOWN_TIME,
        raw=item,
    )


def _words(text: object, html: object) -> str:
    # The plain text has lost its paragraphs where it was made from HTML.
    return values.from_html(values.text(html)) or values.plain(values.text(text))


def _tags(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _fields(items: object) -> tuple[tuple[str, FieldValue], ...]:
    if not isinstance(items, dict):
        return ()
    return tuple(
        (name, value if isinstance(value, str | int | float | list) else json.dumps(value))
        for name, value in items.items()
        if value not in _NO_VALUE
    )


def _attachments(items: object) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            id=values.key(item),
            name=values.text(item.get("name")),
            media_type=values.text(item.get("content_type")),
            size_bytes=values.number(item.get("size")) or 0,
        )
        for item in values.objects(items)
        if values.identifier(item.get("id"))
    )


def _minutes(start: str | None, end: str | None) -> int | None:
    return (clock.to_epoch(end) - clock.to_epoch(start)) // 60 if start and end else None
