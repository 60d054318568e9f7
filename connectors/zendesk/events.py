"""Comments of many tickets at once, from the export of ticket events.

See 'Incremental ticket event export' in Zendesk's reference: an event is an audit, its `child_events` say what it did,
and with `include=comment_events` the comments among them come with their texts. A page holds hundreds of comments,
where the list of one ticket's comments takes a request of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors import values
from connectors.errors import ForbiddenError, NotFoundError, SkippableError
from connectors.http_helpdesk import read_records
from connectors.records import Comment, Page, Recheck, Record
from connectors.zendesk import mapping
from connectors.zendesk.api import Api, Json
from connectors.zendesk.exports import Source, updated_at
from connectors.zendesk.position import Position
from connectors.zendesk.time_exports import time_pages

PATH = "/api/v2/incremental/ticket_events.json"


def pages(api: Api, cursor: str | None, since: int) -> Iterator[Page]:
    """Comments since a moment; `Recheck` where one changed afterwards: the export shows them as they were written.

    Raises:
        SkippableError, ForbiddenError: The comments can be had ticket by ticket only.
    """
    position = Position.read(cursor, mode="time", since=since)
    start = int(position.after) if position.after.isdecimal() else position.through
    source = Source("ticket_events", read, _happened_at, include="comment_events")
    try:
        for page in time_pages(api, PATH, source, start):
            yield Page(read(page.answer), Position("time", str(page.following)).text(), page.done)
    except NotFoundError as error:
        raise SkippableError(f"comments in bulk: this account does not have them ({error})") from error
    except ForbiddenError as error:
        hint = "use an admin's credential; until then they are read ticket by ticket"
        raise ForbiddenError(f"comments in bulk: this credential may not read them ({error})", hint=hint) from error


def read(answer: Json) -> tuple[Record, ...]:
    """The comments of an answer, then the tickets whose comments are to be read anew."""
    found = [one for event in read_records(_read, answer.get("ticket_events"), "ticket events") for one in event]
    comments = {one.id: one for one in found if isinstance(one, Comment)}
    rechecks = {one.ticket_id: one for one in found if isinstance(one, Recheck)}
    return (*comments.values(), *rechecks.values())


def _read(event: Json) -> list[Comment | Recheck]:
    found: list[Comment | Recheck] = []
    for child in values.objects(event.get("child_events")):
        comment = mapping.comment_from_event(event, child)
        if comment:
            found.append(comment)
        elif _is_about_a_comment(child):
            found.append(Recheck(values.key(event, "ticket_id")))
    return found


def _is_about_a_comment(child: Json) -> bool:
    """A redaction, of an attachment too; a note made public or the other way; a comment that comes without its text.

    By their names and not by a list of them: 'events may be added at any time' (Zendesk's audit events reference).
    """
    kind = values.text(child.get("event_type") or child.get("type")).lower()
    return "comment" in kind or "redact" in kind


def _happened_at(event: Json) -> int:
    return values.number(event.get("timestamp")) or updated_at(event)
