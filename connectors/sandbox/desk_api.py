"""The desk around the tickets: groups, macros, brands, ticket fields, satisfaction ratings, users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from connectors.sandbox import desk_records
from connectors.sandbox.database import Row, one, rows
from connectors.sandbox.listing import page
from connectors.sandbox.records import by_ids, user_json
from connectors.sandbox.refusals import not_found
from connectors.sandbox.state import base_url, database, integer
from connectors.sandbox.ticket_api import identifiers

desk_api = Blueprint("desk", __name__, url_prefix="/api/v2")
Builder = Callable[[Row, str], dict[str, Any]]

# Path -> name of one, and how a row becomes JSON.
_LISTS: dict[str, tuple[str, Builder]] = {
    "groups": ("group", desk_records.group_json),
    "macros": ("macro", desk_records.macro_json),
    "brands": ("brand", desk_records.brand_json),
    "ticket_fields": ("ticket_field", desk_records.ticket_field_json),
}


def _listed(name: str, found: list[Row], build: Builder) -> Response:
    return jsonify(page(name, found, lambda part: [build(row, base_url()) for row in part]))


@desk_api.get("/<any(groups,macros,brands,ticket_fields):name>")
def list_records(name: str) -> Response:
    """All groups, macros, brands or ticket fields."""
    found = rows(database(), f"select * from [{name}] order by id")  # noqa: S608 - one of four names
    return _listed(name, found, _LISTS[name][1])


@desk_api.get("/<any(groups,macros,brands,ticket_fields):name>/<int:record_id>")
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
    sql = f"select * from satisfaction_ratings where {where} order by created_s desc, id desc"  # noqa: S608 - see above
    return _listed("satisfaction_ratings", rows(database(), sql, values), desk_records.rating_json)


@desk_api.get("/satisfaction_ratings/<int:rating_id>")
def show_rating(rating_id: int) -> Response:
    """One rating."""
    rating = desk_records.rating_json(_found("satisfaction_ratings", rating_id), base_url())
    return jsonify(satisfaction_rating=rating)


@desk_api.get("/users")
def list_users() -> Response:
    """Users, all or those of a ``role``: end-user, agent, admin."""
    wanted = request.args.getlist("role") + request.args.getlist("role[]")
    found = rows(database(), "select * from users order by id")
    return _listed("users", [row for row in found if not wanted or row["role"] in wanted], user_json)


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
