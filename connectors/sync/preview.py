"""What a sync would do, without doing it: `deskhand sync --dry-run`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from connectors import clock
from connectors.errors import ForbiddenError, SkippableError
from connectors.helpdesk import Helpdesk
from connectors.store.database import Store
from connectors.sync.bulk import plan
from connectors.sync.engine import COMMENTS, chosen


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What a sync would do with one stream.

    Attributes:
        starts: Where it would start: `beginning`, `where the last sync ended`, or a time.
        records: How many there are in the helpdesk, or due for comments; None where nobody knows.
        requests: At most so many requests; None where nobody knows.
        problem: Why it would be skipped; empty where it would not.
    """

    stream: str
    starts: str
    records: int | None = None
    requests: int | None = None
    problem: str = ""


def preview(
    helpdesk: Helpdesk, store: Store, *, full: bool = False, since: int = 0, only: Collection[str] = ()
) -> list[StreamPlan]:
    """Asks the helpdesk a small question a stream and reads the store; nothing is written anywhere.

    Args:
        full, since, only: As for `connectors.sync.engine.sync`.

    Raises:
        ConfigError: `only` names something that is no stream.
        CredentialError, RetriableError, FatalError: As `connectors.http.client.Http.send`.
    """
    plans = []
    for stream in chosen(helpdesk, only):
        if stream == COMMENTS:
            plans.append(_comments(helpdesk, store))
            continue
        cursor = None if full else store.cursors.get(helpdesk.name, stream)
        first = clock.from_epoch(since) if since else "beginning"
        starts = "where the last sync ended" if cursor else first
        try:
            outlook = helpdesk.outlook(stream)
        except (SkippableError, ForbiddenError) as error:
            plans.append(StreamPlan(stream, starts, problem=str(error)))
            continue
        # What changed since a moment is known only by asking for it.
        known = outlook.records is not None and starts == "beginning"
        requests = max(1, -(-(outlook.records or 0) // outlook.per_page)) if known else None
        plans.append(StreamPlan(stream, starts, outlook.records, requests))
    return plans


def _comments(helpdesk: Helpdesk, store: Store) -> StreamPlan:
    name = helpdesk.name
    due = store.due.count(name)
    if not due:
        return StreamPlan(COMMENTS, "the tickets that the sync finds changed", 0, None)
    since = plan(helpdesk, store)
    starts = "ticket by ticket" if since is None else f"in bulk from {clock.from_epoch(since)}"
    return StreamPlan(COMMENTS, starts, due, due if since is None else None)
