"""The search export: tickets by a query, oldest first.

See https://developer.zendesk.com/api-reference/ticketing/ticket-management/search/#export-search-results.
"""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from connectors.sandbox.database import rows
from connectors.sandbox.listing import decode_cursor, encode_cursor, invalid_cursor
from connectors.sandbox.refusals import invalid_value
from connectors.sandbox.sideloads import tickets_with_sideloads
from connectors.sandbox.state import database, integer, link, now_s
from connectors.sandbox.tickets import STATUSES

search_api = Blueprint("search", __name__, url_prefix="/api/v2")
SEARCH_CURSOR_S = 3600
_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@search_api.get("/search/export")
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
    tickets, beside = tickets_with_sideloads(found)
    cursor = encode_cursor(int(now_s()), found[-1]["created_at"], found[-1]["id"]) if found else None
    kept = {key: value for key, value in request.args.items() if key != "page[after]"}
    return jsonify(
        results=[one | {"result_type": "ticket"} for one in tickets],
        **beside,
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
