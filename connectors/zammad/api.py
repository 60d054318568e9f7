"""Zammad's REST API: lists, page by page.

Facts are from Zammad's documentation (https://docs.zammad.org/en/latest/api/intro.html) and from its source,
https://github.com/zammad/zammad; each module names the part that it rests on. Lists take `page` and `per_page`, tell
neither how long they are nor which page is the last one, and cap `per_page` at 100 (tickets), 200 (search), 500 (users)
or 1000 (`CanPaginate`). Some, such as the fields', are not cut into pages at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.http.client import Http

ROOT = "/api/v1"
# No list caps it lower, so a page with less is the last one.
PER_PAGE = 100

Json = dict[str, Any]


def expanded(params: Mapping[str, str | int] | None = None) -> dict[str, str | int]:
    """Parameters that have an answer name what its ids refer to: `"group": "Sales"` beside `"group_id": 1`."""
    return {"expand": "true", **(params or {})}


def pages(http: Http, path: str, *, first: int = 1) -> Iterator[tuple[list[Json], int, bool]]:
    """The pages of a list: the records, the page's number, and whether it is the last one."""
    seen: set[object] = set()
    number, last = first, False
    while not last:
        items = http.get_list(ROOT + path, expanded({"page": number, "per_page": PER_PAGE}))
        fresh = [item for item in items if item.get("id") not in seen]
        seen |= {item.get("id") for item in fresh}
        last = len(items) < PER_PAGE or not fresh
        yield fresh, number, last
        number += 1
