"""Tickets over the API: reading, comments, search export, creating, updating, deleting."""

from __future__ import annotations

import json
import operator
import re
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from connectors.sandbox.database import Row, ensure_end_user, one, rows, transaction
from connectors.sandbox.gate import take_bucket
from connectors.sandbox.listing import decode_cursor, encode_cursor, invalid_cursor, page
from connectors.sandbox.records import audit_json, by_ids, comment_json, ticket_json, tickets_json, user_json
from connectors.sandbox.refusals import invalid_value, record_invalid
from connectors.sandbox.state import base_url, database, integer, link, now_s, payload, require_admin, state, user
from connectors.sandbox.tickets import (
    STATUSES,
    create_ticket,
    delete_ticket,
    find_ticket,
    scrub_ticket,
    update_ticket,
)

ticket_api = Blueprint("tickets", __name__, url_prefix="/api/v2")
BULK = 100  # ids per bulk call
UPDATES, UPDATES_WINDOW_S = 30, 600.0  # per user per ticket
SEARCH_CURSOR_S = 3600
_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@ticket_api.get("/tickets/<int:ticket_id>")
def show_ticket(ticket_id: int) -> Response:
    """One ticket; a deleted one is not found."""
    row = find_ticket(database(), ticket_id)
    answer: dict[str, Any] = {"ticket": ticket_json(database(), row, base_url())}
    if "users" in request.args.get("include", "").split(","):
        ids = [row["requester_id"], row["submitter_id"], row["assignee_id"]]
        answer["users"] = [user_json(one_user, base_url()) for one_user in by_ids(database(), "users", ids)]
    return jsonify(answer)


@ticket_api.get("/tickets/show_many")
def show_many_tickets() -> Response:
    """Up to 100 tickets by id; unknown and deleted ones are left out."""
    ids = identifiers()
    found = [row for row in by_ids(database(), "tickets", ids) if row["deleted_at"] is None]
    tickets = tickets_json(database(), found, base_url())
    return jsonify(tickets=tickets, count=len(tickets), next_page=None, previous_page=None)


def identifiers() -> list[int]:
    """The ids of a bulk call.

    Raises:
        Refusal: 400 where there are none, more than 100, or something else than numbers.
    """
    try:
        ids = [int(text) for text in request.args.get("ids", "").split(",") if text.strip()]
    except ValueError as error:
        raise invalid_value("ids must be numbers") from error
    if not 0 < len(ids) <= BULK:
        raise invalid_value(f"ids must hold between 1 and {BULK} ids")
    return ids


@ticket_api.get("/tickets/<int:ticket_id>/comments")
def list_comments(ticket_id: int) -> Response:
    """A ticket's comments, oldest first unless ``sort=-created_at`` or ``sort_order=desc``."""
    find_ticket(database(), ticket_id)
    found = rows(database(), "select * from comments where ticket_id = ? order by id", [ticket_id])
    if request.args.get("sort") == "-created_at" or request.args.get("sort_order") == "desc":
        found.reverse()
    authors: list[int] = []

    def build(part: list[Row]) -> list[dict[str, Any]]:
        authors.extend(row["author_id"] for row in part)
        return [comment_json(row) for row in part]

    answer = page("comments", found, build)
    if "users" in request.args.get("include", "").split(","):
        answer["users"] = [user_json(row, base_url()) for row in by_ids(database(), "users", authors)]
    return jsonify(answer)


@ticket_api.get("/tickets/<int:ticket_id>/audits")
def list_audits(ticket_id: int) -> Response:
    """What happened to a ticket, oldest first."""
    find_ticket(database(), ticket_id)
    comments = {row["id"]: row for row in rows(database(), "select * from comments where ticket_id = ?", [ticket_id])}
    found = rows(database(), "select * from audits where ticket_id = ? order by id", [ticket_id])
    return jsonify(page("audits", found, lambda part: [audit_json(row, comments) for row in part]))


