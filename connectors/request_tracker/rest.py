"""Request Tracker's REST 2.0: listings, and what their paging does and does not say.

Facts are from https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html and were checked against RT 5.0.3:

- A page has at most 100 rows. Rows that we may not see are taken out of a page after they were counted, so a short page
  is not the last one; `pages` tells how many there are, but is null for transactions and attachments.
- Lists of tickets take TicketSQL, those of transactions TransactionSQL, all others a JSON list of conditions. There is
  no IN in the former two; the latter hands operators on to the database.
- Times in TicketSQL are in the time zone of our account's settings, which no answer states; those in answers are UTC.
  So nothing here depends on asking for exact times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from connectors.http.client import Http

ROOT = "/REST/2.0"
PER_PAGE = 100

Json = dict[str, Any]
Params = Mapping[str, str | int]


class Rest:
    """Listings of one Request Tracker."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def one(self, path: str) -> Json:
        """A single record."""
        return self.http.get(ROOT + path)

    def page(self, path: str, params: Params) -> Json:
        """One page with its counts."""
        return self.http.get(ROOT + path, params)

    def pages(self, path: str, params: Params, *, all_visible: bool = False) -> Iterator[list[Json]]:
        """The pages of a listing that are not empty, up to its last one; give it an order.

        Args:
            all_visible: We may see all of these rows, so that a short page is the last one.
        """
        number = 1
        while True:
            answer = self.page(path, {"per_page": PER_PAGE, **params, "page": number})
            items = answer.get("items") or []
            if items:
                yield items
            total = answer.get("pages")
            if isinstance(total, int | float):
                done = number >= total
            else:
                done = not items or (all_visible and len(items) < PER_PAGE)
            if done:
                return
            number += 1

    def rows(self, path: str, params: Params, *, all_visible: bool = False) -> Iterator[Json]:
        """The rows of a listing; see `pages`."""
        for items in self.pages(path, params, all_visible=all_visible):
            yield from items

    def newest(self, sql: str, per_page: int) -> list[Json]:
        """The newest transactions that match, newest first; ask for some, since those at the top may be hidden."""
        return list(self.page("/transactions", _transactions(sql, "DESC", per_page)).get("items") or [])

    def after(self, sql: str, transaction: int, newest: int, per_page: int) -> list[Json]:
        """The next transactions that match, oldest first; empty where there are none.

        Args:
            transaction: The id after which to start.
            newest: The id of the newest one that is there to see: up to it, empty pages are followed by others.
        """
        params = _transactions(f"{sql} AND id > {transaction}", "ASC", per_page)
        # There are at most as many rows as ids.
        for number in range(1, 2 + (newest - transaction) // per_page):
            items = self.page("/transactions", {**params, "page": number}).get("items")
            if items:
                return list(items)
        return []


def _transactions(sql: str, order: str, per_page: int) -> Params:
    fields = "Type,Field,ObjectId,Created"
    return {"query": sql, "orderby": "id", "order": order, "per_page": per_page, "fields": fields}


def where(*conditions: tuple[str, str, object]) -> str:
    """A JSON query: all of (field, operator, value)."""
    return json.dumps([{"field": field, "operator": operator, "value": value} for field, operator, value in conditions])


def either(field: str, values: Iterable[str]) -> str:
    """TicketSQL for a field that has one of these numbers."""
    return "(" + " OR ".join(f"{field} = {int(value)}" for value in values) + ")"
