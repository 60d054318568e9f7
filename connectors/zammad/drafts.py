"""Shared drafts: a reply that waits in the ticket's editor until somebody of the team sends it.

See https://docs.zammad.org/en/latest/api/ticket/shared_drafts.html. A ticket has one at most, and writing it replaces
what was there; `new_article` keeps whatever it is given (`TicketSharedDraftZoomController`). So a draft of ours has a
digest of its text beside the text, and is replaced only where the two still fit: the editor drops the digest when
somebody saves the draft, whoever that is.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence

from connectors import values
from connectors.http.client import Http
from connectors.zammad.api import ROOT, Json

DIGEST = "deskhand"
# A customer who wrote in one of these ways is answered by mail; for others (chats, social networks) the editor's fields
# are different ones.
_ANSWERED_BY_MAIL = frozenset({"email", "web", "phone"})


def put(http: Http, ticket_id: str, group_id: str | None, articles: Sequence[Json], address: str, reply: str) -> bool:
    """Puts a reply into the editor; returns False where that is not possible, or another draft is there.

    Args:
        group_id: Of the group that will have the ticket: its settings say whether it shares drafts.
        articles: Of the ticket, oldest first, as Zammad has them.
        address: The customer's.
        reply: Plain text.

    Raises:
        ForbiddenError, SkippableError: We may not read the group's settings.
    """
    question = next((one for one in reversed(articles) if one.get("sender") == "Customer"), None)
    if question is None or question.get("type") not in _ANSWERED_BY_MAIL or not address or not group_id:
        return False
    if http.get(f"{ROOT}/groups/{group_id}").get("shared_drafts") is not True:
        return False
    path = f"{ROOT}/tickets/{ticket_id}/shared_draft"
    if not _is_ours_or_none(http.get(path)):
        return False
    body = _paragraphs(reply)
    article = {
        "body": body, "content_type": "text/html", "type": "email", "internal": False, "subtype": "reply",
        "to": address, "cc": "", "subject": "", "in_reply_to": values.text(question.get("message_id")),
        "ticket_id": int(ticket_id), DIGEST: _digest(body),
    }  # fmt: skip
    http.send("PUT", path, json={"new_article": article, "ticket_attributes": {}})
    return True


def _is_ours_or_none(answer: Json) -> bool:
    draft_id = answer.get("shared_draft_id")
    if draft_id is None:
        return True
    try:
        article = answer["assets"]["TicketSharedDraftZoom"][str(draft_id)]["new_article"]
        return bool(article[DIGEST] == _digest(article["body"]))
    except (KeyError, TypeError):
        return False


def _digest(body: object) -> str:
    return hashlib.sha256(str(body).encode()).hexdigest()[:16]


def _paragraphs(text: str) -> str:
    """Plain text as the editor has it: a block a line, and an empty one between paragraphs."""
    return "".join(f"<div>{html.escape(line, quote=False) or '<br>'}</div>" for line in text.strip().splitlines())