@ticket_api.get("/search/export")
def search_export() -> Response:
    """Tickets by a query of ``field>=value`` terms; a cursor is good for an hour."""
    if request.args.get("filter[type]") != "ticket":
        raise invalid_value("filter[type] must be ticket")
    where, values = _search_terms(request.args.get("query", ""))
    size = integer("page[size]", 100, least=1, most=1000) or 100
    after = request.args.get("page[after]")
    if after:
        parts = decode_cursor(after)
        if len(parts) != 3 or not parts[0].isdigit() or now_s() - int(parts[0]) > SEARCH_CURSOR_S:
            raise invalid_cursor()
        where, values = f"{where} and (created_at, id) > (?, ?)", [*values, parts[1], int(parts[2])]
    sql = f"select * from tickets where {where} order by created_at, id limit ?"  # noqa: S608 - columns from a table
    found = rows(database(), sql, [*values, size + 1])
    more, found = len(found) > size, found[:size]
    cursor = encode_cursor(int(now_s()), found[-1]["created_at"], found[-1]["id"]) if found else None
    kept = {key: value for key, value in request.args.items() if key != "page[after]"}
    return jsonify(
        results=[one | {"result_type": "ticket"} for one in tickets_json(database(), found, base_url())],
        facets=None,
        meta={"has_more": more, "after_cursor": cursor, "before_cursor": None},
        links={"prev": None, "next": link(request.path, **kept, **{"page[after]": cursor}) if more else None},
    )


def _search_terms(query: str) -> tuple[str, list[Any]]:
    columns = {"updated": "updated_at", "created": "created_at", "solved": "solved_at", "status": "status"}
    columns |= {"group": "group_id", "requester": "requester_id", "assignee": "assignee_id"}
    where, values = ["deleted_at is null"], list[Any]()
    for term in query.split():
        match = re.fullmatch(r'(\w+)(:|>=|<=|>|<)"?([^"]+)"?', term)
        if match and match[1] in {"type", "order_by", "sort"}:
            continue
        if match is None or match[1] not in columns:
            raise invalid_value(f"the sandbox does not know the search term {term!r}")
        name, sign, value = match.groups()
        if name in {"updated", "created", "solved"}:
            value, until = _moment(value)
            if sign == ":":  # 'updated:2026-04-14' means the whole day
                where.append(f"{columns[name]} between ? and ?")
                values += [value, until]
                continue
                value = until if sign in {">", "<="} else value
        if name == "status" and sign != ":":  # 'status<solved': by the order of the statuses, not of the letters
            chosen = [status for status in STATUSES if _COMPARE[sign](STATUSES.index(status), _rank(value))]
            where.append(f"status in ({','.join('?' * len(chosen))})")
            values += chosen
            continue
        where.append(f"{columns[name]} {'=' if sign == ':' else sign} ?")
        values.append(int(value) if columns[name].endswith("_id") and value.isdigit() else value)
    return " and ".join(where), values


def _rank(status: str) -> int:
    if status not in STATUSES:
        raise invalid_value(f"{status!r} is not a status")
    return STATUSES.index(status)


def _moment(text: str) -> tuple[str, str]:
    """First and last second of a time or a day, in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid_value(f"{text!r} is not a date") from error
    moment = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    first = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return first, f"{text}T23:59:59Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else first


@ticket_api.get("/deleted_tickets")
def list_deleted_tickets() -> Response:
    """Tickets that were deleted, the latest first."""
    found = rows(database(), "select * from tickets where deleted_at is not null order by deleted_at desc, id desc")

    def build(part: list[Row]) -> list[dict[str, Any]]:
        names = {row["id"]: row["name"] for row in by_ids(database(), "users", [row["deleted_by"] for row in part])}
        return [
            {
                "id": row["id"],
                "subject": row["subject"],
                "description": row["description"],
                "actor": {"id": row["deleted_by"], "name": names.get(row["deleted_by"])},
                "deleted_at": row["deleted_at"],
                "previous_state": row["status_before"],
            }
            for row in part
        ]

    return jsonify(page("deleted_tickets", found, build))


@ticket_api.post("/tickets")
def post_ticket() -> tuple[Response, int, dict[str, str]]:
    """Open a ticket; the first comment is the requester's unless ``submitter_id`` names somebody else."""
    wanted = payload("ticket")
    with transaction(database()):
        requester_id = _requester(wanted)
        actor_id = int(wanted.get("submitter_id") or requester_id)
        if one(database(), "select id from users where id = ?", [actor_id]) is None:
            raise record_invalid("submitter", "Submitter: is invalid")
        row, audit = create_ticket(
            database(), wanted, requester_id=requester_id, actor_id=actor_id, now_s=now_s(), host=request.host
        )
        answer = _written(row, audit)
    state().sender.wake()
    return jsonify(answer), 201, {"Location": answer["ticket"]["url"]}


