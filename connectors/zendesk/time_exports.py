"""The incremental exports by time: pages in the order of the last change, from a second on, inclusive.

So the rows of a page's last second come again with the next page, and a second with more changes than a page has rows
leads to itself. See https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/ and
'Understanding incremental article exports' for the one of the Help Center.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors import values
from connectors.errors import CursorError, RefusedError
from connectors.zendesk import exports, paging
from connectors.zendesk.api import Api, Json
from connectors.zendesk.exports import Source
from connectors.zendesk.paging import PageSize, ask
from connectors.zendesk.position import Position, Step

_NEW = (None, 0)


def by_time(api: Api, source: Source, position: Position, start: int) -> Iterator[Step]:
    """The export by time."""
    path = f"/api/v2/incremental/{source.stream}.json"
    through = position.through
    start = int(position.after) if position.after.isdecimal() else start
    for page in time_pages(api, path, source, start):
        found = source.read(page.answer)
        through = max([through, *map(source.changed_at, page.answer.get(source.stream) or ())])
        yield Step(Position("time", str(page.following), through), found, page.done)


@dataclass(frozen=True, slots=True)
class TimePage:
    """A page of an export by time, without the rows that the page before had.

    Attributes:
        following: The next `start_time`, Unix seconds.
    """

    answer: Json
    following: int
    done: bool


def time_pages(api: Api, path: str, source: Source, start: int, *, lag_s: int | None = None) -> Iterator[TimePage]:
    """The pages of an export by time, from a start on.

    Args:
        lag_s: How old a start has to be; None takes the exports' own.

    Raises:
        CursorError: It does not move on from its second, and whether that is complete cannot be known.
    """
    key, size = source.stream, PageSize(paging.EXPORT_ROWS)
    include = {"include": source.include} if source.include else {}
    seen: set[tuple[object, int]] = set()
    while True:
        if start > api.now() - (exports.LAG_S if lag_s is None else lag_s):
            yield TimePage({}, start, True)
            return
        query: dict[str, str | int] = {"start_time": start, **include}
        try:
            answer, rows = ask(api, path, query, size)
        except RefusedError:
            if start <= api.now() - exports.TOO_RECENT_S:
                raise
            yield TimePage({}, start, True)
            return
        items = list(answer.get(key) or ())
        end = values.number(answer.get("end_time")) or start
        done = _is_last(answer, start, end, len(items), rows)
        if not done and end <= start:
            _check_second(api, path, query, key, start=start, end=end, count=len(items), rows=rows)
            end = start + 1
        # What is no object is left in, for `read` to complain of.
        marks = [
            (item["id"], source.changed_at(item)) if isinstance(item, dict) and "id" in item else _NEW for item in items
        ]
        fresh = [item for item, mark in zip(items, marks, strict=True) if mark not in seen]
        seen = {mark for mark in marks if mark[1] >= end}
        yield TimePage({**answer, key: fresh}, max(start, end), done)
        if done:
            return
        start = end


def _is_last(answer: Json, start: int, end: int, count: int, rows: int) -> bool:
    if "end_of_stream" in answer:
        return bool(answer["end_of_stream"])
    if not count or not answer.get("next_page"):
        return True
    # The Help Center does not say when it is at its end, and its next page may be this one for ever.
    return end <= start and count < rows


def _check_second(
    api: Api, path: str, query: Mapping[str, str | int], key: str, *, start: int, end: int, count: int, rows: int
) -> None:
    """Makes sure that a second which fills a whole page came completely, so that the next one can be asked for.

    The server finishes a second beyond the rows asked for. Where it gave just as many as that, one row less shows
    whether it does.
    """
    if end == start and count == rows:
        rows = rows - 1 if rows > 1 else 2
        answer = api.get(path, {**query, "per_page": rows})
        count = len(answer.get(key) or ())
        end = values.number(answer.get("end_time")) or start
        if end > start:
            return
    if end != start or count <= rows:
        raise CursorError(
            f"the {key} export does not move on from second {start}: more changed in it than fit on a page",
            hint=exports.FULL,
        )
