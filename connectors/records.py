"""What a helpdesk holds, in neutral words: every connector maps its vendor's JSON to these.

Ids are strings, since some vendors' are. Times are ISO 8601 in UTC with a `Z`, so that they sort as text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["requester", "agent"]
Raw = dict[str, Any]
FieldValue = str | int | float | bool | list[Any]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket without its comments.

    Attributes:
        generated_at: Unix seconds of the state this is; an older state never overwrites a newer one.
        satisfaction: `good` or `bad` as the customer rated it, None where not rated.
        deleted: Deleted or scrubbed in the helpdesk: its text must go here too.
        merged: Closed because it was merged into another ticket, which has its history.
        comment_count: How many comments the helpdesk says there are; None where it does not say.
        fields: Custom fields that have a value: (field id, value); a value is text, a number, a boolean or a list.
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
    organization_id: str | None = None
    url: str = ""
    deleted: bool = False
    merged: bool = False
    comment_count: int | None = None
    fields: tuple[tuple[str, FieldValue], ...] = ()
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attachment:
    """What is known of a file on a comment; the file itself is never fetched."""

    id: str
    name: str
    media_type: str
    size_bytes: int
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Comment:
    """One turn of a ticket. `public` is False for internal notes, which no customer may ever see."""

    id: str
    ticket_id: str
    author_id: str
    public: bool
    text: str
    created_at: str
    attachments: tuple[Attachment, ...] = ()
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


@dataclass(frozen=True, slots=True)
class Organization:
    """A company that customers belong to."""

    id: str
    name: str
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Brand:
    """One of several names that an account answers under."""

    id: str
    name: str
    url: str = ""
    active: bool = True
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TicketField:
    """A custom field's definition; the values are `Ticket.fields`.

    Attributes:
        type: The vendor's word for it, such as `tagger` or `checkbox`.
        options: The values that a drop-down offers, as they are stored.
    """

    id: str
    title: str
    type: str
    active: bool = True
    options: tuple[str, ...] = ()
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TicketMetrics:
    """The helpdesk's own figures on one ticket; None where it has none.

    Attributes:
        replies: Public answers of the team.
        reopens: How often it was solved and opened again.
        first_reply_minutes: Calendar minutes until the first answer.
        resolution_minutes: Calendar minutes until it was solved for good.
    """

    ticket_id: str
    replies: int | None = None
    reopens: int | None = None
    first_reply_minutes: int | None = None
    resolution_minutes: int | None = None
    solved_at: str | None = None
    raw: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thread:
    """All comments of a ticket at once, oldest first, and their authors: what is not in it is gone."""

    ticket_id: str
    comments: tuple[Comment, ...]
    authors: tuple[User, ...] = ()


@dataclass(frozen=True, slots=True)
class Recheck:
    """The comments of this ticket changed in a way that the stream does not show, such as a redaction: read them."""

    ticket_id: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """A ticket is gone from the helpdesk: its text must go here too. `at` is Unix seconds."""

    ticket_id: str
    at: int


Record = (
    Ticket
    | Comment
    | User
    | Group
    | Macro
    | Article
    | Satisfaction
    | Organization
    | Brand
    | TicketField
    | TicketMetrics
    | Thread
    | Recheck
    | Deletion
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a stream.

    Attributes:
        cursor: Where the next page starts; stored in the same transaction as the records.
        done: Nothing more for now. The cursor is kept all the same: the next sync starts there.
        listed: The name of the table whose rows this stream lists whole, from the first page to the last: what the
            listing does not have is gone from the helpdesk. One of groups, macros, brands, ticket_fields, articles and
            organizations. Empty where only changes come.
    """

    records: tuple[Record, ...]
    cursor: str
    done: bool
    listed: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What reading a stream from its beginning would take.

    Attributes:
        records: How many there are; None where the helpdesk does not say.
        per_page: How many come with one request.
    """

    records: int | None
    per_page: int


@dataclass(frozen=True, slots=True)
class WriteBack:
    """What we put on a ticket in one update.

    Attributes:
        note_html: An internal note; never public. Empty for none.
        marker: A text that stands in the note; where the ticket already has a note with it, nothing is posted again.
        group_id: The group to move the ticket to; None leaves it.
        priority: The priority to set, in the helpdesk's own word; None leaves it.
        tags: Tags to add; none is ever removed.
        draft: The reply itself as plain text, for helpdesks that can put a draft into the reply editor without sending
            it; empty for none.
    """

    note_html: str
    marker: str
    group_id: str | None = None
    priority: str | None = None
    tags: tuple[str, ...] = ()
    draft: str = ""


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """A verified webhook: something happened on this ticket."""

    delivery_id: str
    ticket_id: str