def _requester(wanted: dict[str, Any]) -> int:
    requester = wanted.get("requester")
    if isinstance(requester, dict) and requester.get("email"):
        name, email = str(requester.get("name") or ""), str(requester["email"])
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
            raise record_invalid("requester", f"Requester: Email: {email} is not properly formatted")
        return ensure_end_user(database(), name, email, now_s=now_s())
    requester_id = wanted.get("requester_id") or user()["id"]
    if one(database(), "select id from users where id = ?", [requester_id]) is None:
        raise record_invalid("requester", "Requester: is invalid")
    return int(requester_id)


@ticket_api.put("/tickets/<int:ticket_id>")
def put_ticket(ticket_id: int) -> Response:
    """Change a ticket; 30 times in ten minutes per user and ticket, 100 a minute per account."""
    wanted = payload("ticket")
    _take_update(ticket_id)
    with transaction(database()):
        row, audit = update_ticket(
            database(), ticket_id, wanted, actor_id=user()["id"], now_s=now_s(), host=request.host
        )
        answer = _written(row, audit)
    state().sender.wake()
    return jsonify(answer)


def _take_update(ticket_id: int) -> None:
    take_bucket("tickets-update", (), current_app.config["SANDBOX_UPDATES_PER_MIN"])
    take_bucket("tickets-update-per-ticket", (user()["id"], ticket_id), UPDATES, UPDATES_WINDOW_S)


def _written(row: Row, audit: Row | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"ticket": ticket_json(database(), row, base_url()), "audit": None}
    if audit is not None:
        said = audit["comment"]
        answer["audit"] = audit_json(audit, {said["id"]: said} if said else {})
    return answer


@ticket_api.put("/tickets/<int:ticket_id>/tags")
def add_tags(ticket_id: int) -> Response:
    """Add tags to those that are there; ``tags`` in an update of the ticket would replace them."""
    data = request.get_json(silent=True)
    tags = data.get("tags") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(tags, list | str):
        raise invalid_value("tags is required")
    _take_update(ticket_id)
    with transaction(database()):
        wanted = {"additional_tags": tags, **_stamp(data)}
        row, _audit = update_ticket(
            database(), ticket_id, wanted, actor_id=user()["id"], now_s=now_s(), host=request.host
        )
    state().sender.wake()
    return jsonify(tags=json.loads(row["tags"]))


def _stamp(data: dict[str, Any]) -> dict[str, Any]:
    if str(data.get("safe_update", "")).lower() != "true":
        return {}
    return {"safe_update": True, "updated_stamp": data.get("updated_stamp")}


@ticket_api.delete("/tickets/<int:ticket_id>")
def remove_ticket(ticket_id: int) -> tuple[str, int]:
    """Delete a ticket: it is gone from the API and shows as deleted in the exports."""
    require_admin()
    with transaction(database()):
        delete_ticket(database(), ticket_id, actor_id=user()["id"], now_s=now_s())
    return "", 204


@ticket_api.delete("/deleted_tickets/<int:ticket_id>")
def scrub_deleted_ticket(ticket_id: int) -> Response:
    """Delete a deleted ticket for good; the real API does it in a job, here it is done at once."""
    require_admin()
    with transaction(database()):
        scrub_ticket(database(), ticket_id, now_s=now_s())
    job = {"id": f"{ticket_id:032x}", "total": 1, "progress": 1, "status": "completed", "message": None, "results": []}
    return jsonify(job_status=job)
