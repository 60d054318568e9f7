"""Finding deleted tickets: Zammad keeps no trace of them, they are simply gone from its lists.

Ids are given in order, and `GET /api/v1/tickets` is sorted by id. So an id that is missing between two others belongs
to a ticket that was deleted, or that we may not see; asking for it tells the two apart (404 or 403). Each sync looks at
one page of the list, so that the whole is gone through from time to time at the price of a few requests. The newest
ticket's deletion shows once there is a newer one, or where it was read before.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from connectors.errors import ForbiddenError, NotFoundError
from connectors.http.client import Http
from connectors.records import Deletion
from connectors.zammad import api
from connectors.zammad.api import ROOT

# How many missing ids are asked for in one sync.
MOST_CHECKS = 20


@dataclass(frozen=True, slots=True)
class Sweep:
    """Where the look for deleted tickets stands: the page of the list, and the id up to which all is known."""

    page: int = 1
    low: int = 0


def sweep(http: Http, at: Sweep, highest: int, now: int) -> tuple[Sweep, tuple[Deletion, ...]]:
    """Looks at one page.

    Args:
        highest: The highest id that was ever read.
        now: Unix seconds.

    Returns:
        Where to go on next time, and which tickets are gone. Among them may be some that we never had.
    """
    items = http.get_list(f"{ROOT}/tickets", {"page": at.page, "per_page": api.PER_PAGE})
    ids = sorted(int(item["id"]) for item in items)
    last = len(ids) < api.PER_PAGE
    upper = max([*ids, highest]) if last else ids[-1]
    there = set(ids)
    missing = list(islice((one for one in range(at.low + 1, upper + 1) if one not in there), MOST_CHECKS))
    gone = tuple(Deletion(str(one), now) for one in missing if _is_gone(http, one))
    if len(missing) == MOST_CHECKS:
        return Sweep(at.page, missing[-1]), gone
    # Where tickets are deleted before the next sync, others move up to this page: on the next page these show as
    # missing, and asking for them tells that they are not.
    return (Sweep() if last else Sweep(at.page + 1, ids[-1])), gone


def _is_gone(http: Http, ticket_id: int) -> bool:
    try:
        http.get(f"{ROOT}/tickets/{ticket_id}")
    except NotFoundError:
        return True
    except ForbiddenError:
        return False
    return False
