"""Tickets over the API: reading, creating, updating, merging, deleting."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from connectors.sandbox.database import Row, ensure_end_user, one, transaction
from connectors.sandbox.deletion import delete_ticket, scrub_ticket
from connectors.sandbox.gate import take_bucket
from connectors.sandbox.listing import Select, page
from connectors.sandbox.merging import merge_tickets
from connectors.sandbox.metrics import metric_sets
from connectors.sandbox.records import audit_json, by_ids, ticket_json
from connectors.sandbox.refusals import invalid_value, record_invalid
from connectors.sandbox.sideloads import tickets_with_sideloads
from connectors.sandbox.state import base_url, database, now_s, payload, require_admin, state, user
from connectors.sandbox.tickets import create_ticket, find_ticket, update_ticket

ticket_api = Blueprint("tickets", __name__, url_prefix="/api/v2")
BULK = 100  # ids per bulk call
UPDATES_WINDOW_S = 600.0  # per user and ticket
DELETED_ORDER = {"id": ("id",), "subject": ("subject", "id"), "deleted_at": ("deleted_at", "id")}


@ticket_api.get("/tickets")
def list_tickets() -> Response:
    """Tickets that are not deleted, oldest first; with ``sort=-updated_at`` the latest change first."""
    beside: dict[str, Any] = {}
    descending = request.args.get("sort") == "-updated_at"
    order = ("updated_at", "id") if descending else ("created_at", "id")

    def build(part: list[Row]) -> list[dict[str, Any]]:
        tickets, lists = tickets_with_sideloads(part)
        beside.update(lists)
        return tickets

    answer = page("tickets", Select("tickets", "deleted_at is null", order=order, descending=descending), build)
    return jsonify(answer | beside)


@ticket_api.get("/tickets/<int:ticket_id>")
def show_ticket(ticket_id: int) -> Response:
    """One ticket; a deleted one is not found."""
    tickets, beside = tickets_with_sideloads([find_ticket(database(), ticket_id)])
    return jsonify(ticket=tickets[0], **beside)


@ticket_api.get("/tickets/show_many")
def show_many_tickets() -> Response:
    """Up to 100 tickets by id; unknown and deleted ones are left out."""
    ids = identifiers()
    found = [row for row in by_ids(database(), "tickets", ids) if row["deleted_at"] is None]
    tickets, beside = tickets_with_sideloads(found)
    return jsonify(tickets=tickets, **beside, count=len(tickets), next_page=None, previous_page=None)


@ticket_api.get("/ticket_metrics")
def list_metrics() -> Response:
    """The metrics of all tickets, newest ticket first."""
    select = Select("tickets", "deleted_at is null", order=("created_at", "id"), descending=True)
    return jsonify(page("ticket_metrics", select, lambda part: metric_sets(database(), part, base_url())))


@ticket_api.get("/tickets/<int:ticket_id>/metrics")
def show_metrics(ticket_id: int) -> Response:
    """One ticket's metrics."""
    return jsonify(ticket_metric=metric_sets(database(), [find_ticket(database(), ticket_id)], base_url())[0])


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


@ticket_api.get("/deleted_tickets")
def list_deleted_tickets() -> Response:
    """Tickets that were deleted but not for good: the oldest first, or as ``sort_by`` and ``sort_order`` say.

    The real ones go after 30 days; here they stay until somebody deletes them for good.
    """
    order = DELETED_ORDER.get(request.args.get("sort_by", ""), ("created_at", "id"))
    descending = request.args.get("sort_order") == "desc"
    select = Select("tickets", "deleted_at is not null and scrubbed is not 1", order=order, descending=descending)

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

    return jsonify(page("deleted_tickets", select, build))


@ticket_api.post("/tickets")
def post_ticket() -> tuple[Response, int, dict[str, str]]:
    """Open a ticket; the first comment is the requester's unless ``submitter_id`` names somebody else."""
    wanted = _asked()
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


def _asked() -> dict[str, Any]:
    wanted = payload("ticket")
    if isinstance(wanted.get("comment"), dict):
        wanted["comment"].pop("attachments", None)  # read-only; files come as tokens of uploads, which are not played
    return wanted


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
    wanted = _asked()
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
    per_ticket = current_app.config["SANDBOX_TICKET_UPDATES_PER_10_MIN"]
    take_bucket("tickets-update-per-ticket", (user()["id"], ticket_id), per_ticket, UPDATES_WINDOW_S)


def _written(row: Row, audit: Row | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"ticket": ticket_json(database(), row, base_url()), "audit": None}
    if audit is not None:
        said = audit["comment"]
        answer["audit"] = audit_json(audit, {said["id"]: said} if said else {}, base_url())
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


@ticket_api.post("/tickets/<int:ticket_id>/merge")
def post_merge(ticket_id: int) -> Response:
    """Merge the tickets in ``ids`` into this one; the real API does it in a job, here it is done at once."""
    data = request.get_json(silent=True)
    data = data if isinstance(data, dict) else {}
    ids = data.get("ids")
    if not isinstance(ids, list) or not ids or not all(isinstance(one_id, int) for one_id in ids):
        raise invalid_value("ids must hold the tickets to merge")
    with transaction(database()):
        merge_tickets(database(), ticket_id, ids, data, actor_id=user()["id"], now_s=now_s(), host=request.host)
    state().sender.wake()
    return jsonify(job_status=_done(ticket_id, len(ids)))


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
    return jsonify(job_status=_done(ticket_id, 1))


def _done(number: int, total: int) -> dict[str, Any]:
    """The status of a job that has ended well."""
    job = {"id": f"{number:032x}", "total": total, "progress": total, "status": "completed"}
    return job | {"message": None, "results": []}
