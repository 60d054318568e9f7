"""The stream of tickets: all of them each time, and of those what is not as it was.

The API can neither be asked for what changed nor says when a ticket did. So the cursor holds a digest of every ticket
(some 20 bytes each): only those whose digest has changed come again, and those that are gone are told. The list is
sorted by id (`Ticket.Meta.ordering`), so whatever is missing between two ids of a page is gone, also at a first scan,
which may be one of `deskhand sync --full`. Only of the newest ticket's deletion there is then no trace.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from connectors.django_helpdesk import mapping
from connectors.django_helpdesk.mapping import Json
from connectors.errors import FatalError, NotFoundError
from connectors.http.client import Http
from connectors.records import Deletion, Page, Record

PATH = "/api/tickets/"
# More than so many that vanish at once, and more than half of all, are rather a right that was lost.
MOST_GONE = 20
# For each page the site loads all tickets (`TicketViewSet.get_queryset`): 1,000 take 11 s with 100 a page, 6 s with
# 250, and 4.5 s at once, which for more of them would be too long for one answer.
PER_PAGE = 250


@dataclass(slots=True)
class Position:
    """Where a scan stands.

    Attributes:
        page: The next one to ask for.
        low: The id up to which tickets were looked at.
        known: For each ticket: its digest, and the time (Unix seconds) that its state was given.
        first: This is the first scan: what may be in the store is unknown.
    """

    page: int = 1
    low: int = 0
    known: dict[int, tuple[str, int]] = field(default_factory=dict)
    first: bool = True

    def __str__(self) -> str:
        rows = [[key, *value] for key, value in sorted(self.known.items())]
        packed = zlib.compress(json.dumps([self.page, self.low, self.first, rows], separators=(",", ":")).encode())
        return base64.b64encode(packed).decode()

    @classmethod
    def read(cls, cursor: str) -> Position:
        """The position that a cursor says.

        Raises:
            FatalError: It is not one of ours.
        """
        try:
            page, low, first, rows = json.loads(zlib.decompress(base64.b64decode(cursor)))
            return cls(page, low, {key: (digest, stamp) for key, digest, stamp in rows}, first)
        except (ValueError, TypeError, zlib.error):
            raise FatalError("the cursor of the tickets is not one of ours", hint="run: deskhand sync --full") from None


class TicketStream:
    """Pages of tickets with their threads.

    Args:
        read: Maps a ticket; takes its JSON and the time that its state is given, in Unix seconds.
        now: Unix seconds: when a ticket is found to be gone.
    """

    def __init__(self, http: Http, read: Callable[[Json, int], tuple[Record, ...]], now: Callable[[], float]) -> None:
        self._http = http
        self._read = read
        self._now = now

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """See `Helpdesk.pages`."""
        at = Position.read(cursor) if cursor else Position()
        last = False
        while not last:
            items, last = self._page(at.page)
            records = [record for item in items for record in self._changed(item, at)]
            records += self._gone([int(item["id"]) for item in items], at, last=last)
            if last:
                at.page, at.low, at.first = 1, 0, False
            yield Page(tuple(records), str(at), done=last)

    def _page(self, number: int) -> tuple[list[Json], bool]:
        try:
            answer = self._http.get(PATH, {"page": number, "page_size": PER_PAGE})
        except NotFoundError:
            if number == 1:
                raise
            return [], True  # so many tickets were deleted that there is no such page any more
        return list(answer["results"]), not answer.get("next")

    def _changed(self, item: Json, at: Position) -> tuple[Record, ...]:
        key, digest = int(item["id"]), mapping.digest(item)
        before = at.known.get(key)
        if before and before[0] == digest:
            return ()
        # Edited texts and changes by the API have no date. A second later than before is enough to be taken as newer,
        # and does not run ahead of the dates that follow-ups to come will have.
        stamp = max(mapping.newest(item), before[1] + 1 if before else 0)
        at.known[key] = (digest, stamp)
        return self._read(item, stamp)

    def _gone(self, ids: list[int], at: Position, *, last: bool) -> list[Record]:
        """Tells what is gone of the ids up to the end of a page, and moves on behind it."""
        upper = max([*ids, *(at.known if last else ())], default=at.low)
        # A page is one look at the list. What is missing before it may have moved up a page meanwhile.
        lower = 0 if at.page == 1 else ids[0] if ids else upper
        there = set(ids)
        known = [key for key in at.known if at.low < key <= upper and key not in there]
        if len(known) > MOST_GONE and 2 * len(known) > len(at.known):
            raise FatalError(
                f"the site does not show {len(known)} of {len(at.known)} tickets any more; nothing was deleted here",
                hint="give the token's user access to all queues; if they were deleted: deskhand sync --full",
            )
        missing = [key for key in range(at.low + 1, upper + 1) if key not in there] if at.first else known
        gone = [key for key in missing if lower < key < max(ids, default=0) or self._is_gone(key)]
        for key in gone:
            at.known.pop(key, None)
        at.page, at.low = at.page + 1, upper
        return [Deletion(str(key), int(self._now())) for key in gone]

    def _is_gone(self, key: int) -> bool:
        try:
            self._http.get(f"{PATH}{key}/")
        except NotFoundError:
            return True
        return False
