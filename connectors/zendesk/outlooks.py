"""What reading a stream would take, by one small request."""

from __future__ import annotations

from connectors import values
from connectors.errors import ForbiddenError, NotFoundError
from connectors.records import Outlook
from connectors.zendesk import events, paging
from connectors.zendesk.api import Api
from connectors.zendesk.exports import LAG_S, OVERLAP_S, not_to_be_had

# These have a count of their own; of the others, a page of one row says how many there are.
_COUNTED = frozenset({"tickets", "users", "organizations", "groups"})
_EXPORTED = frozenset({"tickets", "users", "organizations", "comments"})


def outlook(api: Api, stream: str) -> Outlook:
    """See `Helpdesk.outlook`.

    Raises:
        ForbiddenError, SkippableError: We may not read it; the account does not have it.
        FatalError: There is no such stream.
    """
    rows = paging.EXPORT_ROWS if stream in _EXPORTED else paging.LIST_ROWS
    try:
        return Outlook(_count(api, stream), rows)
    except (ForbiddenError, NotFoundError) as error:
        raise not_to_be_had(stream, [error]) from error


def _count(api: Api, stream: str) -> int | None:
    if stream == "comments":
        # Nobody counts events; whether they may be read is all that there is to find out.
        api.get(events.PATH, {"start_time": api.now() - LAG_S - OVERLAP_S, "per_page": 1})
        return None
    if stream in _COUNTED:
        count = api.get(f"/api/v2/{stream}/count.json").get("count")
        return values.number(count.get("value") if isinstance(count, dict) else count)
    path = "/api/v2/help_center/articles.json" if stream == "articles" else f"/api/v2/{stream}.json"
    return values.number(api.get(path, {"per_page": 1}).get("count"))
