"""Request Tracker's JSON to our records. The raw JSON is kept beside them, so a field we do not map is not lost."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from markdownify import markdownify

from connectors import clock
from connectors.records import Article, Attachment, Comment, Group, Ticket, TicketField, User

Json = dict[str, Any]

INTAKE = "general"
"""The queue that RT comes with, where tickets are that nobody has sorted yet: for us those have no group."""
TAGS = "tags"
"""RT has no tags. A custom field of this name, in any case, that takes several values stands in for them."""
KINDS = ("Create", "Correspond", "Comment")
"""Transactions that hold what somebody wrote; all but the last are seen by the customer."""

TICKET_FIELDS: Mapping[str, str] = {
    "fields": "Subject,Status,Queue,Owner,Requestor,Creator,Created,LastUpdated,Priority,EffectiveId,CustomFields",
    "fields[Queue]": "Name",
    "fields[Owner]": "id,Name",
    "fields[Requestor]": "id,Name,RealName,EmailAddress,Lang",
    "fields[Creator]": "id,Name,RealName,EmailAddress,Lang",
}

# The words of RT's default lifecycle and of those that its documentation shows.
_STATUSES = {
    "new": "new", "open": "open", "stalled": "pending", "resolved": "solved", "rejected": "closed",
    "deleted": "deleted",
}  # fmt: skip
_BLANK_LINES = re.compile(r"\n{3,}")
_MARKUP = re.compile(r"</?(?:p|br|div|span|ul|ol|li|h[1-6]|table|a|b|strong|em)\b[^>]*>", re.IGNORECASE)


def knows_status(status: str) -> bool:
    """Whether `ticket` can tell by itself what a status means."""
    return status in _STATUSES


def ticket(item: Json, base_url: str, *, inactive: Collection[str] = ()) -> Ticket:
    """A ticket from a listing with `TICKET_FIELDS`.

    Args:
        inactive: Ids of tickets whose status is one of the ending ones of its lifecycle, for statuses that we do not
            know by name.
    """
    # RT lists them in another order each time; the same ticket has to come out as the same record.
    item = item | {"CustomFields": sorted(item.get("CustomFields") or (), key=lambda one: int(one["id"]))}
    number = str(item["id"])
    merged = str(item["EffectiveId"]) != number
    updated_at = _moment(item["LastUpdated"])
    fields = {str(one["id"]): one for one in item["CustomFields"]}
    status = str(item["Status"])
    queue = item["Queue"]
    return Ticket(
        id=number,
        subject=_text(item.get("Subject")),
        status="closed" if merged else _STATUSES.get(status, "solved" if number in inactive else "open"),
        requester_id=str(requester(item)["id"]),
        created_at=_moment(item["Created"]),
        updated_at=updated_at,
        generated_at=clock.to_epoch(updated_at),
        group_id=None if _text(queue.get("Name")).lower() == INTAKE else str(queue["id"]),
        assignee_id=None if item["Owner"].get("Name") == "Nobody" else str(item["Owner"]["id"]),
        # Numbers, since how they are called is a matter of the site's configuration.
        priority=str(item["Priority"]) if str(item.get("Priority") or "") else None,
        tags=tuple(_text(value) for one in fields.values() if is_tags(one) for value in one.get("values") or ()),
        url=f"{base_url}/Ticket/Display.html?id={number}",
        merged=merged,
        fields=tuple((key, value) for key, one in fields.items() if (value := _value(one)) is not None),
        raw=item,
    )


def deleted_ticket(item: Json) -> Ticket:
    """What is left of a deleted ticket, from its own address: listings never have one."""
    updated_at = _moment(item["LastUpdated"])
    return Ticket(
        id=str(item["id"]),
        subject="",
        status="deleted",
        requester_id="",
        created_at=_moment(item["Created"]),
        updated_at=updated_at,
        generated_at=clock.to_epoch(updated_at),
        deleted=True,
    )


def requester(item: Json) -> Json:
    """The user whose ticket it is: the first requestor (the others stay in `raw`), else who made it."""
    people = [one for one in item.get("Requestor") or () if one.get("type") == "user"]
    found: Json = people[0] if people else item["Creator"]
    return found


def is_tags(field: Json) -> bool:
    """Whether a custom field is the one that we use for tags."""
    return str(field.get("name", "")).lower() == TAGS


def comment(transaction: Json, parts: Iterable[Json], ticket_id: str) -> Comment:
    """A turn of the conversation.

    Args:
        parts: The transaction's attachments: with `Content` where they are text.
        ticket_id: Of the ticket that shows it, which for merged ones is not the transaction's own.
    """
    parts = list(parts)
    bodies = [part for part in parts if not part.get("Filename")]
    plain = [_text(part.get("Content")) for part in bodies if part.get("ContentType") == "text/plain"]
    html = [_from_html(_text(part.get("Content"))) for part in bodies if part.get("ContentType") == "text/html"]
    return Comment(
        id=str(transaction["id"]),
        ticket_id=ticket_id,
        author_id=str(transaction["Creator"]["id"]),
        # Anything but these two is private: a note must never be taken for something the customer has seen.
        public=transaction["Type"] in ("Create", "Correspond"),
        text=_plain("\n\n".join(text for text in (plain if any(plain) else html) if text)),
        created_at=_moment(transaction["Created"]),
        attachments=tuple(
            Attachment(
                id=str(part["id"]),
                name=_text(part["Filename"]),
                media_type=_text(part.get("ContentType")),
                size_bytes=int(part.get("ContentLength") or 0),
            )
            for part in parts
            if part.get("Filename")
        ),
        raw=transaction | {"parts": bodies},
    )


def user(item: Json, *, privileged: bool) -> User:
    """A user. Privileged ones are of the team, and so is what RT does by itself."""
    name = _text(item.get("Name"))
    return User(
        id=str(item["id"]),
        name=_text(item.get("RealName")) or name,
        email=_text(item.get("EmailAddress")),
        role="agent" if privileged or name == "RT_System" else "requester",
        locale=_text(item.get("Lang")),
        raw=item,
    )


def group(item: Json) -> Group:
    """A queue."""
    return Group(
        id=str(item["id"]),
        name=_text(item.get("Name")),
        description=_text(item.get("Description")),
        deleted=str(item.get("Disabled") or "0") != "0",
        raw=item,
    )


def ticket_field(item: Json, options: Iterable[str] = ()) -> TicketField:
    """A custom field of tickets."""
    return TicketField(
        id=str(item["id"]),
        title=_text(item.get("Name")),
        type=_text(item.get("Type")),
        active=str(item.get("Disabled") or "0") == "0",
        options=tuple(options),
        raw=item,
    )


def article(item: Json, base_url: str) -> Article:
    """An article; its text is in custom fields, which may be HTML."""
    values = [
        _text(value) for one in item.get("CustomFields") or () for value in one.get("values") or () if _is_text(value)
    ]
    texts = [
        markdownify(value, heading_style="ATX", strip=["img"]) if _MARKUP.search(value) else value for value in values
    ]
    return Article(
        id=str(item["id"]),
        title=_text(item.get("Name")),
        text=_plain("\n\n".join(texts) or _text(item.get("Summary"))),
        url=f"{base_url}/Articles/Article/Display.html?id={item['id']}",
        locale="",
        updated_at=_moment(item["LastUpdated"]),
        draft=str(item.get("Disabled") or "0") != "0",
        raw=item,
    )


def _value(field: Json) -> str | list[str] | None:
    """A custom field's value: text, or a list where it has several; files are named, not fetched."""
    found = [value if _is_text(value) else value.get("filename") for value in field.get("values") or ()]
    values = [text for text in map(_text, found) if text]
    if not values:
        return None
    return values if len(values) > 1 else values[0]


def _is_text(value: object) -> bool:
    # Image and binary fields have an object here.
    return not isinstance(value, dict)


def _moment(value: str) -> str:
    return clock.to_iso(clock.from_iso(value))


def _text(value: object) -> str:
    return "" if value is None else str(value).replace("\x00", "").strip()


def _plain(text: str) -> str:
    return _BLANK_LINES.sub("\n\n", text.replace("\r\n", "\n").replace("\xa0", " ")).strip()


def _from_html(source: str) -> str:
    return _plain(markdownify(source, strip=["a", "img", "strong", "em", "b", "i"]))
