"""The stream of tickets: first all by id, then what changed, by the numbers of RT's transactions.

Every change of a ticket is a transaction, and these are numbered. Following the numbers needs no times: TicketSQL reads
times in a zone that we cannot know, has only whole seconds, and finds neither deletions nor merges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors import clock
from connectors.errors import FatalError
from connectors.records import Deletion, Page, Record, Thread, Ticket
from connectors.request_tracker import mapping
from connectors.request_tracker.rest import PER_PAGE, Json, Params, Rest, either
from connectors.request_tracker.threads import People, Threads

TICKETS_PER_PAGE = 100
TRANSACTIONS_PER_PAGE = 100
# Numbers are given when a change begins, and the change shows when it is done, up to the sending of mails. So a lower
# number may show up after a higher one: what is younger than this before the newest is looked at again next time.
OVERLAP_S = 60
# Internal comments are hidden from an account without the right to see them; no more will be at the top than this.
_TOP = 20
# No zone is further from UTC: a day that `since` asks for in the wrong one is still in.
_ZONE_S = 26 * 3600

_CHANGES = "ObjectType = 'RT::Ticket' AND Type != 'EmailRecord' AND Type != 'CommentEmailRecord'"
_DELETIONS = "ObjectType = 'RT::Ticket' AND Type = 'Status' AND NewValue = 'deleted'"


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading stands; as a cursor it is its four values with blanks between them.

    Attributes:
        phase: `list` (all tickets by id), `gone` (deletions ever, after a list), `feed` (changes).
        after: The id of the ticket or transaction that came last in this phase.
        feed: The transaction that the feed starts after, once the list is done.
        since: Unix seconds; tickets of the list that changed before it are left out.
    """

    phase: str
    after: int
    feed: int
    since: int = 0

    def __str__(self) -> str:
        return f"{self.phase} {self.after} {self.feed} {self.since}"

    @classmethod
    def read(cls, cursor: str) -> Position:
        """The position that a cursor says."""
        try:
            phase, *numbers = cursor.split(" ")
            after, feed, since = map(int, numbers)
        except ValueError:
            phase = ""
        if phase not in ("list", "gone", "feed"):
            raise FatalError("the cursor of the tickets is not one of ours", hint="run: deskhand sync --full")
        return cls(phase, after, feed, since)


