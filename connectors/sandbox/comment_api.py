"""A ticket's comments and audits over the API, and what can be done to a comment: redact it, make it private.

See https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/ and .../ticket_audits/.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, jsonify, request

from connectors.sandbox.database import Row, iso, rows, transaction
from connectors.sandbox.listing import Select, page
from connectors.sandbox.records import audit_json, by_ids, comment_json, user_json
from connectors.sandbox.redaction import make_private, redact_marked, redact_text
from connectors.sandbox.refusals import invalid_value
from connectors.sandbox.sideloads import included
from connectors.sandbox.state import base_url, database, now_s, user
from connectors.sandbox.tickets import find_ticket

comment_api = Blueprint("comments", __name__, url_prefix="/api/v2")


@comment_api.get("/tickets/<int:ticket_id>/comments")
def list_comments(ticket_id: int) -> Response:
    """A ticket's comments, oldest first unless ``sort=-created_at`` or ``sort_order=desc``."""
    find_ticket(database(), ticket_id)
    descending = request.args.get("sort") == "-created_at" or request.args.get("sort_order") == "desc"
    inline = request.args.get("include_inline_images") == "true"
    authors: list[int] = []

    def build(part: list[Row]) -> list[dict[str, Any]]:
        authors.extend(row["author_id"] for row in part)
        return [comment_json(row, base_url(), inline=inline) for row in part]

    answer = page("comments", Select("comments", "ticket_id = ?", [ticket_id], descending=descending), build)
    if "users" in included():
        answer["users"] = [user_json(row, base_url()) for row in by_ids(database(), "users", authors)]
    return jsonify(answer)


@comment_api.get("/tickets/<int:ticket_id>/comments/count")
def count_comments(ticket_id: int) -> Response:
    """How many comments a ticket has."""
    find_ticket(database(), ticket_id)
    value = Select("comments", "ticket_id = ?", [ticket_id]).count()
    return jsonify(count={"value": value, "refreshed_at": iso(now_s())})


@comment_api.get("/tickets/<int:ticket_id>/audits")
def list_audits(ticket_id: int) -> Response:
    """What happened to a ticket, oldest first."""
    find_ticket(database(), ticket_id)

    def build(part: list[Row]) -> list[dict[str, Any]]:
        sql = "select * from comments where audit_id in (select value from json_each(?))"
        said = {row["id"]: row for row in rows(database(), sql, [json.dumps([row["id"] for row in part])])}
        return [audit_json(row, said, base_url()) for row in part]

    return jsonify(page("audits", Select("audits", "ticket_id = ?", [ticket_id]), build))


@comment_api.put("/comment_redactions/<int:comment_id>")
def put_redaction(comment_id: int) -> Response:
    """Redact what ``html_body`` marks with ``<redact>`` and the files named by their addresses; closed tickets too."""
    data = request.get_json(silent=True)
    data = data if isinstance(data, dict) else {}
    if not isinstance(data.get("ticket_id"), int):
        raise invalid_value("ticket_id is required")
    urls = data.get("external_attachment_urls") or []
    if not isinstance(urls, list):
        raise invalid_value("external_attachment_urls must be a list")
    with transaction(database()):
        row = redact_marked(
            database(),
            data["ticket_id"],
            comment_id,
            html_body=data.get("html_body"),
            urls=[str(url) for url in urls],
            base_url=base_url(),
            actor_id=user()["id"],
            now_s=now_s(),
        )
    return jsonify(comment=comment_json(row, base_url()))


@comment_api.put("/tickets/<int:ticket_id>/comments/<int:comment_id>/redact")
def put_redacted_text(ticket_id: int, comment_id: int) -> Response:
    """Redact ``{"text"}`` wherever it stands in a comment: the older way, for tickets that are not closed."""
    data = request.get_json(silent=True)
    text = data.get("text") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text:
        raise invalid_value("text is required")
    with transaction(database()):
        row = redact_text(database(), ticket_id, comment_id, text, actor_id=user()["id"], now_s=now_s())
    return jsonify(comment=comment_json(row, base_url()))


@comment_api.put("/tickets/<int:ticket_id>/comments/<int:comment_id>/make_private")
def put_private(ticket_id: int, comment_id: int) -> Response:
    """Make a public comment an internal note; there is no way back. Answers ``null``."""
    with transaction(database()):
        make_private(database(), ticket_id, comment_id, actor_id=user()["id"], now_s=now_s())
    return jsonify(None)
