"""The incremental export by cursor, and the order of ways to read a stream where an account does not have that one.

See https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from connectors import clock, values
from connectors.errors import CursorError, DeskhandError, ForbiddenError, NotFoundError, RefusedError, SkippableError
from connectors.records import Page, Record
from connectors.zendesk import paging
from connectors.zendesk.api import Api, Json
from connectors.zendesk.paging import PageSize, ask, list_pages
from connectors.zendesk.position import Position, Step

log = logging.getLogger(__name__)

LAG_S = 60
"""The exports leave out what changed in the last minute, and refuse to start there."""
OVERLAP_S = 300
"""Another way to read a stream starts so much before the last change that was read: their clocks are not the same."""
TOO_RECENT_S = 900
"""A start younger than this that is refused is refused for its age: the clocks differ, or the minute is five."""
FULL = "run: deskhand sync --full"

Mode = Callable[[Position, int], Iterator[Step]]
"""One way to read a stream: from a position of its own, or from a start in Unix seconds."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is exported.

    Attributes:
        stream: Its name, in addresses and answers too.
        read: An answer's records.
        changed_at: When a row last changed, Unix seconds.
        include: What else to ask for beside the rows.
    """

    stream: str
    read: Callable[[Json], tuple[Record, ...]]
    changed_at: Callable[[Json], int]
    include: str = ""


def updated_at(item: Json) -> int:
    """When a row last changed, by its `updated_at`; Unix seconds, 0 where it does not say."""
    moment = values.moment(item.get("updated_at")) or values.moment(item.get("created_at"))
    return clock.to_epoch(moment) if moment else 0


def read_export(stream: str, modes: Mapping[str, Mode], cursor: str | None, since: int) -> Iterator[Page]:
    """The pages of a stream, in the first way that the helpdesk allows.

    Better ways are tried first at the start of each run, so that a credential with more rights is used at once.

    Args:
        modes: Ways to read it by name, the best one first.

    Raises:
        ForbiddenError, SkippableError: None is allowed; none is there.
    """
    position = Position.read(cursor, mode=next(iter(modes)), since=since)
    start = max(0, position.through - OVERLAP_S) if cursor else since
    refusals: list[DeskhandError] = []
    for mode, steps in modes.items():
        here = position if mode == position.mode else Position(mode, through=position.through)
        try:
            for step in steps(here, start):
                position, start = step.position, max(0, step.position.through - OVERLAP_S)
                yield Page(step.records, position.text(), step.done)
            return
        except (ForbiddenError, NotFoundError) as error:
            refusals.append(error)
            log.info("%s cannot be read by %s: %s", stream, mode, error)
    raise not_to_be_had(stream, refusals)


def not_to_be_had(stream: str, refusals: list[DeskhandError]) -> DeskhandError:
    """The error to raise where a stream cannot be read, in words for a person."""
    for error in refusals:
        if isinstance(error, ForbiddenError):
            hint = "use an admin's credential, or leave this stream out with --only"
            return ForbiddenError(f"{stream}: this credential may not read them ({error})", hint=hint)
    return SkippableError(f"{stream}: this account does not have it ({refusals[-1]})")


def by_cursor(api: Api, source: Source, position: Position, start: int) -> Iterator[Step]:
    """The export by cursor. `after_cursor` is there at the end as well: the next run starts from it.

    Raises:
        CursorError: It does not move, or is refused again after a new start.
    """
    path = f"/api/v2/incremental/{source.stream}/cursor.json"
    include = {"include": source.include} if source.include else {}
    size = PageSize(paging.EXPORT_ROWS)
    after, through, restarted = position.after, position.through, False
    while True:
        if not after and start > api.now() - LAG_S:
            yield Step(Position("cursor", through=through), (), True)
            return
        try:
            place: dict[str, str | int] = {"cursor": after} if after else {"start_time": start}
            answer, _ = ask(api, path, {**place, **include}, size)
        except RefusedError as error:
            if not after and start > api.now() - TOO_RECENT_S:
                yield Step(Position("cursor", through=through), (), True)
                return
            if not after:
                raise
            if restarted:
                what = f"the {source.stream} export refuses the cursor that it gave"
                raise CursorError(what, hint=FULL) from error
            start = max(0, through - OVERLAP_S)
            log.info("the %s export no longer takes its cursor, starting at %d", source.stream, start)
            after, restarted = "", True
            continue
        found = source.read(answer)
        through = max([through, *map(source.changed_at, answer.get(source.stream) or ())])
        following = str(answer.get("after_cursor") or after)
        done = bool(answer.get("end_of_stream"))
        if not done and (not following or following == after):
            raise CursorError(f"the {source.stream} export does not move on from its cursor", hint=FULL)
        yield Step(Position("cursor", following, through), found, done)
        if done:
            return
        after = following


def by_pages(
    api: Api, mode: str, path: str, query: Mapping[str, str | int], key: str, source: Source, position: Position
) -> Iterator[Step]:
    """A list in no order of change. What changed while it was read may be missing, so it is good until it began.

    Args:
        mode: Its name in positions.
        key: Under which the answers have the rows.
    """
    began, newest = position.listed, position.newest
    for page in list_pages(api, path, source.stream, query, after=position.after, restarts=1):
        began = began or api.now()
        found = source.read({source.stream: page.answer.get(key)})
        newest = max([newest, *map(source.changed_at, page.answer.get(key) or ())])
        if page.done:
            here = Position(mode, through=max(position.through, min(newest, began)))
        else:
            here = Position(mode, page.after, position.through, newest, began)
        yield Step(here, found, page.done)
