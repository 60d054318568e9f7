"""Streams that are read as lists: some whole each time, ratings from where the last run ended, articles both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from connectors.errors import ForbiddenError, NotFoundError, SkippableError
from connectors.http_helpdesk import read_records
from connectors.records import Page, Record
from connectors.zendesk import mapping
from connectors.zendesk.api import Api, Json
from connectors.zendesk.exports import (
    OVERLAP_S,
    Mode,
    Source,
    by_cursor,
    by_pages,
    read_export,
    updated_at,
)
from connectors.zendesk.paging import list_pages
from connectors.zendesk.position import Position
from connectors.zendesk.time_exports import by_time, time_pages

LISTED_EVERY_S = 86_400
"""How often all articles are listed: the export tells what changed, and not what was archived."""
# A rating may be listed some time after it was given.
_RATINGS_OVERLAP_S = 3600
_ARTICLES = "/api/v2/help_center"

_WHOLE: dict[str, Callable[[Json], Record]] = {
    "groups": mapping.group,
    "brands": mapping.brand,
    "ticket_fields": mapping.ticket_field,
    "macros": mapping.macro,
}


def whole(api: Api, stream: str) -> Iterator[Page]:
    """Groups, brands, ticket fields or macros: all of them, each time.

    Raises:
        SkippableError: The account does not have them, or the list broke off: it says nothing of what is gone then.
    """
    pages_read = 0
    try:
        for page in list_pages(api, f"/api/v2/{stream}.json", stream):
            pages_read += 1
            found = read_records(_WHOLE[stream], page.answer.get(stream), stream)
            yield Page(found, "", page.done, listed=stream)
    except NotFoundError as error:
        raise _missing(stream, error, pages_read) from error


def users(api: Api, cursor: str | None, since: int) -> Iterator[Page]:
    """Users; see `Helpdesk.pages`. What a list does not have is not taken for gone: old tickets name them."""
    source = Source("users", partial(_read, mapping.user, "users"), updated_at)
    modes: dict[str, Mode] = {"cursor": partial(by_cursor, api, source), "time": partial(by_time, api, source)}
    return read_export("users", {**modes, "listing": _listing(api, source)}, cursor, since)


def organizations(api: Api, cursor: str | None, since: int) -> Iterator[Page]:
    """Organizations; see `Helpdesk.pages`. There is no export by cursor for these."""
    source = Source("organizations", partial(_read, mapping.organization, "organizations"), updated_at)
    modes: dict[str, Mode] = {"time": partial(by_time, api, source), "listing": _listing(api, source)}
    return read_export("organizations", modes, cursor, since)


def _read(read: Callable[[Json], Record], stream: str, answer: Json) -> tuple[Record, ...]:
    return read_records(read, answer.get(stream), stream)


def _listing(api: Api, source: Source) -> Mode:
    path = f"/api/v2/{source.stream}.json"
    return lambda position, _start: by_pages(api, "listing", path, {}, source.stream, source, position)


def ratings(api: Api, cursor: str | None, since: int) -> Iterator[Page]:
    """Satisfaction ratings, newest first: so the place to start from moves only when the last page was read.

    Raises:
        SkippableError: Newer accounts have survey responses instead.
    """
    name = "satisfaction_ratings"
    position = Position.read(cursor, mode="listing", since=since)
    query = {"start_time": max(0, position.through - _RATINGS_OVERLAP_S)}
    source = Source(name, partial(_read, mapping.satisfaction, name), updated_at)
    try:
        for step in by_pages(api, "listing", f"/api/v2/{name}.json", query, name, source, position):
            yield Page(step.records, step.position.text(), step.done)
    except NotFoundError as error:
        raise SkippableError(
            f"{name}: this account does not have it, or collects survey responses instead ({error})",
            hint="each ticket's own rating comes with the tickets",
        ) from error
    except ForbiddenError as error:
        raise ForbiddenError(
            f"{name}: this credential may not read them ({error})",
            hint="use an admin's credential; each ticket's own rating comes with the tickets",
        ) from error


def articles(api: Api, cursor: str | None) -> Iterator[Page]:
    """Help-centre articles: all of them once a day, and what changed in between.

    An article is of use however old it is, so the first run starts with all.

    Raises:
        SkippableError: The account has no Help Center, or its list broke off.
    """
    position = Position.read(cursor, mode="time")
    if api.now() - position.listed >= LISTED_EVERY_S:
        yield from _all_articles(api, cursor or "")
        return
    source = Source("articles", partial(_read, mapping.article, "articles"), updated_at)
    start = int(position.after) if position.after.isdecimal() else position.through
    try:
        for page in time_pages(api, f"{_ARTICLES}/incremental/articles.json", source, start, lag_s=0):
            here = Position("time", str(page.following), listed=position.listed)
            yield Page(source.read(page.answer), here.text(), page.done)
    except NotFoundError as error:
        raise _missing("articles", error, 0) from error


def _all_articles(api: Api, cursor: str) -> Iterator[Page]:
    began = pages_read = 0
    try:
        for page in list_pages(api, f"{_ARTICLES}/articles.json", "articles"):
            pages_read += 1
            began = began or api.now()
            if page.done:  # before, another run has to begin anew
                cursor = Position("time", str(max(0, began - OVERLAP_S)), listed=began).text()
            yield Page(
                read_records(mapping.article, page.answer.get("articles"), "articles"), cursor, page.done, "articles"
            )
    except NotFoundError as error:
        raise _missing("articles", error, pages_read) from error


def _missing(stream: str, error: NotFoundError, pages_read: int) -> SkippableError:
    if pages_read:
        return SkippableError(
            f"{stream}: the list broke off after {pages_read} pages ({error})", hint="the next sync reads it anew"
        )
    return SkippableError(f"{stream}: this account does not have it ({error})")
