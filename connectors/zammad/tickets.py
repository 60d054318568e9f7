"""The stream of tickets: what changed, by time, and then a look for deleted ones.

`GET /api/v1/tickets/search` without a query but with a condition is answered from the database (`Ticket::Search`, in
versions 3 to 7): there is neither the delay nor the limit of 10,000 results that its search engine has, and it works
where none is installed. `after (absolute)` includes the moment itself (`Selector::Sql`); times have milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta

from connectors import clock
from connectors.errors import FatalError
from connectors.http.client import Http
from connectors.http_helpdesk import read_records
from connectors.records import Page, Recheck, Record
from connectors.zammad import api, mapping
from connectors.zammad.api import ROOT, Json
from connectors.zammad.sweep import Sweep, sweep

# A change gets its time when it begins, and shows when it is done: so long after a mail with attachments began to be
# taken in, it may still turn up.
OVERLAP_S = 60


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading stands.

    Attributes:
        floor: What changed before is never asked for; times are as Zammad writes them, so that they compare as text.
        since: The time that is asked from.
        page: Above 1 only where more tickets share that millisecond than fit a page.
        recent: When each ticket that may come again had changed last, by id: those of the last `OVERLAP_S`.
        highest: The highest id so far.
        sweep: Where the look for deleted tickets stands.
    """

    floor: str
    since: str
    page: int = 1
    recent: Mapping[str, str] = field(default_factory=dict)
    highest: int = 0
    sweep: Sweep = field(default_factory=Sweep)

    def __str__(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def read(cls, cursor: str) -> Position:
        """The position that a cursor says.

        Raises:
            FatalError: It is not one of ours.
        """
        try:
            stored = json.loads(cursor)
            return cls(**{**stored, "sweep": Sweep(**stored["sweep"])})
        except (ValueError, KeyError, TypeError):
            raise FatalError("the cursor of the tickets is not one of ours", hint="run: deskhand sync --full") from None


class TicketStream:
    """Pages of tickets.

    Args:
        states: Gives the kind of each state by its name.
        now: Unix seconds: when a ticket is found to be gone.
    """

    def __init__(
        self, http: Http, base_url: str, states: Callable[[], Mapping[str, str]], now: Callable[[], float]
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._states = states
        self._now = now

    def pages(self, cursor: str | None, since: int) -> Iterator[Page]:
        """See `Helpdesk.pages`."""
        start = _stamp(datetime.fromtimestamp(since, UTC))
        at = Position.read(cursor) if cursor else Position(start, start)
        last = False
        while not last:
            items = self._search(at)
            fresh = [item for item in items if at.recent.get(str(item["id"])) != _changed_at(item)]
            found = self._records(fresh, at.recent)
            last = len(items) < api.PER_PAGE
            at = _behind(at, items)
            if found:
                yield Page(found, str(at), done=False)
        swept, gone = sweep(self._http, at.sweep, at.highest, int(self._now()))
        again = _earlier(max(at.recent.values())) if at.recent else at.since
        yield Page(gone, str(replace(at, since=max(at.floor, again), page=1, sweep=swept)), done=True)

    def _search(self, at: Position) -> list[Json]:
        params: dict[str, str | int] = {
            "condition[ticket.updated_at][operator]": "after (absolute)",
            "condition[ticket.updated_at][value]": at.since,
            "sort_by": "updated_at,id",
            "order_by": "asc,asc",
            "page": at.page,
            "per_page": api.PER_PAGE,
        }
        return self._http.get_list(f"{ROOT}/tickets/search", api.expanded(params))

    def _records(self, items: list[Json], recent: Mapping[str, str]) -> tuple[Record, ...]:
        states = self._states() if items else {}
        found: list[Record] = list(
            read_records(lambda item: mapping.ticket(item, self._base_url, states), items, "tickets")
        )
        found += [figures for item in items if (figures := mapping.metrics(item))]
        for item in items:
            before = recent.get(str(item["id"]))
            # The store counts in seconds: within one that was read before, it would not see a second change.
            if before and before[:19] == _changed_at(item)[:19]:
                found.append(Recheck(str(item["id"])))
        return tuple(found)


def _behind(at: Position, items: list[Json]) -> Position:
    """The position behind a page."""
    if not items:
        return at
    newest = max([*at.recent.values(), *map(_changed_at, items)])
    recent = {**at.recent, **{str(item["id"]): _changed_at(item) for item in items}}
    border = _earlier(newest)
    following = _changed_at(items[-1])
    return replace(
        at,
        since=max(at.since, following),
        page=1 if following > at.since else at.page + 1,
        recent={key: moment for key, moment in recent.items() if moment >= border},
        highest=max(at.highest, *(int(item["id"]) for item in items)),
    )


def _changed_at(item: Json) -> str:
    return str(item["updated_at"])


def _earlier(moment: str) -> str:
    return _stamp(clock.from_iso(moment) - timedelta(seconds=OVERLAP_S))


def _stamp(moment: datetime) -> str:
    """A time as Zammad writes it: `2026-11-24T08:15:00.000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
