"""Pages of any kind: how many rows to ask for, and following a list to its end.

Lists page by cursor (`page[size]`, `page[after]`, `meta.has_more`) or, on some accounts and endpoints, by number
(`next_page`); see https://developer.zendesk.com/api-reference/introduction/pagination/.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from connectors.errors import CursorError, RefusedError, SlowAnswerError
from connectors.http.client import MAX_ATTEMPTS
from connectors.zendesk.api import Api, Json, Query

log = logging.getLogger(__name__)

EXPORT_ROWS = 1000
LIST_ROWS = 100
LEAST_ROWS = 25
# After so many good answers twice as many rows are asked for again: a time-out costs half a minute, a page too small
# costs a tenth of a minute of the exports' limit.
_GOOD_ANSWERS = 8


class PageSize:
    """How many rows to ask for: half as many after an answer that took too long, slowly more after good ones."""

    def __init__(self, most: int) -> None:
        self.rows = most
        self._most = most
        self._good = 0

    @property
    def is_least(self) -> bool:
        """Whether asking for fewer is no use any more."""
        return self.rows <= LEAST_ROWS

    def shrink(self) -> None:
        """An answer took too long."""
        self.rows = max(LEAST_ROWS, self.rows // 2)
        self._good = 0

    def grow(self) -> None:
        """An answer came in time."""
        self._good += 1
        if self._good >= _GOOD_ANSWERS:
            self.rows = min(self._most, self.rows * 2)
            self._good = 0


def ask(api: Api, path: str, query: Query, size: PageSize, *, parameter: str = "per_page") -> tuple[Json, int]:
    """One page; where its answer takes too long, a smaller one: the same page would take too long again.

    Returns:
        The answer, and how many rows it was asked for.

    Raises:
        SlowAnswerError: The least page takes too long as well, after the usual attempts.
    """
    while True:
        rows = size.rows
        try:
            answer = api.get(path, {**query, parameter: rows}, slow_attempts=MAX_ATTEMPTS if size.is_least else 1)
        except SlowAnswerError:
            if size.is_least:
                raise
            size.shrink()
            log.info("%s: %d rows took too long, asking for %d", path, rows, size.rows)
            continue
        size.grow()
        return answer, rows


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of a list.

    Attributes:
        after: Cursor that another run can go on from; empty at the end and where pages have numbers.
    """

    answer: Json
    after: str
    done: bool


def list_pages(
    api: Api, path: str, what: str, query: Query | None = None, *, after: str = "", restarts: int = 0
) -> Iterator[ListPage]:
    """A list from its beginning, or from a cursor, to its end.

    Args:
        what: The list's name, for messages.
        restarts: How often to begin anew where the helpdesk no longer takes a cursor: those of a search last an hour.

    Raises:
        CursorError: It goes round in circles, or its cursors are refused again and again.
        RefusedError: 400 or 422 for another reason than a cursor.
    """
    while True:
        latest = after
        try:
            for page in _list_pages(api, path, what, query or {}, after):
                latest = page.after
                yield page
            return
        except RefusedError as error:
            if not latest:
                raise
            if not restarts:
                hint = "run: deskhand sync --full"
                raise CursorError(f"{what}: the helpdesk refuses the cursor that it gave", hint=hint) from error
            log.info("%s: the cursor is no longer taken, beginning anew", what)
            restarts -= 1
            after = ""


def _list_pages(api: Api, path: str, what: str, query: Query, after: str) -> Iterator[ListPage]:
    size = PageSize(LIST_ROWS)
    seen = {after}
    numbered = ""
    while True:
        if numbered:
            answer = api.get(numbered)  # other rows a page would be other pages
        else:
            position = {"page[after]": after} if after else {}
            answer, _ = ask(api, path, {**query, **position}, size, parameter="page[size]")
        after, numbered = _following(answer)
        following = after or numbered
        if following and following in seen:
            raise CursorError(f"{what}: a page points back to one that was read", hint="run the sync again later")
        seen.add(following)
        yield ListPage(answer, after, not following)
        if not following:
            return


def _following(answer: Json) -> tuple[str, str]:
    """The cursor of the next page, or its address where pages have numbers; both empty at the end."""
    meta = answer.get("meta")
    if not isinstance(meta, dict) or not meta.get("has_more"):
        return "", str(answer.get("next_page") or "")
    address = str((answer.get("links") or {}).get("next") or "")
    in_address = parse_qs(urlsplit(address).query).get("page[after]", [""])
    after = str(meta.get("after_cursor") or in_address[0])
    return after, "" if after else address
