"""The connector's streams and comments, against the sandbox and against answers that go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import CursorError, FatalError, ForbiddenError, NotFoundError, SkippableError, SlowAnswerError
from connectors.records import Article, Group, Macro, Page, Satisfaction, Ticket, User
from connectors.zendesk import client
from connectors.zendesk.client import Zendesk

Connect = Callable[..., Zendesk]


def read(zendesk: Zendesk, stream: str, cursor: str | None = None) -> list[Page]:
    pages = list(zendesk.pages(stream, cursor))
    assert [page.done for page in pages] == [False] * (len(pages) - 1) + [True]
    return pages


@pytest.mark.parametrize(
    ("stream", "kind", "count"),
    [
        ("groups", Group, 2),
        ("users", User, 11),
        ("macros", Macro, 3),
        ("articles", Article, 2),
        ("tickets", Ticket, 9),
        ("satisfaction_ratings", Satisfaction, 1),
    ],
)
def test_each_stream_gives_all_its_records(stream: str, kind: type, count: int, zendesk: Zendesk) -> None:
    records = [record for page in read(zendesk, stream) for record in page.records]
    assert len({record.id for record in records}) == len(records) == count
    assert all(isinstance(record, kind) for record in records)


def test_every_stream_that_is_named_can_be_read_and_no_other(zendesk: Zendesk) -> None:
    for stream in zendesk.streams:
        assert read(zendesk, stream)
    with pytest.raises(FatalError, match="no stream 'chats'"):
        list(zendesk.pages("chats", None))


@pytest.mark.parametrize(("stream", "count"), [("tickets", 9), ("users", 11)])
@pytest.mark.parametrize("size", [1, 2, 4, 9])
def test_small_pages_give_the_same_records_once(
    stream: str, count: int, size: int, zendesk: Zendesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TICKETS_PER_PAGE", size)
    pages = read(zendesk, stream)
    assert sorted(len(page.records) for page in pages)[-1] <= size
    assert len([record.id for page in pages for record in page.records]) == count
    assert len({page.cursor for page in pages}) == len(pages)


def test_an_export_goes_on_from_any_of_its_cursors(zendesk: Zendesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TICKETS_PER_PAGE", 2)
    pages = read(zendesk, "tickets")
    for number, page in enumerate(pages[:-1], start=1):
        assert read(zendesk, "tickets", page.cursor) == pages[number:]


def test_the_last_cursor_brings_what_comes_later(zendesk: Zendesk, desk: Any) -> None:
    end = read(zendesk, "tickets")[-1].cursor
    (nothing,) = read(zendesk, "tickets", end)
    assert (nothing.records, nothing.cursor) == ((), end)
    new = desk.open_ticket("Where is my parcel?")
    desk.reply(desk.rated_ticket, "And now?")
    (page,) = read(zendesk, "tickets", end)
    assert {ticket.id for ticket in page.records} == {new, str(desk.rated_ticket)}  # type: ignore[union-attr]
    assert page.cursor != end


def test_listings_are_read_in_pages(zendesk: Zendesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ITEMS_PER_PAGE", 1)
    assert [page.records[0].id for page in read(zendesk, "macros")] == ["40", "41", "42"]


def test_articles_go_on_from_their_time_and_show_edits(zendesk: Zendesk, desk: Any) -> None:
    end = read(zendesk, "articles")[-1].cursor
    desk.call("PUT", "/api/v2/help_center/articles/901", {"article": {"body": "<p>A parcel costs €7.95</p>"}})
    (page,) = read(zendesk, "articles", end)
    assert "A parcel costs €7.95" in [article.text for article in page.records]  # type: ignore[union-attr]


def test_deleted_tickets_are_in_the_export(zendesk: Zendesk, desk: Any) -> None:
    end = read(zendesk, "tickets")[-1].cursor
    desk.call("DELETE", "/api/v2/tickets/1")
    desk.call("DELETE", "/api/v2/tickets/2")
    desk.call("DELETE", "/api/v2/deleted_tickets/2")
    (page,) = read(zendesk, "tickets", end)
    assert {(one.id, one.deleted, one.subject) for one in page.records} == {("1", True, ""), ("2", True, "")}  # type: ignore[union-attr]


def test_all_comments_of_a_long_ticket_come_in_order_with_their_authors(zendesk: Zendesk, desk: Any) -> None:
    comments, users = zendesk.comments(str(desk.long_ticket))
    assert len(comments) == desk.long_turns + 2 > client.ITEMS_PER_PAGE
    assert [one.text for one in comments[2:]] == [f"turn {n}" for n in range(1, desk.long_turns + 1)]
    assert {user.name: user.role for user in users} == {"Customer 3": "requester", "Marit": "agent"}
    assert {one.ticket_id for one in comments} == {"3"}


def test_private_comments_stay_private(zendesk: Zendesk, desk: Any) -> None:
    comments, _ = zendesk.comments(str(desk.noted_ticket))
    assert [(one.public, one.text == desk.note) for one in comments] == [(True, False), (False, True), (True, False)]


def test_comments_that_page_without_meta_are_read_to_the_end(scripted: Any, connect: Connect) -> None:
    comment = {"author_id": 1, "public": True, "plain_body": "x", "created_at": "2026-04-01T09:00:00Z"}
    following = f"{scripted.url}/api/v2/tickets/7/comments.json?page=2"
    scripted.says({"comments": [comment | {"id": 1}], "next_page": following})
    scripted.says({"comments": [comment | {"id": 2}], "next_page": None})
    comments, users = connect(scripted.url).comments("7")
    assert [one.id for one in comments] == ["1", "2"]
    assert users == []
    assert scripted.requests[1].target == "/api/v2/tickets/7/comments.json?page=2"


def test_a_ticket_is_read_as_it_is_now(zendesk: Zendesk, desk: Any) -> None:
    assert zendesk.ticket("1").status == "solved"
    desk.reply(1, "And now?")
    assert zendesk.ticket("1").status == "open"
    with pytest.raises(NotFoundError):
        zendesk.ticket("404")
    with pytest.raises(NotFoundError):
        zendesk.comments("404")


@pytest.mark.parametrize(("stream", "status"), [*((stream, 404) for stream in Zendesk.streams), ("tickets", 410)])
def test_a_stream_that_the_account_does_not_have_can_be_skipped(
    stream: str, status: int, zendesk: Zendesk, desk: Any
) -> None:
    desk.fault(stream, status)
    with pytest.raises(SkippableError, match=f"{stream}: this account does not have it"):
        list(zendesk.pages(stream, None))


def test_a_stream_that_the_credential_may_not_read_says_so(zendesk: Zendesk, desk: Any) -> None:
    desk.fault("incremental/tickets", 403)
    with pytest.raises(ForbiddenError, match="may not do that"):
        list(zendesk.pages("tickets", None))


@pytest.mark.parametrize("cursor", [None, "c1"])
def test_a_cursor_that_does_not_move_ends_the_export(cursor: str | None, scripted: Any, connect: Connect) -> None:
    scripted.says({"tickets": [], "after_cursor": "c1", "end_of_stream": False}, times=5)
    with pytest.raises(CursorError, match="does not move on") as caught:
        list(connect(scripted.url).pages("tickets", cursor))
    assert len(scripted.requests) == (2 if cursor is None else 1)
    assert caught.value.hint


def test_an_export_without_any_cursor_ends(scripted: Any, connect: Connect) -> None:
    scripted.says({"tickets": [], "after_cursor": None, "end_of_stream": False}, times=5)
    with pytest.raises(CursorError):
        list(connect(scripted.url).pages("tickets", None))


def test_a_cursor_that_is_missing_at_the_end_is_kept(scripted: Any, connect: Connect) -> None:
    scripted.says({"tickets": [], "end_of_stream": True})
    (page,) = connect(scripted.url).pages("tickets", "c1")
    assert page.cursor == "c1"


def test_pages_that_go_round_in_circles_end(scripted: Any, connect: Connect) -> None:
    for _ in range(5):
        for number in (1, 2):
            scripted.says({"groups": [], "comments": [], "next_page": f"{scripted.url}/p{number}"})
    with pytest.raises(CursorError):
        list(connect(scripted.url).pages("groups", None))
    with pytest.raises(CursorError, match="ticket 7"):
        connect(scripted.url).comments("7")
    assert len(scripted.requests) <= 6


def test_articles_whose_time_stands_still_end(scripted: Any, connect: Connect) -> None:
    item = {"id": 1, "title": "x", "body": "", "updated_at": "2026-01-01T00:00:00Z"}
    scripted.says({"articles": [item], "end_time": 500, "next_page": f"{scripted.url}/again"}, times=5)
    with pytest.raises(CursorError):
        list(connect(scripted.url).pages("articles", None))
    assert len(scripted.requests) == 2


def test_a_next_page_elsewhere_gets_no_token(scripted: Any, connect: Connect) -> None:
    scripted.says({"groups": [], "next_page": "https://evil.example/groups.json"})
    with pytest.raises(FatalError, match="another host"):
        list(connect(scripted.url).pages("groups", None))
    assert len(scripted.requests) == 1


def test_big_pages_that_take_too_long_are_asked_for_smaller(zendesk: Zendesk, desk: Any, naps: list[float]) -> None:
    desk.fault("per_page=(1000|500|250)$", 504, times=3)
    assert len(read(zendesk, "tickets")[0].records) == desk.tickets
    assert naps == [], "nothing gets better by waiting"


def test_an_export_that_is_too_slow_at_any_size_ends(
    zendesk: Zendesk, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TICKETS_PER_PAGE", 100)
    desk.fault("tickets/cursor", 504, times=100)
    with pytest.raises(SlowAnswerError):
        list(zendesk.pages("tickets", None))
    assert zendesk.http.requests_made == 2 + 6  # 100, 50, then the least size as often as anything else


@pytest.mark.parametrize("broken", [{"id": 7}, {"id": 7, "updated_at": "anna@mail.example"}, None, "anna@mail.example"])
def test_a_record_in_an_unknown_shape_is_named_but_not_quoted(broken: object, scripted: Any, connect: Connect) -> None:
    scripted.says({"tickets": [broken], "after_cursor": "c1", "end_of_stream": True})
    with pytest.raises(FatalError, match=r"tickets: record .* is not in the shape we know") as caught:
        list(connect(scripted.url).pages("tickets", None))
    assert "anna" not in f"{caught.value!r}{caught.value.__cause__!r}"
