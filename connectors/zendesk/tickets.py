"""The stream of tickets: four ways to read it, the best one that the account and the credential allow.

The export by cursor and the one by time bring deleted tickets and, beside each ticket, its metrics and its number of
comments. Where neither can be had (they are for admins, and are being withdrawn from some integrations), a search for
what was updated brings the tickets, and the list of deleted ones what is gone. Where not even that is allowed, the list
of all tickets does it, the latest change first.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from connectors import clock, values
from connectors.errors import ForbiddenError, NotFoundError
from connectors.http_helpdesk import read_records
from connectors.records import Deletion, Page, Record
from connectors.zendesk import mapping
from connectors.zendesk.api import Api, Json
from connectors.zendesk.exports import OVERLAP_S, Source, by_cursor, by_pages, read_export, updated_at
from connectors.zendesk.paging import list_pages
from connectors.zendesk.position import Position, Step
from connectors.zendesk.time_exports import by_time

log = logging.getLogger(__name__)

INDEX_LAG_S = 900
"""A change is found by a search only after "a few minutes" (Zendesk's page on the Search API)."""


def pages(api: Api, cursor: str | None, since: int) -> Iterator[Page]:
    """See `Helpdesk.pages`."""
    source = Source("tickets", read, generated_at, include="metric_sets,comment_count")
    modes = {
        "cursor": partial(by_cursor, api, source),
        "time": partial(by_time, api, source),
        "search": partial(by_search, api),
        "listing": partial(by_list, api),
    }
    return read_export("tickets", modes, cursor, since)


def read(answer: Json) -> tuple[Record, ...]:
    """The tickets of an answer, and their metrics where it has them."""
    tickets = read_records(mapping.ticket, answer.get("tickets"), "tickets")
    here = {ticket.id for ticket in tickets if not ticket.deleted}
    metrics = read_records(mapping.ticket_metrics, answer.get("metric_sets"), "ticket metrics")
    return (*tickets, *(one for one in metrics if one.ticket_id in here))


def generated_at(item: Json) -> int:
    """When this state of a ticket came to be, which is what the exports go by; Unix seconds."""
    return values.number(item.get("generated_timestamp")) or updated_at(item)


def by_search(api: Api, position: Position, _start: int) -> Iterator[Step]:
    """The export of a search, oldest ticket first, then what was deleted.

    The query follows from the position alone: a page's cursor goes with it, and may be used by another run.
    """
    begin = max(0, position.through - OVERLAP_S - INDEX_LAG_S)
    query = {"filter[type]": "ticket", "query": f"updated>={clock.from_epoch(begin)}"}
    source = Source("tickets", read, updated_at)
    for step in by_pages(api, "search", "/api/v2/search/export.json", query, "results", source, position):
        yield replace(step, records=(*step.records, *deletions(api, begin))) if step.done else step


def by_list(api: Api, position: Position, _start: int) -> Iterator[Step]:
    """The list of tickets, back to where the last run ended, then what was deleted.

    Tickets that Zendesk has archived, 120 days after they were closed, are not in it. A ticket that changes meanwhile
    moves to the front, where this run does not look again: what is read is good until it began.
    """
    begin = max(0, position.through - OVERLAP_S)
    query = {"sort": "-updated_at", "include": "metric_sets,comment_count"}
    began, newest = position.listed, position.newest
    for page in list_pages(api, "/api/v2/tickets.json", "tickets", query, after=position.after, restarts=1):
        began = began or api.now()
        items = page.answer.get("tickets") or []
        times = [updated_at(item) for item in items]
        newest = max([newest, *times])
        found = read({**page.answer, "tickets": [one for one, at in zip(items, times, strict=True) if at >= begin]})
        # Where the account keeps to another order, it is read to its end.
        done = page.done or bool(times and times[-1] < begin and times == sorted(times, reverse=True))
        if done:
            here = Position("listing", through=max(position.through, min(newest, began)))
            log.warning("tickets come from their list, which leaves out archived ones: an admin's credential has all")
            yield Step(here, (*found, *deletions(api, begin)), True)
            return
        yield Step(Position("listing", page.after, position.through, newest, began), found, False)


def deletions(api: Api, begin: int) -> list[Deletion]:
    """The tickets deleted at or after a moment (Unix seconds); Zendesk lists those of the last 30 days."""
    found: list[Deletion] = []
    try:
        order = {"sort_by": "deleted_at", "sort_order": "desc"}
        for page in list_pages(api, "/api/v2/deleted_tickets.json", "deleted tickets", order):
            part = read_records(mapping.deletion, page.answer.get("deleted_tickets"), "deleted tickets")
            found += [one for one in part if one.at >= begin]
            times = [one.at for one in part]
            # Some lists keep to their own order: only where this one shows to be newest first is nothing behind it.
            if times and times[-1] < begin and times == sorted(times, reverse=True):
                break
    except (ForbiddenError, NotFoundError) as error:
        log.warning("what was deleted in the helpdesk cannot be told, and stays here: %s", error)
    return found
