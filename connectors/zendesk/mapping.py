"""Zendesk's JSON to our records. The raw JSON is kept beside them, so a field we do not map yet is not lost.

Shapes: Zendesk's API reference for tickets, ticket comments, users, groups, macros, satisfaction ratings, articles.
"""

from __future__ import annotations

import re
from typing import Any

from markdownify import markdownify

from connectors import clock
from connectors.records import Article, Comment, Group, Macro, Satisfaction, Ticket, User

Json = dict[str, Any]

_BLANK_LINES = re.compile(r"\n{3,}")


def ticket(item: Json) -> Ticket:
    """A ticket. Scrubbed tickets (`SCRUBBED`, `X`) count as deleted: their text is gone for good reason."""
    scrubbed = item.get("subject") == "SCRUBBED" and item.get("description") == "X"
    deleted = item.get("status") == "deleted" or scrubbed
    updated_at = clock.to_iso(clock.from_iso(item["updated_at"]))
    return Ticket(
        id=str(item["id"]),
        subject="" if deleted else _text(item.get("subject") or item.get("raw_subject")),
        status=str(item["status"]),
        requester_id=str(item["requester_id"]),
        created_at=clock.to_iso(clock.from_iso(item["created_at"])),
        updated_at=updated_at,
        generated_at=int(item.get("generated_timestamp") or clock.to_epoch(updated_at)),
        group_id=_id(item.get("group_id")),
        assignee_id=_id(item.get("assignee_id")),
        brand_id=_id(item.get("brand_id")),
        priority=item.get("priority"),
        channel=(item.get("via") or {}).get("channel"),
        tags=tuple(item.get("tags") or ()),
        satisfaction=_score(item.get("satisfaction_rating")),
        url=str(item.get("url") or ""),
        deleted=deleted,
        raw={} if deleted else item,
    )


def comment(item: Json, ticket_id: str) -> Comment:
    """A comment; these carry no ticket id of their own."""
    text = item.get("plain_body") or item.get("body") or _from_html(item.get("html_body") or "")
    return Comment(
        id=str(item["id"]),
        ticket_id=ticket_id,
        author_id=str(item["author_id"]),
        # Anything but a plain true is private: a note must never be taken for something the customer has seen.
        public=item.get("public") is True,
        text=_plain(text),
        created_at=clock.to_iso(clock.from_iso(item["created_at"])),
        raw=item,
    )


def user(item: Json) -> User:
    """A user; Zendesk's `end-user` is a requester, `agent` and `admin` are of the team."""
    role = "requester" if item.get("role") in (None, "end-user") else "agent"
    return User(
        id=str(item["id"]),
        name=_text(item.get("name")),
        email=_text(item.get("email")),
        role="agent" if role == "agent" else "requester",
        locale=_text(item.get("locale")),
        raw=item,
    )


def group(item: Json) -> Group:
    """A group."""
    return Group(
        id=str(item["id"]),
        name=_text(item.get("name")),
        description=_text(item.get("description")),
        deleted=bool(item.get("deleted")),
        raw=item,
    )


def macro(item: Json) -> Macro:
    """A macro; its text is the value of its comment action (`comment_value_html` where there is one)."""
    text = ""
    for action in item.get("actions") or ():
        value = action.get("value")
        if isinstance(value, list):  # comment_value may come as [channel, text]
            value = value[-1] if value else ""
        if action.get("field") == "comment_value":
            text = text or str(value or "")
        elif action.get("field") == "comment_value_html":
            text = _from_html(str(value or ""))
    return Macro(
        id=str(item["id"]),
        title=_text(item.get("title")),
        text=text.strip(),
        active=bool(item.get("active", True)),
        raw=item,
    )


def satisfaction(item: Json) -> Satisfaction:
    """A rating; `offered` ones have not been answered and map to an empty score."""
    return Satisfaction(
        id=str(item["id"]),
        ticket_id=str(item["ticket_id"]),
        score=_score(item) or "",
        comment=_text(item.get("comment")),
        updated_at=clock.to_iso(clock.from_iso(item["updated_at"])),
        raw=item,
    )


def article(item: Json) -> Article:
    """A help-centre article; its HTML becomes Markdown, so that lists and tables keep their sense."""
    return Article(
        id=str(item["id"]),
        title=_text(item.get("title") or item.get("name")),
        text=_plain(markdownify(item.get("body") or "", heading_style="ATX", strip=["img"])),
        url=str(item.get("html_url") or ""),
        locale=_text(item.get("locale")),
        updated_at=clock.to_iso(clock.from_iso(item.get("edited_at") or item["updated_at"])),
        draft=bool(item.get("draft")),
        raw=item,
    )


def _id(value: object) -> str | None:
    return None if value is None else str(value)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _score(rating: object) -> str | None:
    score = rating.get("score") if isinstance(rating, dict) else None
    if score in ("good", "good_with_comment"):
        return "good"
    return "bad" if score in ("bad", "bad_with_comment") else None


def _plain(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\xa0", " ").replace("\x00", "")
    return _BLANK_LINES.sub("\n\n", text).strip()


def _from_html(source: str) -> str:
    return _plain(markdownify(source, strip=["a", "img", "strong", "em", "b", "i"]))
