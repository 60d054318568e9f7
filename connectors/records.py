"""What a helpdesk holds, in neutral words: every connector maps its vendor's JSON to these.

Ids are strings, since some vendors' are. Times are ISO 8601 in UTC with a `Z`, so that they sort as text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["requester", "agent"]
Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket without its comments.

    Attributes:
        generated_at: Unix seconds of the state this is; an older state never overwrites a newer one.
        satisfaction: `good` or `bad` as the customer rated it, None where not rated.
        deleted: Deleted or scrubbed in the helpdesk: its text must go here too.
    """

    id: str
    subject: str
    status: str
    requester_id: str
    created_at: str
    updated_at: str
    generated_at: int
    group_id: str | None = None
    assignee_id: str | None = None
    brand_id: str | None = None
    priority: str | None = None
    channel: str | None = None
    tags: tuple[str, ...] = ()
    satisfaction: str | None = None
    url: str = ""
    deleted: bool = False
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comment:
    """One turn of a ticket. `public` is False for internal notes, which no customer may ever see."""

    id: str
    ticket_id: str
    author_id: str
    public: bool
    text: str
    created_at: str
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class User:
    """A customer (`role` requester) or somebody of the team (`role` agent)."""

    id: str
    name: str
    email: str
    role: Role
    locale: str = ""
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """A team that tickets are routed to."""

    id: str
    name: str
    description: str = ""
    deleted: bool = False
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Macro:
    """A saved reply; `text` still has the helpdesk's placeholders."""

    id: str
    title: str
    text: str
    active: bool = True
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Article:
    """A help-centre article; `text` is Markdown made from its HTML."""

    id: str
    title: str
    text: str
    url: str
    locale: str
    updated_at: str
    draft: bool = False
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """A customer's rating of one ticket."""

    id: str
    ticket_id: str
    score: str
    comment: str
    updated_at: str
    raw: Raw = field(default_factory=dict)


Record = Ticket | Comment | User | Group | Macro | Article | Satisfaction


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a stream.

    Attributes:
        cursor: Where the next page starts; stored in the same transaction as the records.
        done: Nothing more for now. The cursor is kept all the same: the next sync starts there.
    """

    records: tuple[Record, ...]
    cursor: str
    done: bool


@dataclass(frozen=True, slots=True)
class WriteBack:
    """What we put on a ticket in one update.

    Attributes:
        note_html: An internal note; never public. Empty for none.
        marker: A text that stands in the note; where the ticket already has a note with it, nothing is posted again.
        group_id: The group to move the ticket to; None leaves it.
        tags: Tags to add; none is ever removed.
    """

    note_html: str
    marker: str
    group_id: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """A verified webhook: something happened on this ticket."""

    delivery_id: str
    ticket_id: str
