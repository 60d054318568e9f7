"""Comments in bulk: the same ones that each ticket has, and a sign where one was changed afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.errors import ForbiddenError, SkippableError
from connectors.records import Comment, Page, Recheck
from connectors.sandbox.state import database
from connectors.zendesk.client import Zendesk

Connect = Callable[..., Zendesk]
Read = Callable[..., list[Page]]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_they_are_the_comments_that_each_ticket_has(
    size: int, zendesk: Zendesk, desk: Any, rows: Any, read: Read, of: Any
) -> None:
    files = [{"file_name": "label.png", "content_type": "image/png", "size": 4711}]
    desk.call("POST", "/sandbox/tickets/1/customer_reply", {"body": "See the label", "attachments": files})
    alone = [one for number in range(1, 10) for one in zendesk.comments(str(number))[0]]
    rows(size)
    bulk = of(read(zendesk, "comments"), Comment)
    assert len({one.id for one in bulk}) == len(bulk)

    def told(one: Comment) -> tuple[Any, ...]:
        return (one.id, one.ticket_id, one.author_id, one.public, one.text, one.created_at, one.attachments)

    assert sorted(map(told, bulk)) == sorted(map(told, alone))
    assert [one.text for one in bulk if not one.public] == [desk.note]
    assert len(alone) > 140


def test_all_tickets_take_one_request_and_not_one_each(zendesk: Zendesk, read: Read, of: Any, asked: list[str]) -> None:
    assert len({one.ticket_id for one in of(read(zendesk, "comments"), Comment)}) == 9
    assert len(asked) == 1


def test_it_goes_on_from_any_of_its_cursors(zendesk: Zendesk, rows: Any, read: Read, of: Any) -> None:
    rows(40)
    pages = read(zendesk, "comments")
    assert len(pages) > 3
    for number, page in enumerate(pages[:-1], start=1):
        rest = {one.id for one in of(read(zendesk, "comments", page.cursor), Comment)}
        assert rest >= {one.id for one in of(pages[number:], Comment)}


def test_a_start_leaves_out_what_was_before(zendesk: Zendesk, read: Read, of: Any, asked: list[str]) -> None:
    everything = of(read(zendesk, "comments"), Comment)
    asked.clear()
    found = of(read(zendesk, "comments", since=1_775_520_000), Comment)  # 7 April
    assert {one.id for one in found} == {one.id for one in everything if one.created_at >= "2026-04-07"}
    assert 0 < len(found) < len(everything)
    query = parse_qs(urlsplit(asked[0]).query)
    assert query == {"start_time": ["1775520000"], "include": ["comment_events"], "per_page": ["1000"]}


@pytest.mark.usefixtures("no_lag")
def test_what_was_changed_afterwards_is_to_be_read_anew(
    zendesk: Zendesk, desk: Any, read: Read, of: Any, tick: Callable[[], None]
) -> None:
    (first, *_), _ = zendesk.comments("1")
    (_, second), _ = zendesk.comments("2")
    read_before = read(zendesk, "comments")
    assert of(read_before, Recheck) == []
    tick()
    for _ in range(2):
        desk.call("PUT", f"/api/v2/tickets/1/comments/{first.id}/redact", {"text": "?" if _ else "parcel"})
    desk.call("PUT", f"/api/v2/tickets/2/comments/{second.id}/make_private")
    desk.reply(3, "And now?")
    pages = read(zendesk, "comments", read_before[-1].cursor)
    assert of(pages, Recheck) == [Recheck("1"), Recheck("2")]
    assert "And now?" in [one.text for one in of(pages, Comment)]


@pytest.mark.parametrize(
    ("child", "changed"),
    [
        ({"event_type": "CommentRedactionEvent", "comment_id": 5}, True),
        ({"event_type": "AttachmentRedactionEvent", "attachment_id": 5}, True),
        ({"event_type": "CommentPrivacyChange", "comment_id": 5, "public": True}, True),
        ({"event_type": "SomeLaterCommentEvent"}, True),
        ({"event_type": "Comment", "comment_present": True, "comment_public": True}, True),  # no sideload here
        ({"event_type": "Change", "status": "solved", "previous_value": "open"}, False),
        ({"event_type": "Notification", "body": "Your parcel"}, False),
        ({}, False),
        ("Comment", False),
    ],
)
def test_any_sign_of_a_changed_comment_counts(child: object, changed: bool, scripted: Any, connect: Connect) -> None:
    events = [{"id": 1, "ticket_id": 7, "timestamp": 500, "child_events": [child]}, {"id": 2, "ticket_id": 8}]
    scripted.says({"ticket_events": events, "end_time": 500, "end_of_stream": True})
    (page,) = connect(scripted.url).pages("comments", None)
    assert page.records == ((Recheck("7"),) if changed else ())


def test_events_of_deleted_tickets_may_come(zendesk: Zendesk, desk: Any, read: Read) -> None:
    desk.call("DELETE", "/api/v2/tickets/1")
    desk.call("DELETE", "/api/v2/deleted_tickets/1")
    assert read(zendesk, "comments")


def test_pages_that_take_too_long_are_asked_for_smaller(
    zendesk: Zendesk, desk: Any, naps: list[float], read: Read, of: Any, asked: list[str]
) -> None:
    desk.fault(r"ticket_events.*per_page=(1000|500)\b", 504, times=2)
    assert len(of(read(zendesk, "comments"), Comment)) > 140
    assert len(set(asked)) == len(asked)
    assert [parse_qs(urlsplit(one).query)["per_page"] for one in asked] == [["1000"], ["500"], ["250"]]
    assert naps == []


@pytest.mark.parametrize("size", [1, 5, 6, 7])
def test_a_second_that_fills_pages_comes_completely(
    size: int, zendesk: Zendesk, desk: Any, rows: Any, read: Read, of: Any
) -> None:
    everything = {one.id for one in of(read(zendesk, "comments"), Comment)}
    with desk.sandbox.app.app_context():
        database().execute("update audits set created_s = 1776000000 where id % 4 = 0")
        database().conn.commit()
    rows(size)
    found = of(read(zendesk, "comments"), Comment)
    assert {one.id for one in found} == everything
    assert len(found) == len(everything)


@pytest.mark.parametrize(("status", "error"), [(403, ForbiddenError), (404, SkippableError), (410, SkippableError)])
def test_where_they_cannot_be_had_in_bulk_that_is_said(status: int, error: type, zendesk: Zendesk, refuse: Any) -> None:
    refuse(("ticket_events", status))
    with pytest.raises(error, match="comments in bulk"):
        list(zendesk.pages("comments", None))
    assert zendesk.comments("1")[0], "one by one they can"


def test_its_cursor_is_a_text_that_says_where_it_stands(zendesk: Zendesk, read: Read) -> None:
    end = read(zendesk, "comments")[-1].cursor
    place = json.loads(end)
    assert place["mode"] == "time"
    assert int(place["after"]) > 1_775_000_000
