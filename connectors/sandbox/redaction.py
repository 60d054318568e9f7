"""Redacting comments and making them private. Both leave an audit, which is all that the ticket event export shows.

See https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/ and, for the events,
https://developer.zendesk.com/documentation/ticketing/reference-guides/ticket-audit-events-reference/. Runs inside the
caller's transaction, as `connectors.sandbox.tickets` does.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

from sqlite_utils import Database

from connectors.sandbox.attachments import REDACTED, content_url
from connectors.sandbox.database import Row, one, scalar
from connectors.sandbox.markup import clean_html
from connectors.sandbox.refusals import not_found, record_invalid, ticket_closed
from connectors.sandbox.tickets import find_ticket, record_change

Json = dict[str, Any]
BLOCK = "\u2587"  # what stands for each redacted character
_MARKED = re.compile(r"<redact>(.*?)</redact>", re.DOTALL | re.IGNORECASE)


def redact_text(db: Database, ticket_id: int, comment_id: int, text: str, *, actor_id: int, now_s: float) -> Row:
    """Redact a text wherever it stands in a comment; returns the comment's row.

    Raises:
        Refusal: 404 no such comment; 422 the ticket is closed, or the text is not in the comment.
    """
    ticket, comment = _found(db, ticket_id, comment_id)
    if ticket["status"] == "closed":
        raise ticket_closed()
    if text not in comment["body"]:
        raise record_invalid("text", "Text: is not in the comment")
    escaped = html.escape(text, quote=False).replace("\n", "<br>")
    inner = comment["html_body"].replace(escaped, _blocks(text))
    change: Row = {"body": comment["body"].replace(text, _blocks(text)), "html_body": inner}
    events: list[Json] = [{"type": "CommentRedactionEvent", "comment_id": comment_id}]
    return _write(db, ticket, comment, change, events, actor_id=actor_id, now_s=now_s)


def redact_marked(
    db: Database,
    ticket_id: int,
    comment_id: int,
    *,
    html_body: str | None,
    urls: list[str],
    base_url: str,
    actor_id: int,
    now_s: float,
) -> Row:
    """Redact what ``<redact>`` tags enclose, and files; closed tickets as well. Returns the comment's row.

    Args:
        db: Inside a transaction.
        ticket_id: The ticket.
        comment_id: Its comment.
        html_body: The comment's HTML with the tags; None redacts no text. Attributes named ``redact`` are not played.
        urls: Files to redact, by their ``content_url``.
        base_url: This server.
        actor_id: Who redacts.
        now_s: Unix seconds.

    Raises:
        Refusal: 404 no such comment; 422 there is nothing to redact, or the HTML is not the comment's.
    """
    ticket, comment = _found(db, ticket_id, comment_id)
    change: Row = {}
    events: list[Json] = []
    if html_body is not None and _MARKED.search(html_body):
        if _MARKED.sub(r"\1", html_body) != comment["html_body"]:
            raise record_invalid("html_body", "Html body: is not the comment's")
        change["html_body"] = _MARKED.sub(lambda match: _blocks(html.unescape(match[1])), html_body)
        change["body"] = clean_html(change["html_body"])[1]
        events.append({"type": "CommentRedactionEvent", "comment_id": comment_id})
    files = json.loads(comment["attachments"] or "[]")
    for file in files:
        if content_url(file, base_url) in urls:
            file |= {"file_name": REDACTED, "content_type": "text/plain", "size": 1}
            change["attachments"] = json.dumps(files)
            events.append({"type": "AttachmentRedactionEvent", "attachment_id": file["id"], "comment_id": comment_id})
    if not events:
        raise record_invalid("base", "There is nothing to redact")
    return _write(db, ticket, comment, change, events, actor_id=actor_id, now_s=now_s)


def make_private(db: Database, ticket_id: int, comment_id: int, *, actor_id: int, now_s: float) -> None:
    """Make a public comment an internal note; a note stays as it is.

    Raises:
        Refusal: 404 no such comment; 422 the ticket is closed.
    """
    ticket, comment = _found(db, ticket_id, comment_id)
    if ticket["status"] == "closed":
        raise ticket_closed()
    if comment["public"]:
        events: list[Json] = [{"type": "CommentPrivacyChange", "comment_id": comment_id, "public": False}]
        _write(db, ticket, comment, {"public": 0}, events, actor_id=actor_id, now_s=now_s)


def _found(db: Database, ticket_id: int, comment_id: int) -> tuple[Row, Row]:
    ticket = find_ticket(db, ticket_id)
    comment = one(db, "select * from comments where id = ? and ticket_id = ?", [comment_id, ticket_id])
    if comment is None:
        raise not_found()
    return ticket, comment


def _blocks(text: str) -> str:
    return re.sub(r"\S", BLOCK, text)


def _write(
    db: Database, ticket: Row, comment: Row, change: Row, events: list[Json], *, actor_id: int, now_s: float
) -> Row:
    db.table("comments").update(comment["id"], change)
    first_id = scalar(db, "select min(id) from comments where ticket_id = ?", [ticket["id"]])
    if "body" in change and comment["id"] == first_id:  # the description is the first comment's text
        ticket["description"] = change["body"]
    record_change(db, ticket, None, events, actor_id, now_s, "api")
    return comment | change
