"""The incremental exports: cursor-based, time-based and ticket events.

See https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/. Rows are ordered by
the second in which they were last generated. The time-based exports are inclusive at ``start_time`` and finish a second
even beyond ``per_page``; where a whole page falls into its first second, ``next_page`` is the page itself, as on the
real service.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from connectors.sandbox.database import Row, rows
from connectors.sandbox.listing import decode_cursor, encode_cursor, invalid_cursor
from connectors.sandbox.records import by_ids, metric_set_json, ticket_event_json, tickets_json, user_json
from connectors.sandbox.refusals import Refusal, invalid_value
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
    return jsonify(tickets=tickets_json(database(), found, base_url()), **_sideloads(found), **answer)


@exports.get("/users/cursor")
def export_users() -> Response:
    """Users by cursor."""
    found, answer = _cursor_page("users", "updated_s")
    return jsonify(users=[user_json(row, base_url()) for row in found], **answer)


@exports.get("/tickets")
def export_tickets_by_time() -> Response:
    """Tickets by time."""
    found, answer = _time_page("tickets", "generated_s")
    return jsonify(tickets=tickets_json(database(), found, base_url()), **_sideloads(found), **answer)


@exports.get("/ticket_events")
def export_ticket_events() -> Response:
    """Audits by time; with ``include=comment_events`` their comments' texts as well."""
    found, answer = _time_page("audits", "created_s")
    ids = sorted({row["id"] for row in found})
    comments: dict[int, Row] = {}
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        sql = f"select * from comments where audit_id in ({','.join('?' * len(part))})"  # noqa: S608 - only marks
        comments |= {row["id"]: row for row in rows(database(), sql, part)}
    wanted = "comment_events" in request.args.get("include", "").split(",")
    events = [ticket_event_json(row, comments, with_comments=wanted) for row in found]
    return jsonify(ticket_events=events, **answer)


@exports.get("/organizations")
def export_organizations() -> Response:
    """Organizations: the sample company's customers have none."""
    _start_time()
    return jsonify(organizations=[], count=0, next_page=None, end_time=None, end_of_stream=True)


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


def _sideloads(found: list[Row]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    include = request.args.get("include", "").split(",")
    if "metric_sets" in include:
        answer["metric_sets"] = [metric_set_json(database(), row) for row in found]
    if "users" in include:
        ids = [row[key] for row in found for key in ("requester_id", "submitter_id", "assignee_id")]
        answer["users"] = [user_json(row, base_url()) for row in by_ids(database(), "users", ids)]
    return answer


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