class TicketStream:
    """Pages of tickets with their requesters and threads."""

    def __init__(self, rest: Rest, people: People, base_url: str) -> None:
        self._rest = rest
        self._people = people
        self._threads = Threads(rest, people)
        self._base_url = base_url
        # When each ticket that came in this run had been changed last.
        self._seen: dict[str, str] = {}

    def pages(self, cursor: str | None, since: int) -> Iterator[Page]:
        """See `Helpdesk.pages`."""
        at = Position.read(cursor) if cursor else Position("list", 0, self._start(), since)
        if at.phase == "list":
            for position, records in self._list(at):
                yield Page(records, str(position), done=False)
            at = Position("gone", 0, at.feed, at.since)
        if at.phase == "gone":
            for position, records in self._gone(at):
                yield Page(records, str(position), done=False)
            at = Position("feed", at.feed, at.feed, at.since)
        yield from self._feed(at)

    def rows(self, sql: str) -> list[Json]:
        """A page of tickets as RT has them, merged ones too, by id."""
        query = f"EffectiveId > 0 AND {sql}"
        params: Params = {"query": query, "orderby": "id", "per_page": TICKETS_PER_PAGE, **mapping.TICKET_FIELDS}
        return next(self._rest.pages("/tickets", params), [])

    def tickets(self, rows: Sequence[Json]) -> list[Ticket]:
        """The records of rows; sites may have statuses of their own, then RT is asked which of them are final."""
        odd = [str(row["id"]) for row in rows if not mapping.knows_status(str(row["Status"]))]
        inactive: set[str] = set()
        if odd:
            sql = f"EffectiveId > 0 AND Status = '__Inactive__' AND {either('id', odd)}"
            inactive = {str(row["id"]) for row in self._rest.rows("/tickets", {"query": sql, "orderby": "id"})}
        return [mapping.ticket(row, self._base_url, inactive=inactive) for row in rows]

    def _start(self) -> int:
        """After which transaction the feed starts, when the list is begun now."""
        newest = self._rest.newest(_CHANGES, PER_PAGE)
        if not newest:
            return 0
        border = _epoch(newest[0]) - OVERLAP_S
        older = [one for one in newest if _epoch(one) < border]
        return int(older[0]["id"]) if older else int(newest[-1]["id"]) - 1

    def _list(self, at: Position) -> Iterator[tuple[Position, tuple[Record, ...]]]:
        sql = "id > {}"
        if at.since:
            sql += f" AND LastUpdated > '{clock.from_epoch(max(0, at.since - _ZONE_S))[:10]}'"
        while rows := self.rows(sql.format(at.after)):
            at = Position("list", max(int(row["id"]) for row in rows), at.feed, at.since)
            yield at, self._records(rows, at.since)

    def _gone(self, at: Position) -> Iterator[tuple[Position, tuple[Record, ...]]]:
        newest = self._rest.newest(_DELETIONS, _TOP)
        last = int(newest[0]["id"]) if newest else 0
        while at.after < last:
            found = self._rest.after(_DELETIONS, at.after, last, TRANSACTIONS_PER_PAGE)
            if not found:
                return
            at = Position("gone", int(found[-1]["id"]), at.feed, at.since)
            there = {str(row["id"]) for row in self._by_ids([str(one["ObjectId"]) for one in found])}
            yield at, _deletions(found, there)

    def _feed(self, at: Position) -> Iterator[Page]:
        newest = self._rest.newest(_CHANGES, _TOP)
        last = int(newest[0]["id"]) if newest else 0
        recent: list[tuple[int, int]] = []
        low = position = at.after
        while position < last and (found := self._rest.after(_CHANGES, position, last, TRANSACTIONS_PER_PAGE)):
            position = int(found[-1]["id"])
            recent += [(int(one["id"]), _epoch(one)) for one in found]
            border = max(moment for _, moment in recent) - OVERLAP_S
            low = max([low, *(number for number, moment in recent if moment < border)])
            recent = [one for one in recent if one[0] > low]
            records = self._changed(found, at.since)
            yield Page(records, str(Position("feed", low, low)), done=position >= last)
        if position < last or last <= at.after:
            yield Page((), str(Position("feed", low, low)), done=True)

    def _changed(self, found: Sequence[Json], since: int) -> tuple[Record, ...]:
        """The tickets that these transactions changed, as they are now."""
        changed = {str(one["ObjectId"]): _iso(one) for one in found}
        ids = [key for key, moment in changed.items() if self._seen.get(key, "") < moment]
        rows = self._by_ids(ids)
        gone = _deletions([one for one in found if str(one["ObjectId"]) in ids], {str(row["id"]) for row in rows})
        records = self._records(rows, since)
        for key in ids:
            self._seen[key] = max(self._seen.get(key, ""), changed[key])
        return (*records, *gone)

    def _by_ids(self, ids: Sequence[str]) -> list[Json]:
        wanted = sorted(set(ids), key=int)
        chunks = [wanted[start : start + TICKETS_PER_PAGE] for start in range(0, len(wanted), TICKETS_PER_PAGE)]
        return [row for chunk in chunks for row in self.rows(either("id", chunk))]

    def _records(self, rows: Sequence[Json], since: int) -> tuple[Record, ...]:
        rows = [row for row in rows if _epoch(row, "LastUpdated") >= since]
        tickets = self.tickets(rows)
        self._seen |= {ticket.id: ticket.updated_at for ticket in tickets}
        users = {one.id: one for one in (self._people.user(mapping.requester(row)) for row in rows)}
        threads: list[Thread] = []
        whole = [ticket.id for ticket in tickets if not ticket.merged]
        for start in range(0, len(whole), TICKETS_PER_PAGE):
            threads += self._threads.read(whole[start : start + TICKETS_PER_PAGE])
        # What was said on a merged ticket is now on the other one.
        threads += [Thread(ticket.id, ()) for ticket in tickets if ticket.merged]
        return (*users.values(), *tickets, *threads)


def _deletions(transactions: Sequence[Json], there: set[str]) -> tuple[Deletion, ...]:
    """What is in no listing any more is deleted, or was never a ticket (RT's reminders are numbered with them)."""
    gone = {str(one["ObjectId"]): _epoch(one) for one in transactions if str(one["ObjectId"]) not in there}
    return tuple(Deletion(ticket_id, at) for ticket_id, at in gone.items())


def _iso(item: Json, name: str = "Created") -> str:
    return clock.to_iso(clock.from_iso(item[name]))


def _epoch(item: Json, name: str = "Created") -> int:
    return clock.to_epoch(item[name])
