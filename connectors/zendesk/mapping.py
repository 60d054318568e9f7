"""Zendesk's JSON to our records. The raw JSON is kept beside them, so a field we do not map yet is not lost.

Shapes: Zendesk's API reference for tickets, ticket comments, ticket metrics, incremental exports, users, organizations,
groups, brands, ticket fields, macros, satisfaction ratings, CSAT survey responses and articles. Accounts of different
age and plan answer differently, so whatever is missing, null or of another type is left empty. Only a record without
an id is an error: a KeyError, ValueError, TypeError or AttributeError, for the caller to report.
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
    Deletion,
    FieldValue,
    Group,
    Macro,
    Organization,
    Satisfaction,
    Ticket,
    TicketField,
    TicketMetrics,
    User,
)

Json = dict[str, Any]

MERGED_TAG = "closed_by_merge"
# Where nothing says when something happened: sorts first, and is never newer than what we have.
UNKNOWN_TIME = "1970-01-01T00:00:00Z"

# Calls and messages of social networks are turns of the ticket as well.
_COMMENT_TYPES = frozenset({"Comment", "VoiceComment", "FacebookComment", "FbComment", "Tweet"})
_BODIES = frozenset({"plain_body", "body", "html_body"})
_NO_VALUE: tuple[object, ...] = (None, "", [], {})


def ticket(item: Json) -> Ticket:
    """A ticket. Scrubbed tickets (`SCRUBBED`, `X`) count as deleted: their text is gone for good reason."""
    scrubbed = item.get("subject") == "SCRUBBED" and item.get("description") == "X"
    deleted = item.get("status") == "deleted" or scrubbed or bool(item.get("deleted_at"))
    generated_at = values.number(item.get("generated_timestamp")) or 0
    created_at = values.moment(item.get("created_at"))
    updated_at = values.moment(item.get("updated_at")) or values.moment(item.get("deleted_at"))
    updated_at = updated_at or values.moment(generated_at) or created_at or UNKNOWN_TIME
    via = item.get("via")
    tags = _tags(item.get("tags"))
    return Ticket(
        id=values.key(item),
        subject="" if deleted else values.text(item.get("subject") or item.get("raw_subject")),
        status=values.text(item.get("status")) or ("deleted" if deleted else "open"),
        requester_id=values.identifier(item.get("requester_id")) or values.identifier(item.get("submitter_id")) or "",
        created_at=created_at or updated_at,
        updated_at=updated_at,
        generated_at=generated_at or clock.to_epoch(updated_at),
        group_id=values.identifier(item.get("group_id")),
        assignee_id=values.identifier(item.get("assignee_id")),
        brand_id=values.identifier(item.get("brand_id")),
        priority=values.text(item.get("priority")) or None,
        channel=values.text(via.get("channel") if isinstance(via, dict) else via) or None,
        tags=tags,
        satisfaction=_score(item.get("satisfaction_rating")),
        organization_id=values.identifier(item.get("organization_id")),
        url=values.text(item.get("url")),
        deleted=deleted,
        merged=MERGED_TAG in tags,
        comment_count=values.number(item.get("comment_count")),
        fields=() if deleted else _fields(item.get("custom_fields") or item.get("fields")),
        raw={} if deleted else _without(item, "fields", repeated_in="custom_fields"),
    )


def deletion(item: Json) -> Deletion:
    """A row of the list of deleted tickets, which has `deleted_at` and hardly anything else."""
    at = values.moment(item.get("deleted_at")) or values.moment(item.get("updated_at"))
    return Deletion(ticket_id=values.key(item), at=clock.to_epoch(at or UNKNOWN_TIME))


def comment(item: Json, ticket_id: str) -> Comment:
    """A comment; these carry no ticket id of their own."""
    return _comment(item, ticket_id, item.get("public"), "", UNKNOWN_TIME)


def comment_from_event(event: Json, child: Json) -> Comment | None:
    """The comment in one of a ticket event's `child_events`; None where it is none, or only says that there is one.

    Without `include=comment_events`, a child has `comment_present` and no text. A comment's id is the child's own.
    """
    if (child.get("event_type") or child.get("type")) not in _COMMENT_TYPES or child.keys().isdisjoint(_BODIES):
        return None
    happened_at = values.moment(event.get("created_at")) or values.moment(event.get("timestamp")) or UNKNOWN_TIME
    public = child.get("public", child.get("comment_public"))
    return _comment(
        child, values.key(event, "ticket_id"), public, values.identifier(event.get("updater_id")) or "", happened_at
    )


def _comment(item: Json, ticket_id: str, public: object, author_id: str, created_at: str) -> Comment:
    """A comment; the last two are for where it does not say so itself. An author of whom nothing is known is empty."""
    author = item.get("author")
    if isinstance(author, dict):
        author_id = values.identifier(author.get("id")) or author_id
    return Comment(
        id=values.key(item),
        ticket_id=ticket_id,
        author_id=values.identifier(item.get("author_id")) or author_id,
        # Anything but a plain true is private: a note must never be taken for something the customer has seen.
        public=public is True,
        text=_comment_text(item),
        created_at=values.moment(item.get("created_at")) or created_at,
        attachments=_attachments(item.get("attachments")),
        raw=_without(item, "body", "plain_body", repeated_in="html_body"),
    )


def _without(item: Json, *names: str, repeated_in: str) -> Json:
    """The JSON to keep: without what says the same once more. It is two thirds of a comment."""
    return {key: value for key, value in item.items() if key not in names} if item.get(repeated_in) else item


def _comment_text(item: Json) -> str:
    """`plain_body` has no Markdown in it but is not there on every account, and loses the blank lines of HTML mails.

    `body` keeps them; it is taken where it says the same otherwise, word by word.
    """
    plain, body = item.get("plain_body"), item.get("body")
    if not plain and not body:
        return values.from_html(values.text(item.get("html_body")))
    plain, body = str(plain or body), str(body or plain)
    return values.plain(values.trimmed(body if plain != body and plain.split() == body.split() else plain))


def _attachments(items: object) -> tuple[Attachment, ...]:
    if not items:
        return ()
    return tuple(
        Attachment(
            id=str(item["id"]),
            name=values.text(item.get("file_name")),
            media_type=values.text(item.get("content_type")),
            size_bytes=values.number(item.get("size")) or 0,
            inline=item.get("inline") is True,
        )
        for item in values.objects(items)
        if values.identifier(item.get("id"))
    )


def user(item: Json) -> User:
    """A user; Zendesk's `end-user` is a requester, `agent` and `admin` are of the team.

    Some lists leave the role out; only the team has a `role_type` or a `custom_role_id`.
    """
    role = values.text(item.get("role")).lower()
    if not role and (values.identifier(item.get("role_type")) or values.identifier(item.get("custom_role_id"))):
        role = "agent"
    return User(
        id=values.key(item),
        name=values.text(item.get("name")),
        email=values.text(item.get("email")),
        role="requester" if role in ("", "end-user", "end_user") else "agent",
        locale=values.text(item.get("locale")),
        raw=item,
    )


def group(item: Json) -> Group:
    """A group."""
    return Group(
        id=values.key(item),
        name=values.text(item.get("name")),
        description=values.text(item.get("description")),
        deleted=bool(item.get("deleted")),
        raw=item,
    )


def organization(item: Json) -> Organization:
    """An organization."""
    return Organization(id=values.key(item), name=values.text(item.get("name")), raw=item)


def brand(item: Json) -> Brand:
    """A brand; a deleted one is listed on and counts as inactive."""
    return Brand(
        id=values.key(item),
        name=values.text(item.get("name")),
        url=values.text(item.get("brand_url")),
        active=item.get("active", True) is not False and not item.get("is_deleted"),
        raw=item,
    )


def ticket_field(item: Json) -> TicketField:
    """A ticket field; a drop-down's options are its own (`custom_...`) or the helpdesk's (`system_field_options`)."""
    options = values.objects(item.get("custom_field_options") or item.get("system_field_options"))
    return TicketField(
        id=values.key(item),
        title=values.text(item.get("title") or item.get("raw_title")),
        type=values.text(item.get("type")),
        active=item.get("active", True) is not False,
        options=tuple(values.text(one.get("value")) for one in options if one.get("value")),
        raw=item,
    )


def ticket_metrics(item: Json) -> TicketMetrics:
    """A metric set, as `metric_sets` beside the tickets, as `metric_set` in one or from `/api/v2/ticket_metrics`."""
    solved_at = values.moment(item.get("solved_at"))
    seconds = _calendar(item.get("reply_time_in_seconds"))
    minutes = _calendar(item.get("reply_time_in_minutes"))
    return TicketMetrics(
        ticket_id=values.key(item, "ticket_id"),
        replies=values.number(item.get("replies")),
        reopens=values.number(item.get("reopens")),
        # Messaging tickets have the seconds only.
        first_reply_minutes=seconds // 60 if minutes is None and seconds is not None else minutes,
        resolution_minutes=_calendar(item.get("full_resolution_time_in_minutes")),
        solved_at=solved_at,
        raw=item,
    )


def macro(item: Json) -> Macro:
    """A macro; its text is the value of its comment action (`comment_value_html` where there is one)."""
    text = ""
    for action in values.objects(item.get("actions")):
        value = action.get("value")
        if isinstance(value, list):  # comment_value may come as [channel, text]
            value = value[-1] if value else ""
        if action.get("field") == "comment_value":
            text = text or str(value or "")
        elif action.get("field") == "comment_value_html":
            text = values.from_html(str(value or ""))
    return Macro(
        id=values.key(item),
        title=values.text(item.get("title")),
        text=text.strip(),
        active=item.get("active", True) is not False,
        raw=item,
    )


def satisfaction(item: Json) -> Satisfaction:
    """A rating; `offered` ones have not been answered and map to an empty score.

    Also reads what took the ratings' place on newer accounts: a survey response with `answers`, one of which has a
    `rating_category`, about `subjects`, one of which is the ticket.
    """
    answers = values.objects(item.get("answers"))
    tickets = [one for one in values.objects(item.get("subjects")) if one.get("type") == "ticket"]
    scores = [_score(item), *(_score(one.get("rating_category")) for one in answers)]
    words = [item.get("comment"), *(one.get("value") or one.get("comment") for one in answers)]
    times = [item.get("updated_at"), item.get("created_at"), *(one.get("updated_at") for one in answers)]
    return Satisfaction(
        id=values.key(item),
        ticket_id=values.identifier(item.get("ticket_id"))
        or next((values.identifier(one.get("id")) or "" for one in tickets), ""),
        score=next((one for one in scores if one), ""),
        comment=next((values.text(one) for one in words if one), ""),
        updated_at=next((time for time in map(values.moment, times) if time), UNKNOWN_TIME),
        raw=item,
    )


def article(item: Json) -> Article:
    """A help-centre article; its HTML becomes Markdown, so that lists and tables keep their sense."""
    times = (item.get("edited_at"), item.get("updated_at"), item.get("created_at"))
    return Article(
        id=values.key(item),
        title=values.text(item.get("title") or item.get("name")),
        text=values.plain(markdownify(values.text(item.get("body")), heading_style="ATX", strip=["img"])),
        url=values.text(item.get("html_url")),
        locale=values.text(item.get("locale") or item.get("source_locale")),
        updated_at=next((time for time in map(values.moment, times) if time), UNKNOWN_TIME),
        draft=bool(item.get("draft")),
        raw=item,
    )


def _calendar(value: object) -> int | None:
    """The calendar part of a duration, which also has one in business hours."""
    return values.number(value.get("calendar") if isinstance(value, dict) else value)


def _tags(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _fields(items: object) -> tuple[tuple[str, FieldValue], ...]:
    """The custom fields that have a value; a checkbox's `false` is one."""
    if isinstance(items, dict):
        items = [{"id": key, "value": value} for key, value in items.items()]
    if not isinstance(items, list):
        return ()
    return tuple(
        (str(one["id"]), value if isinstance(value, str | int | float | list) else json.dumps(value))
        for one in items
        if isinstance(one, dict) and (value := one.get("value")) not in _NO_VALUE and values.identifier(one.get("id"))
    )


def _score(rating: object) -> str | None:
    score = rating.get("score") if isinstance(rating, dict) else rating
    if score in ("good", "good_with_comment"):
        return "good"
    return "bad" if score in ("bad", "bad_with_comment") else None
