"""Pages of lists, in both of the API's ways: cursors (``page[size]``) and offsets (``page`` and ``per_page``).

See https://developer.zendesk.com/api-reference/introduction/pagination/. A page is read along an index of the table, so
that the thousandth is as quick as the first.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request

from connectors.sandbox.database import Row, rows, scalar
from connectors.sandbox.refusals import Refusal, invalid_value
from connectors.sandbox.schema import TABLES
from connectors.sandbox.state import database, integer, link

Json = dict[str, Any]
MOST = 100


@dataclass(frozen=True)
class Select:
    """The rows that a listing goes through.

    Names and conditions come from this package, never from a request; what a request says is in ``values``.

    Attributes:
        table: Where from.
        where: A condition.
        values: For the question marks in ``where``.
        order: Columns to sort by, the last one unique and never null.
        descending: From the greatest on.
    """

    table: str
    where: str = "1"
    values: Sequence[Any] = ()
    order: tuple[str, ...] = ("id",)
    descending: bool = False

    def count(self) -> int:
        """How many rows there are."""
        return int(scalar(database(), f"select count(*) from [{self.table}] where {self.where}", self.values) or 0)  # noqa: S608

    def page(self, size: int, *, after: Sequence[Any] = (), offset: int = 0) -> list[Row]:
        """Up to ``size`` rows: those that follow the row with these sort columns, or those from an offset on."""
        where, values = self.where, [*self.values]
        if after:
            beyond = "<" if self.descending else ">"
            where += f" and ({', '.join(self.order)}) {beyond} ({', '.join('?' * len(after))})"
            values += after
        order = ", ".join(f"{column} desc" if self.descending else column for column in self.order)
        sql = f"select * from [{self.table}] where {where} order by {order} limit ? offset ?"  # noqa: S608 - see above
        return rows(database(), sql, [*values, size, offset])


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


def page(name: str, select: Select, build: Callable[[list[Row]], list[Json]]) -> Json:
    """One page of a list, in the way that the query string asks for.

    Args:
        name: The key under which the answer carries the items.
        select: What the list goes through.
        build: Makes a page's rows into JSON.

    Returns:
        With ``page[size]``: the items, ``meta`` and ``links``. Without: the items, ``count``, ``next_page`` and
        ``previous_page``, and no ``meta``, as some real answers have it.
    """
    if any(key.startswith("page[") for key in request.args):
        return _cursor_page(name, select, build)
    return _offset_page(name, select, build)


def _cursor_page(name: str, select: Select, build: Callable[[list[Row]], list[Json]]) -> Json:
    size = integer("page[size]", MOST, least=1, most=MOST) or MOST
    after = request.args.get("page[after]")
    found = select.page(size + 1, after=_position(select, after) if after else ())
    more, part = len(found) > size, found[:size]

    def cursor(row: Row) -> str:
        return base64.b64encode(json.dumps([row[column] for column in select.order]).encode()).decode()

    kept = {key: value for key, value in request.args.items() if key != "page[after]"}
    last = cursor(part[-1]) if part else None
    return {
        name: build(part),
        "meta": {"has_more": more, "after_cursor": last, "before_cursor": cursor(part[0]) if part else None},
        "links": {"prev": None, "next": link(request.path, **kept, **{"page[after]": last}) if more else None},
    }


def _position(select: Select, cursor: str) -> list[Any]:
    """The sort columns of the row that a cursor names."""
    try:
        position = json.loads(base64.b64decode(cursor.encode(), validate=True))
    except ValueError as error:  # of both; and text that is no UTF-8
        raise invalid_cursor() from error
    if not isinstance(position, list) or len(position) != len(select.order):
        raise invalid_cursor()
    # SQLite sorts every number before every text, so the kind has to be right.
    kinds = [TABLES[select.table][column] for column in select.order]
    if not all(type(value) is kind for value, kind in zip(position, kinds, strict=True)):
        raise invalid_cursor()
    return position


def _offset_page(name: str, select: Select, build: Callable[[list[Row]], list[Json]]) -> Json:
    size = integer("per_page", MOST, least=1, most=MOST) or MOST
    number = integer("page", 1, least=1) or 1
    if number * size > 10_000 + size:  # beyond 10,000 records the API asks for cursors
        raise invalid_value("Please use cursor pagination to go beyond 10000 records")
    start, count = (number - 1) * size, select.count()
    kept = {key: value for key, value in request.args.items() if key != "page"}

    def at(other: int) -> str:
        return link(request.path, **kept, page=other)

    return {
        name: build(select.page(size, offset=start)),
        "count": count,
        "next_page": at(number + 1) if start + size < count else None,
        "previous_page": at(number - 1) if number > 1 else None,
    }
