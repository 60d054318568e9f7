"""Pages of lists, in both of the API's ways: cursors (``page[size]``) and offsets (``page`` and ``per_page``).

See https://developer.zendesk.com/api-reference/introduction/pagination/.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from flask import request

from connectors.sandbox.database import Row
from connectors.sandbox.refusals import Refusal, invalid_value
from connectors.sandbox.state import integer, link

Json = dict[str, Any]
MOST = 100


def encode_cursor(*parts: object) -> str:
    """An opaque cursor."""
    return base64.b64encode("|".join(map(str, parts)).encode()).decode()


def decode_cursor(cursor: str) -> list[str]:
    """The parts of a cursor of ours.

    Raises:
        Refusal: 400 where it is none.
    """
    try:
        return base64.b64decode(cursor.encode(), validate=True).decode().split("|")
    except (binascii.Error, UnicodeError) as error:
        raise invalid_cursor() from error


def invalid_cursor() -> Refusal:
    """400: the cursor is not one that this endpoint gave out."""
    return Refusal(400, {"error": "InvalidPaginationParameter", "description": "Invalid cursor"})


def page(name: str, found: list[Row], build: Callable[[list[Row]], list[Json]]) -> Json:
    """One page of a list, in the way that the query string asks for.

    Args:
        name: The key under which the answer carries the items.
        found: All rows in order; each has an ``id``.
        build: Makes a page's rows into JSON.

    Returns:
        With ``page[size]``: the items, ``meta`` and ``links``. Without: the items, ``count``, ``next_page`` and
        ``previous_page``, and no ``meta``, as some real answers have it.
    """
    if any(key.startswith("page[") for key in request.args):
        return _cursor_page(name, found, build)
    return _offset_page(name, found, build)


def _cursor_page(name: str, found: list[Row], build: Callable[[list[Row]], list[Json]]) -> Json:
    size = integer("page[size]", MOST, least=1, most=MOST) or MOST
    start = 0
    after = request.args.get("page[after]")
    if after:
        ids = [str(row["id"]) for row in found]
        last = decode_cursor(after)[-1]
        if last not in ids:
            raise invalid_cursor()
        start = ids.index(last) + 1
    part = found[start : start + size]
    more = start + size < len(found)
    cursor = encode_cursor("o", part[-1]["id"]) if part else None
    kept = {key: value for key, value in request.args.items() if key != "page[after]"}
    return {
        name: build(part),
        "meta": {
            "has_more": more,
            "after_cursor": cursor,
            "before_cursor": encode_cursor("o", part[0]["id"]) if part else None,
        },
        "links": {
            "prev": None,
            "next": link(request.path, **kept, **{"page[after]": cursor}) if more else None,
        },
    }


def _offset_page(name: str, found: list[Row], build: Callable[[list[Row]], list[Json]]) -> Json:
    size = integer("per_page", MOST, least=1, most=MOST) or MOST
    number = integer("page", 1, least=1) or 1
    if number * size > 10_000 + size:  # beyond 10,000 records the API asks for cursors
        raise invalid_value("Please use cursor pagination to go beyond 10000 records")
    start = (number - 1) * size
    kept = {key: value for key, value in request.args.items() if key != "page"}

    def at(other: int) -> str:
        return link(request.path, **kept, page=other)

    return {
        name: build(found[start : start + size]),
        "count": len(found),
        "next_page": at(number + 1) if start + size < len(found) else None,
        "previous_page": at(number - 1) if number > 1 else None,
    }
