"""What only the sandbox has, for the demo and for tests: open the next ticket, play customer and team, order faults.

These endpoints ask for no credential, so they answer on the loopback interface only, and not to other sites' pages.
"""

from __future__ import annotations

import ipaddress
import json
import re
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, jsonify, request

from connectors.sandbox.company import Ticket
from connectors.sandbox.database import Row, ensure_end_user, iso, one, rows, scalar, transaction
from connectors.sandbox.limits import Fault
from connectors.sandbox.refusals import Refusal, forbidden, invalid_value, not_found
from connectors.sandbox.state import base_url, database, integer, now_s, state
from connectors.sandbox.tickets import create_ticket, customer_reply, update_ticket

control = Blueprint("control", __name__, url_prefix="/sandbox")


@control.before_request
def loopback_only() -> None:
    """Refuse callers from elsewhere, and pages of other origins in a browser on this machine."""
    try:
        local = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        local = False
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    if not local or foreign or not _is_loopback_name(urlsplit(f"//{request.host}").hostname or ""):
        raise forbidden()


def _is_loopback_name(name: str) -> bool:
    """Whether a Host header means this machine; a foreign name that was pointed at it (DNS rebinding) does not."""
    return name == "localhost" or name == "::1" or bool(re.fullmatch(r"127(\.\d+){3}", name))


@control.post("/open_next")
def open_next() -> tuple[Response, int]:
    """Open the next held-back ticket now, as its customer wrote it: status new, no group, first comment only."""
    with transaction(database()):
        held = one(database(), "select * from live_pool where opened_at is null order by position limit 1")
        if held is None:
            raise Refusal(409, {"error": "LivePoolEmpty", "description": "all held-back tickets are open already"})
        ticket = Ticket.model_validate_json(held["data"])
        customer = ticket.requester
        requester_id = ensure_end_user(database(), customer.name, customer.email, now_s=now_s(), locale=ticket.language)
        create_ticket(
            database(),
            {"subject": ticket.subject, "comment": {"body": ticket.comments[0].body}},
            requester_id=requester_id,
            actor_id=requester_id,
            now_s=now_s(),
            host=request.host,
            channel=ticket.channel,
            ticket_id=ticket.id,
        )
        database().table("live_pool").update(held["position"], {"opened_at": iso(now_s())})
    state().sender.wake()
    return jsonify(ticket_id=ticket.id), 201


@control.post("/tickets/<int:ticket_id>/customer_reply")
def reply_as_customer(ticket_id: int) -> tuple[Response, int]:
    """The requester writes ``{"body"}`` on the ticket, with what is known of files in ``attachments``."""
    data = request.get_json(silent=True)
    data = data if isinstance(data, dict) else {}
    body, files = str(data.get("body") or ""), data.get("attachments")
    with transaction(database()):
        row, audit = customer_reply(database(), ticket_id, body, now_s=now_s(), host=request.host, files=files)
    state().sender.wake()
    return jsonify(ticket_id=row["id"], comment_id=audit["comment"]["id"], status=row["status"]), 201


@control.post("/tickets/<int:ticket_id>/solve_as_team")
def solve_as_team(ticket_id: int) -> tuple[Response, int]:
    """Put the real agent's first public answer on an opened live ticket, with the real group, and solve it."""
    with transaction(database()):
        held = one(database(), "select * from live_pool where ticket_id = ? and opened_at is not null", [ticket_id])
        if held is None:
            raise not_found()
        ticket = Ticket.model_validate_json(held["data"])
        answer = next((one for one in ticket.comments if one.author != "requester" and one.public), None)
        if answer is None:
            raise Refusal(409, {"error": "NoAnswer", "description": f"the team never answered ticket {ticket_id}"})
        agent_id = _agent_id(answer.author)
        wanted = {
            "comment": {"body": answer.body, "public": True},
            "group_id": scalar(database(), "select id from groups where name = ?", [ticket.group]),
            "assignee_id": agent_id,
            "priority": ticket.priority,
            "additional_tags": list(ticket.tags),
            "status": "solved",
        }
        row, audit = update_ticket(
            database(), ticket_id, wanted, actor_id=agent_id, now_s=now_s(), host=request.host, channel="web"
        )
    state().sender.wake()
    said: Row = (audit or {}).get("comment") or {}
    return jsonify(ticket_id=ticket_id, comment_id=said.get("id"), status=row["status"]), 201


def _agent_id(key: str) -> int:
    found = scalar(database(), "select value from meta where key = 'agents'")
    return int(json.loads(found)[key])


@control.get("/state")
def show_state() -> Response:
    """Counts of what is in the sandbox, and where it stands."""
    db = database()
    pool = rows(db, "select ticket_id, opened_at from live_pool order by position")
    counted = rows(db, "select status, count(*) as n from tickets group by status order by status")
    sent = rows(db, "select status, count(*) as n from deliveries group by status order by status")
    return jsonify(
        url=base_url(),
        now=iso(now_s()),
        export_lag_s=current_app.config["SANDBOX_EXPORT_LAG_S"],
        tickets={row["status"]: row["n"] for row in counted},
        live_pool={
            "left": sum(row["opened_at"] is None for row in pool),
            "opened": [row["ticket_id"] for row in pool if row["opened_at"] is not None],
        },
        deliveries={row["status"]: row["n"] for row in sent},
        faults=state().faults.left(),
    )


@control.get("/deliveries")
def list_deliveries() -> Response:
    """Webhook deliveries, oldest first; ``ticket_id`` picks one ticket's."""
    ticket_id = integer("ticket_id")
    where, values = ("where ticket_id = ?", [ticket_id]) if ticket_id is not None else ("", [])
    sql = f"select * from deliveries {where} order by id"  # noqa: S608 - one of two fixed clauses
    return jsonify(deliveries=rows(database(), sql, values))


@control.post("/faults")
def order_fault() -> tuple[Response, int]:
    """Make the next answers fail.

    ``{"path": regex, "status": 504, "times": 1, "method"?, "retry_after"?, "body"?, "delay_s"?}``; the expression is
    searched in the path with its query string.
    """
    data = request.get_json(silent=True)
    names = {"path", "status", "times", "method", "retry_after", "body", "delay_s"}
    if not isinstance(data, dict) or "path" not in data or set(data) - names:
        raise invalid_value(f"a fault has a path and any of {', '.join(sorted(names))}")
    try:
        fault = Fault(**data)
        fault.status, fault.times, fault.delay_s = int(fault.status), int(fault.times), float(fault.delay_s)
    except (TypeError, ValueError, re.error) as error:
        raise invalid_value(f"the fault makes no sense: {error}") from error
    state().faults.add(fault)
    return jsonify(faults=state().faults.left()), 201


@control.get("/faults")
def list_faults() -> Response:
    """The faults still to come."""
    return jsonify(faults=state().faults.left())


@control.delete("/faults")
def clear_faults() -> tuple[str, int]:
    """Forget all faults."""
    state().faults.clear()
    return "", 204
