"""The agent's page: what somebody at the desk sees of the sandbox, with the sidebar app beside the ticket.

Pages are rendered here; ``static/agent.js`` sends what the agent does and swaps parts of the page when a ticket
changes. Everything goes through the same functions as the API, so triggers and webhooks fire as they would there.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox.agent_queries import (
    VIEWS,
    Selection,
    brand_name,
    count_by_view,
    list_agents,
    list_comments,
    list_groups,
    list_stamp,
    list_tickets,
    ticket_stamp,
)
from connectors.sandbox.app_host import hosting, installed_app
from connectors.sandbox.database import Row, one, rows, transaction
from connectors.sandbox.refusals import Refusal, forbidden, invalid_value
from connectors.sandbox.state import database, now_s, state
from connectors.sandbox.tickets import PRIORITIES, customer_reply, find_ticket, update_ticket

pages = Blueprint(
    "agent_page",
    __name__,
    url_prefix="/agent",
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)
COOKIE = "sandbox_agent"
SUBMIT_AS = ("open", "pending", "solved")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

blueprint = Blueprint("agent", __name__)
blueprint.register_blueprint(pages)
blueprint.register_blueprint(hosting)


@blueprint.before_request
def refuse_strangers() -> None:
    """Changes come as JSON from this server's own pages: another site's form or script cannot send that.

    Raises:
        Refusal: 403 for another origin, 400 for another content type.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise forbidden()
    if not request.is_json:
        raise invalid_value("the body must be JSON")


@blueprint.errorhandler(Refusal)
def answer_refusal(refusal: Refusal) -> Response:
    """Refusals as a page for a page, as JSON for a script."""
    if request.method == "GET" and request.accept_mimetypes.accept_html:
        page = render_template("agent_missing.html", **_frame(), status=refusal.status)
        return make_response(page, refusal.status)
    return make_response(jsonify(refusal.body), refusal.status)


@pages.after_request
def add_policy(response: Response) -> Response:
    """No inline script or style, nothing from elsewhere."""
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint and request.endpoint.endswith(".static"):
        response.headers["Access-Control-Allow-Origin"] = "*"  # the app's frame has no origin
    else:
        response.headers["Cache-Control"] = "no-store"
    return response


@pages.app_template_filter("moment")
def moment(text: str) -> str:
    """An ISO time as ``24 Nov, 08:15``, with the year where it is not the present one."""
    at = datetime.fromisoformat(text)
    year = "" if at.year == datetime.fromtimestamp(now_s(), tz=at.tzinfo).year else f" {at.year}"
    return f"{at.day} {at:%b}{year}, {at:%H:%M}"


