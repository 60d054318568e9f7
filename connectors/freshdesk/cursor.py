"""Where reading a list by time stands, and how it goes on.

Freshdesk's lists are cut into pages by number: a record that changes moves to the end, all behind it move up, and the
first one of the next page is never seen. So tickets, which can be sorted by `updated_at`, are read by time instead:
each request asks for the first page since the last time seen. The limit of 300 pages is never met that way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from connectors import clock
from connectors.errors import FatalError

START = "1970-01-01T00:00:00Z"
# Freshdesk shows no page behind this one, of any list.
MAX_PAGES = 300

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where one list stands.

    Attributes:
        since: The time that the list is asked from.
        page: The page to ask for, from 1; in a list sorted by time above 1 only where more records share a moment than
            fit a page.
        newest: The latest time seen so far, for lists that are not sorted by it.
    """

    since: str = START
    page: int = 1
    newest: str = START


def by_time(
    read: Callable[[Mark], tuple[list[Json], bool]], time_of: Callable[[Json], str], mark: Mark
) -> Iterator[tuple[list[Json], Mark, bool]]:
    """Reads a list that is sorted by time from a mark to its end.

    Args:
        read: Gives the records of a page and whether it is the last one.

    Yields:
        The records of a page that did not come before, where to go on behind them, and whether that is the end.

    Raises:
        FatalError: More records share a second than Freshdesk shows.
    """
    seen: dict[Any, str] = {}
    before: list[tuple[Any, str]] = []
    mark = replace(mark, page=1)
    last = False
    while not last:
        if mark.page > MAX_PAGES:
            raise FatalError(
                f"more records share the second after {mark.since} than Freshdesk lists",
                hint="ask Freshdesk's support how they came about",
            )
        items, last = read(mark)
        keys = [(item.get("id"), time_of(item)) for item in items]
        if mark.page > 1 and before != [
            (one.get("id"), time_of(one)) for one in read(replace(mark, page=mark.page - 1))[0]
        ]:
            # A record before this page has changed, so that others moved up: perhaps from this page onto the last one.
            mark, last = replace(mark, page=1), False
            continue
        following = _following(mark, [time for _, time in keys], last)
        fresh = [item for item, (key, time) in zip(items, keys, strict=True) if seen.get(key) != time]
        # Only what is young enough to come again has to be kept in mind.
        seen = {key: time for key, time in (seen | dict(keys)).items() if time >= following.since}
        before = keys
        mark = following
        yield fresh, mark, last


def _following(mark: Mark, times: Sequence[str], last: bool) -> Mark:
    # One second is read twice, for nobody says whether `updated_since` includes its own.
    since = max(mark.since, second_before(max(times, default=mark.since)))
    return Mark(since) if last or since > mark.since else replace(mark, page=mark.page + 1)


def second_before(time: str) -> str:
    """The second before a moment."""
    return clock.from_epoch(max(0, clock.to_epoch(time) - 1))


def dump(marks: dict[str, Mark], at: str = "") -> str:
    """A cursor: where each list stands, and which one is being read."""
    return json.dumps({"at": at, "marks": {name: asdict(mark) for name, mark in marks.items()}}, separators=(",", ":"))


def load(cursor: str | None, lists: Sequence[str], since: int) -> tuple[dict[str, Mark], str]:
    """Reads a cursor; without one, every list starts at `since` (Unix seconds)."""
    if not cursor:
        return {name: Mark(clock.from_epoch(since), newest=clock.from_epoch(since)) for name in lists}, lists[0]
    stored = json.loads(cursor)
    return {name: Mark(**stored["marks"].get(name, {})) for name in lists}, stored["at"]
