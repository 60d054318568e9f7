"""Which way to read comments: many tickets at once, or ticket by ticket.

The bulk way reads everything that happened since a moment, page by page; its pages come from a small rate limit, but
hold hundreds of comments. A few old tickets would drag that moment far into the past: they are read one by one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from connectors.helpdesk import Helpdesk
from connectors.store.database import Store

EVENTS_PER_TICKET = 6
"""Comments, status changes and the like of a ticket, as far as a guess goes; 5 to 7 in the accounts looked at."""
EVENTS_PER_PAGE = 1000
# Events and tickets carry clocks of their own; a minute of overlap costs nothing.
OVERLAP_S = 60
_SHARES_READ_ALONE = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def bulk_since(starts: array[int], changed_since: Callable[[int], int], page_price: float) -> int | None:
    """From which moment on to read comments in bulk.

    Args:
        starts: For each ticket whose comments are missing: since when, Unix seconds, ascending.
        changed_since: How many tickets changed at or after a moment.
        page_price: How many single tickets' comments one bulk page is worth.

    Returns:
        Unix seconds, or None where reading all of them one by one is the cheaper way.
    """
    if not starts:
        return None
    best, cheapest = None, float(len(starts))
    for share in _SHARES_READ_ALONE:
        alone = int(share * len(starts))
        since = max(0, starts[alone] - OVERLAP_S)
        cost = alone + bulk_pages(changed_since(since)) * page_price
        if cost < cheapest:
            best, cheapest = since, cost
    return best


def plan(helpdesk: Helpdesk, store: Store) -> int | None:
    """From which moment on to read the comments that are due in bulk, by what the store knows; None for one by one."""
    if not helpdesk.bulk_comments:
        return None
    due = store.due
    starts = due.starts(helpdesk.name)
    return bulk_since(starts, lambda moment: due.changed_since(helpdesk.name, moment), helpdesk.bulk_page_price)


def bulk_pages(tickets: int) -> int:
    """About how many pages the events of so many changed tickets take."""
    return 1 + EVENTS_PER_TICKET * tickets // EVENTS_PER_PAGE