@pages.app_template_filter("initials")
def initials(name: str) -> str:
    """Up to two initials of a name."""
    words = [word for word in name.replace(".", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper() or "?"


@pages.get("")
def show_list() -> str:
    """Tickets of a view, newest change first, 30 a page."""
    return render_template("agent_list.html", **_frame(), **_list_part())


@pages.get("/tickets/<int:ticket_id>")
def show_ticket(ticket_id: int) -> str:
    """One ticket: conversation, composer, fields, and the app."""
    db = database()
    ticket = find_ticket(db, ticket_id)
    return render_template("agent_ticket.html", **_frame(), **_list_part(), **_ticket_part(ticket))


@pages.get("/tickets/<int:ticket_id>/part")
def show_ticket_part(ticket_id: int) -> str:
    """Heading, fields and conversation, for the page to swap in after a change."""
    return render_template("agent_ticket_part.html", **_frame(), **_ticket_part(find_ticket(database(), ticket_id)))


@pages.get("/list")
def show_list_part() -> str:
    """The list alone, for the page to swap in."""
    return render_template("agent_list_part.html", **_frame(), **_list_part())


@pages.get("/stamps")
def show_stamps() -> Response:
    """Two words that change when any ticket, and when the ticket in ``ticket_id``, has changed."""
    db = database()
    ticket_id = request.args.get("ticket_id", type=int)
    return jsonify(list=list_stamp(db), ticket=ticket_stamp(db, ticket_id) if ticket_id else "", waiting=_waiting())


@pages.get("/tickets/<int:ticket_id>/app_data")
def show_app_data(ticket_id: int) -> Response:
    """What the app framework knows of a ticket: ``ticket``, ``ticket.conversation`` and ``currentUser``."""
    db = database()
    ticket = find_ticket(db, ticket_id)
    people = {row["id"]: row for row in rows(db, "select id, name, email, role from users where role != 'end-user'")}
    requester = one(db, "select id, name, email from users where id = ?", [ticket["requester_id"]]) or {}
    group = one(db, "select id, name from groups where id = ?", [ticket["group_id"]])
    agent = _signed_in()
    conversation = [
        {
            "attachments": [],
            "author": {
                "id": row["author_id"],
                "name": row["author"],
                "role": "end-user" if row["role"] == "end-user" else row["role"],
            },
            "channel": {"name": row["channel"] if row["public"] else "internal"},
            "message": {"content": row["html"], "contentType": "text/html"},
            "timestamp": row["created_at"],
        }
        for row in list_comments(db, ticket)
    ]
    assignee = people.get(ticket["assignee_id"])
    return jsonify(
        ticket={
            "id": ticket["id"],
            "subject": ticket["subject"],
            "description": ticket["description"],
            "status": ticket["status"],
            "priority": ticket["priority"],
            "tags": json.loads(ticket["tags"]),
            "requester": requester,
            "assignee": {"user": assignee, "group": group},
            "createdAt": ticket["created_at"],
            "updatedAt": ticket["updated_at"],
            "conversation": conversation,
        },
        currentUser={key: agent[key] for key in ("id", "name", "email", "role", "locale")},
    )


@pages.post("/tickets/<int:ticket_id>")
def submit_ticket(ticket_id: int) -> Response:
    """Save what the agent chose: a comment, status, group, priority. Answers with the new stamp.

    Raises:
        Refusal: As the API's update: 404, 422.
    """
    data = _object()
    wanted: dict[str, Any] = {}
    text = str(data.get("comment") or "").strip()
    agent_id = _signed_in()["id"]
    if text:
        wanted["comment"] = {"body": text, "public": bool(data.get("public", True)), "author_id": agent_id}
    if data.get("status") in SUBMIT_AS:
        wanted["status"] = data["status"]
    if "group_id" in data:
        wanted["group_id"] = int(data["group_id"]) if str(data["group_id"] or "").isdigit() else None
    if "priority" in data:
        wanted["priority"] = data["priority"] or None
    db = database()
    with transaction(db):
        update_ticket(db, ticket_id, wanted, actor_id=agent_id, now_s=now_s(), host=request.host, channel="web")
    state().sender.wake()
    return jsonify(stamp=ticket_stamp(db, ticket_id))


@pages.post("/tickets/<int:ticket_id>/customer")
def play_customer(ticket_id: int) -> Response:
    """The customer's next message, typed by whoever plays them."""
    db = database()
    with transaction(db):
        customer_reply(db, ticket_id, str(_object().get("body") or ""), now_s=now_s(), host=request.host)
    state().sender.wake()
    return jsonify(stamp=ticket_stamp(db, ticket_id))


@pages.post("/sign_in")
def sign_in() -> BaseResponse:
    """Be another agent from now on."""
    wanted = _object().get("agent_id")
    if wanted not in {agent["id"] for agent in list_agents(database())}:
        raise invalid_value("nobody at the desk has this id")
    response = jsonify(agent_id=wanted)
    response.set_cookie(COOKIE, str(wanted), max_age=30 * 86_400, httponly=True, samesite="Lax", path="/agent")
    return response


@blueprint.get("/")
def go_to_agent() -> BaseResponse:
    """The server's front door."""
    return redirect(url_for("agent.agent_page.show_list"))


def _object() -> dict[str, Any]:
    data = request.get_json(silent=True)
    if not isinstance(data, dict):
        raise invalid_value("the body must be a JSON object")
    return data


def _signed_in() -> Row:
    agents = list_agents(database())
    chosen = request.cookies.get(COOKIE, "")
    return next((agent for agent in agents if str(agent["id"]) == chosen), agents[0])


def _waiting() -> int:
    row = one(database(), "select count(*) as n from live_pool where opened_at is null")
    return int(row["n"]) if row else 0


def _selection() -> Selection:
    view = request.args.get("view", "open")
    page = request.args.get("page", 1, type=int)
    group_id = request.args.get("group", type=int)
    return Selection(
        view=view if view in {*VIEWS, "all"} else "open",
        group_id=None if group_id is None else min(max(-1, group_id), 2**62),  # SQLite's integers end at 2**63
        words=request.args.get("q", "")[:200].strip(),
        page=min(max(1, page), 10**6),
    )


def _frame() -> dict[str, Any]:
    db = database()
    return {
        "brand": brand_name(db),
        "agents": list_agents(db),
        "agent": _signed_in(),
        "groups": list_groups(db),
        "selection": _selection(),
        "waiting": _waiting(),
    }


def _list_part() -> dict[str, Any]:
    db = database()
    selection = _selection()
    return {
        "listing": list_tickets(db, selection),
        "counts": count_by_view(db),
        "stamp": list_stamp(db),
    }


def _ticket_part(ticket: Row) -> dict[str, Any]:
    db = database()
    app = installed_app()
    people = {"requester": ticket["requester_id"], "assignee": ticket["assignee_id"]}
    named = {key: one(db, "select id, name, email from users where id = ?", [value]) for key, value in people.items()}
    settings = {"settings": app.settings, "name": str(app.manifest().get("name") or "App")} if app else None
    return {
        "ticket": ticket,
        "tags": json.loads(ticket["tags"]),
        "comments": list_comments(db, ticket),
        "priorities": PRIORITIES,
        "submit_as": SUBMIT_AS,
        "ticket_stamp": ticket_stamp(db, ticket["id"]),
        "app": settings,
        "app_page": app.page() if app else "",
        **named,
    }
