"""The desk around the tickets: groups, macros, brands, ticket fields, organizations, satisfaction ratings, users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from connectors.sandbox import desk_records
from connectors.sandbox.database import Row, iso, one
from connectors.sandbox.listing import Select, page
from connectors.sandbox.records import by_ids, user_json
from connectors.sandbox.refusals import not_found
from connectors.sandbox.state import base_url, database, integer, now_s
from connectors.sandbox.ticket_api import identifiers

desk_api = Blueprint("desk", __name__, url_prefix="/api/v2")
Builder = Callable[[Row, str], dict[str, Any]]

# Path -> name of one, and how a row becomes JSON.
_LISTS: dict[str, tuple[str, Builder]] = {
    "groups": ("group", desk_records.group_json),
    "macros": ("macro", desk_records.macro_json),
    "brands": ("brand", desk_records.brand_json),
    "ticket_fields": ("ticket_field", desk_records.ticket_field_json),
    "organizations": ("organization", desk_records.organization_json),
}
_NAMES = "any(groups,macros,brands,ticket_fields,organizations):name"


def _listed(name: str, select: Select, build: Builder) -> Response:
    return jsonify(page(name, select, lambda part: [build(row, base_url()) for row in part]))


@desk_api.get(f"/<{_NAMES}>")
def list_records(name: str) -> Response:
    """All groups, macros, brands, ticket fields or organizations."""
    return _listed(name, Select(name), _LISTS[name][1])


@desk_api.get("/<any(tickets,users,organizations,groups,macros):name>/count")
def count_records(name: str) -> Response:
    """How many there are; the real API gives a count from a cache where there are over 100,000, here it is right."""
    value = Select(name, "deleted_at is null" if name == "tickets" else "1").count()
    return jsonify(count={"value": value, "refreshed_at": iso(now_s())})


@desk_api.get(f"/<{_NAMES}>/<int:record_id>")
def show_record(name: str, record_id: int) -> Response:
    """One of them."""
    singular, build = _LISTS[name]
    return jsonify({singular: build(_found(name, record_id), base_url())})


@desk_api.get("/satisfaction_ratings")
def list_ratings() -> Response:
    """Ratings, newest first; ``start_time`` and ``end_time`` in Unix seconds, both inclusive; ``score``."""
    start_s, end_s = integer("start_time", 0), integer("end_time", 2**53)
    where, values = "created_s between ? and ?", list[Any]((start_s, end_s))
    score = request.args.get("score")
    if score in {"good", "bad"}:
        where, values = f"{where} and score = ?", [*values, score]
    select = Select("satisfaction_ratings", where, values, ("created_s", "id"), descending=True)
    return _listed("satisfaction_ratings", select, desk_records.rating_json)


@desk_api.get("/satisfaction_ratings/<int:rating_id>")
def show_rating(rating_id: int) -> Response:
    """One rating."""
    rating = desk_records.rating_json(_found("satisfaction_ratings", rating_id), base_url())
    return jsonify(satisfaction_rating=rating)


@desk_api.get("/users")
def list_users() -> Response:
    """Users, all or those of a ``role``: end-user, agent, admin."""
    wanted = request.args.getlist("role") + request.args.getlist("role[]")
    where = f"role in ({','.join('?' * len(wanted))})" if wanted else "1"
    return _listed("users", Select("users", where, wanted), user_json)


@desk_api.get("/users/<int:user_id>")
def show_user(user_id: int) -> Response:
    """One user."""
    return jsonify(user=user_json(_found("users", user_id), base_url()))


@desk_api.get("/users/show_many")
def show_many_users() -> Response:
    """Up to 100 users by id; unknown ones are left out."""
    found = [user_json(row, base_url()) for row in by_ids(database(), "users", identifiers())]
    return jsonify(users=found, count=len(found), next_page=None, previous_page=None)


def _found(table: str, record_id: int) -> Row:
    row = one(database(), f"select * from [{table}] where id = ?", [record_id])  # noqa: S608 - names from this module
    if row is None:
        raise not_found()
    return row
