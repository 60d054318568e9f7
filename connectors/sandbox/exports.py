"""The incremental exports: cursor-based, time-based and ticket events.

See https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/. Rows are ordered by
the second in which they were last generated. The time-based exports are inclusive at ``start_time`` and finish a second
even beyond ``per_page``; where a whole page falls into its first second, ``next_page`` is the page itself, as on the
real service.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from connectors.sandbox.database import Row, rows
from connectors.sandbox.desk_records import organization_json
from connectors.sandbox.listing import decode_cursor, encode_cursor, invalid_cursor
from connectors.sandbox.records import ticket_event_json, user_json
from connectors.sandbox.refusals import Refusal, invalid_value
from connectors.sandbox.sideloads import included, tickets_with_sideloads
from connectors.sandbox.state import base_url, database, integer, link, now_s, require_admin

exports = Blueprint("exports", __name__, url_prefix="/api/v2/incremental")
MOST = 1000


@exports.before_request
def admins_only() -> None:
    """Only admins may export."""
    require_admin()


@exports.get("/tickets/cursor")
def export_tickets() -> Response:
    """Tickets by cursor, deleted ones included."""
    found, answer = _cursor_page("tickets", "generated_s")
    tickets, beside = tickets_with_sideloads(found)
    return jsonify(tickets=tickets, **beside, **answer)


@exports.get("/users/cursor")
def export_users() -> Response:
    """Users by cursor."""
    found, answer = _cursor_page("users", "updated_s")
    return jsonify(users=[user_json(row, base_url()) for row in found], **answer)


@exports.get("/tickets")
def export_tickets_by_time() -> Response:
    """Tickets by time."""
    found, answer = _time_page("tickets", "generated_s")
    tickets, beside = tickets_with_sideloads(found)
    return jsonify(tickets=tickets, **beside, **answer)


@exports.get("/ticket_events")
def export_ticket_events() -> Response:
    """Audits by time; with ``include=comment_events`` their comments' texts as well."""
    found, answer = _time_page("audits", "created_s")
    sql = "select * from comments where audit_id in (select value from json_each(?))"
    said = rows(database(), sql, [json.dumps([row["id"] for row in found])])
    comments, wanted = {row["id"]: row for row in said}, "comment_events" in included()
    events = [ticket_event_json(row, comments, base_url(), with_comments=wanted) for row in found]
    return jsonify(ticket_events=events, **answer)


@exports.get("/organizations")
def export_organizations() -> Response:
    """Organizations by time; there is no cursor for them."""
    found, answer = _time_page("organizations", "updated_s")
    return jsonify(organizations=[organization_json(row, base_url()) for row in found], **answer)


def _newest_s() -> float:
    """The latest second that an export may show: the last minute is left out."""
    return now_s() - float(current_app.config["SANDBOX_EXPORT_LAG_S"])


def _start_time() -> int:
    start_s = integer("start_time")
    if start_s is None:
        raise invalid_value("start_time or cursor is required")
    if start_s < 0:
        raise invalid_value("Invalid start_time. Use a start_time that is not negative")
    if start_s > _newest_s():
        text = "Too recent start_time. Use a start_time older than 60 seconds"
        raise Refusal(400, {"error": "StartTimeTooRecent", "description": text})
    return start_s


def _cursor_page(table: str, column: str) -> tuple[list[Row], dict[str, Any]]:
    size = integer("per_page", MOST, least=1, most=MOST) or MOST
    cursor = request.args.get("cursor")
    if cursor:
        parts = decode_cursor(cursor)
        try:
            after_s, after_id = int(float(parts[0])), int(parts[2])
        except (IndexError, ValueError) as error:
            raise invalid_cursor() from error
    else:
        after_s, after_id = _start_time(), 0  # ids start at 1, so the first second is included
    sql = (
        f"select * from {table} where ({column}, id) > (?, ?) and {column} <= ? "  # noqa: S608 - names from this module
        f"order by {column}, id limit ?"
    )
    found = rows(database(), sql, [after_s, after_id, _newest_s(), size + 1])
    more, found = len(found) > size, found[:size]
    if found:
        after_s, after_id = found[-1][column], found[-1]["id"]
    if not more and after_s >= int(now_s()):
        # Only with a lag of 0: this second is not over, and a row with a smaller id may still change in it. The next
        # call repeats the second rather than missing that.
        after_s, after_id = int(now_s()) - 1, 2**53
    after = encode_cursor(f"{after_s}.0", "", after_id)  # the real ones look like this inside; there at the end as well
    kept = {key: value for key, value in request.args.items() if key not in {"cursor", "start_time"}}
    return found, {
        "after_url": link(f"{request.path}.json", **kept, cursor=after),
        "after_cursor": after,
        "before_url": None,
        "before_cursor": None,
        "end_of_stream": not more,
    }


def _time_page(table: str, column: str) -> tuple[list[Row], dict[str, Any]]:
    size = integer("per_page", MOST, least=1, most=MOST) or MOST
    start_s, newest_s = _start_time(), _newest_s()
    select = f"select * from {table} where {column} >= ? and {column} <= ? "  # noqa: S608 - names from this module
    found = rows(database(), select + f"order by {column}, id limit ?", [start_s, newest_s, size])
    end_s: int | None = None
    more = False
    if found:
        end_s = int(found[-1][column])
        rest = rows(database(), select + "and id > ? order by id", [end_s, end_s, found[-1]["id"]])
        found += rest  # the page goes on to the end of its last second
        more = bool(rows(database(), select + "limit 1", [end_s + 1, newest_s]))
    kept = {key: value for key, value in request.args.items() if key != "start_time"}
    return found, {
        "count": len(found),
        "end_of_stream": not more,
        "end_time": end_s,
        "next_page": None if end_s is None else link(f"{request.path}.json", **kept, start_time=end_s),
    }
