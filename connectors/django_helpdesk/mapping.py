"""django-helpdesk's JSON to our records. The raw JSON is kept beside them, so a field we do not map is not lost.

Facts are from its source, https://github.com/django-helpdesk/django-helpdesk, and were checked against version 2.6.1.
Its API has no names and addresses of users, no tags, and no times but those of follow-ups; a ticket comes with all of
its follow-ups.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

from connectors import clock, values
from connectors.records import Attachment, Comment, FieldValue, Thread, Ticket, User

Json = dict[str, Any]

# Sites may have numbers of their own in their settings; those are neither resolved nor closed for us.
_STATUSES = {1: "open", 2: "open", 3: "solved", 4: "closed", 5: "closed"}
RESOLVED, CLOSED, DUPLICATE = 3, 4, 5
CUSTOM = "custom_"
_ESCALATED = "Ticket Escalated"


def ticket(item: Json, base_url: str, intake: Collection[str] = (), *, stamp: int | None = None) -> Ticket:
    """A ticket.

    Args:
        intake: Ids of the queues of tickets that nobody has sorted yet: for us those have no group.
        stamp: Unix seconds of this state, where it is known to be newer than its newest follow-up.
    """
    ticket_id, queue = values.key(item), values.identifier(item.get("queue"))
    followups = _followups(item)
    changed = newest(item) if stamp is None else stamp
    status = _STATUSES.get(values.number(item.get("status")) or 0, "open")
    return Ticket(
        id=ticket_id,
        subject=values.text(item.get("title")),
        status="hold" if item.get("on_hold") is True and status == "open" else status,
        requester_id=customer(item).id,
        created_at=_date(followups[0]) if followups else clock.from_epoch(changed),
        updated_at=clock.from_epoch(changed),
        generated_at=changed,
        group_id=None if queue in intake else queue,
        assignee_id=_staff(item.get("assigned_to")),
        priority=values.identifier(item.get("priority")),
        url=f"{base_url}/tickets/{ticket_id}/",
        merged=item.get("merged_to") is not None,
        fields=_fields(item),
        raw=item,
    )


def thread(item: Json) -> Thread:
    """A ticket's turns: what opened it, and the follow-ups that say something."""
    ticket_id, requester = values.key(item), customer(item)
    followups = _followups(item)
    opening = followups[0] if followups and _opens(followups[0], item) else None
    comments, authors = [], {requester.id: requester}
    if opening is None and values.text(item.get("description")):
        created_at = _date(followups[0]) if followups else clock.from_epoch(0)
        words = values.plain(values.text(item["description"]))
        comments.append(
            Comment(f"t{ticket_id}", ticket_id, requester.id, public=True, text=words, created_at=created_at)
        )
    for one in followups:
        author = requester if one is opening or _is_customers(one) else User(_staff(one["user"]) or "", "", "", "agent")
        found = _comment(one, ticket_id, author.id)
        if found.text or found.attachments:
            comments.append(found)
            authors[author.id] = author
    return Thread(ticket_id, tuple(comments), tuple(authors.values()))


def customer(item: Json) -> User:
    """Who asked. There are only addresses; since ids get into logs, it is a digest of the address."""
    address = values.text(item.get("submitter_email")).lower()
    return User(f"c{hashlib.sha256(address.encode()).hexdigest()[:20]}", "", address, "requester")


def newest(item: Json) -> int:
    """Unix seconds of the newest follow-up; 0 where there is none."""
    return max((clock.to_epoch(_date(one)) for one in _followups(item)), default=0)


def digest(item: Json) -> str:
    """Changes whenever anything in a ticket or its follow-ups does."""
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:12]


def _followups(item: Json) -> list[Json]:
    return sorted(values.objects(item.get("followup_set")), key=lambda one: (_date(one), int(one["id"])))


def _opens(followup: Json, item: Json) -> bool:
    """Whether a follow-up is the one that the ticket was opened by, be it by somebody of the team for a customer."""
    same = values.text(followup.get("comment")) == values.text(item.get("description"))
    return followup.get("public") is True and (same or _is_customers(followup))


def _is_customers(followup: Json) -> bool:
    # Neither what comes by mail nor what customers write in the browser has an author; what the team writes always has.
    return followup.get("user") is None


def _comment(followup: Json, ticket_id: str, author_id: str) -> Comment:
    # What the site wrote by itself when it raised the priority is nobody's word.
    by_itself = followup.get("user") is None and followup.get("title") == _ESCALATED
    return Comment(
        id=values.key(followup),
        ticket_id=ticket_id,
        author_id=author_id,
        public=followup.get("public") is True and not by_itself,
        text=values.plain(values.text(followup.get("comment"))),
        created_at=_date(followup),
        attachments=tuple(
            Attachment(
                id=values.key(file),
                name=values.text(file.get("filename")),
                media_type=values.text(file.get("mime_type")),
                size_bytes=values.number(file.get("size")) or 0,
            )
            for file in values.objects(followup.get("followupattachment_set"))
        ),
        raw=followup,
    )


def _date(followup: Json) -> str:
    return values.moment(followup["date"]) or clock.from_epoch(0)


def _staff(user: object) -> str | None:
    number = values.identifier(user)
    return f"u{number}" if number else None


def _fields(item: Json) -> tuple[tuple[str, FieldValue], ...]:
    return tuple(
        (name.removeprefix(CUSTOM), value if isinstance(value, str | int | float | list) else json.dumps(value))
        for name, value in item.items()
        if name.startswith(CUSTOM) and value not in (None, "", [], {})
    )
