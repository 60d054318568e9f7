"""Writing back: one update of one ticket, private, never twice, never over somebody's change.

See 'Update Ticket' in Zendesk's reference: https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from connectors.errors import FatalError, RefusedError, RetriableError, TicketClosedError
from connectors.records import Comment, Ticket, WriteBack
from connectors.zendesk.api import Api, Json

log = logging.getLogger(__name__)

# Zendesk allows a user 30 updates of a ticket in ten minutes; the last one is left to our user's own hands.
MOST_UPDATES = 29
UPDATES_WINDOW_S = 600.0
# What may be refused by itself, and is worth less than the note: without the first one, then without both.
_DISPENSABLE = ("group_id", "priority")
_FINAL = ("closed", "deleted")


class Writer:
    """Puts notes, groups, priorities and tags on tickets.

    Args:
        ticket: Reads a ticket as it is now.
        comments: Reads a ticket's comments.
        monotonic: The clock that updates are counted by.
    """

    def __init__(
        self,
        api: Api,
        *,
        ticket: Callable[[str], Ticket],
        comments: Callable[[str], list[Comment]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._ticket = ticket
        self._comments = comments
        self._monotonic = monotonic
        self._updates: dict[str, deque[float]] = {}

    def write_back(self, ticket: Ticket, update: WriteBack) -> bool:
        """See `Helpdesk.write_back`. `update.draft` is left out: no API puts words into the reply editor.

        Raises:
            RetriableError: This ticket had so many updates that Zendesk would soon refuse them.
        """
        if ticket.status in _FINAL or ticket.deleted:
            raise TicketClosedError(f"ticket {ticket.id} is {ticket.status}")
        if update.note_html and self._has_note(ticket.id, update.marker):
            return False
        change = _change(ticket, update)
        if not change:
            return True
        while True:
            self._count(ticket.id)
            # The stamp as Zendesk gave it: ours is normalised and would not compare equal.
            stamp = {"safe_update": True, "updated_stamp": ticket.raw.get("updated_at", ticket.updated_at)}
            try:
                self._api.send("PUT", f"/api/v2/tickets/{ticket.id}.json", {"ticket": {**stamp, **change}})
            except RefusedError as error:
                # A ticket closed since we read it is nobody's fault. A deleted one is not found.
                if self._ticket(ticket.id).status in _FINAL:
                    raise TicketClosedError(f"ticket {ticket.id} takes no update any more") from error
                change = _without_one(change, ticket.id, error)
            else:
                return True

    def _has_note(self, ticket_id: str, marker: str) -> bool:
        return any(marker in comment.text for comment in self._comments(ticket_id) if not comment.public)

    def _count(self, ticket_id: str) -> None:
        now = self._monotonic()
        recent = {
            key: times for key, times in self._updates.items() if times and now - times[-1] < UPDATES_WINDOW_S
        }  # the others are forgotten
        times = recent.setdefault(ticket_id, deque())
        while times and now - times[0] >= UPDATES_WINDOW_S:
            times.popleft()
        self._updates = recent
        if len(times) >= MOST_UPDATES:
            raise RetriableError(
                f"ticket {ticket_id} had {len(times)} updates in {UPDATES_WINDOW_S / 60:.0f} minutes, and Zendesk takes"
                " no more",
                hint="look for a rule that changes the ticket back each time",
                retry_after_s=times[0] + UPDATES_WINDOW_S - now,
            )
        times.append(now)


def _change(ticket: Ticket, update: WriteBack) -> Json:
    change: Json = {}
    if update.note_html:
        change["comment"] = {"html_body": f"{update.note_html}<p>{update.marker}</p>", "public": False}
    if update.group_id and update.group_id != ticket.group_id:
        change["group_id"] = int(update.group_id)
    if update.priority and update.priority != ticket.priority:
        change["priority"] = update.priority
    if update.tags:
        change["additional_tags"] = list(update.tags)
    return change


def _without_one(change: Json, ticket_id: str, refused: FatalError) -> Json:
    """The change without the next thing that it can do without.

    Raises:
        FatalError: The refusal, where there is no such thing, or nothing would be left.
    """
    name = next((name for name in _DISPENSABLE if name in change), None)
    rest = {key: value for key, value in change.items() if key != name}
    if name is None or not rest:
        raise refused
    log.warning("ticket %s: the helpdesk refused the update; trying without its %s", ticket_id, name)
    return rest
