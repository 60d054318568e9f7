"""Lists: read whole or not at all, articles once a day, ratings from where the last run ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import CursorError, FatalError, ForbiddenError, SkippableError
from connectors.records import Article, Page, Satisfaction
from connectors.sandbox.state import database
from connectors.zendesk import exports, listings
from connectors.zendesk.api import Api
from connectors.zendesk.client import Zendesk

Connect = Callable[..., Zendesk]
Read = Callable[..., list[Page]]
WHOLE = ("groups", "brands", "ticket_fields", "macros")


def sql(desk: Any, statement: str) -> None:
    """Changes what no API of the sandbox changes."""
    with desk.sandbox.app.app_context():
        database().execute(statement)
        database().conn.commit()


# Whole lists


@pytest.mark.parametrize("stream", WHOLE)
def test_a_whole_list_says_of_which_table_it_is(stream: str, zendesk: Zendesk, read: Read, rows: Any) -> None:
    rows(1)
    pages = read(zendesk, stream)
    assert {page.listed for page in pages} == {stream}
    assert all(len(page.records) <= 1 for page in pages)


def test_lists_are_read_in_pages(zendesk: Zendesk, read: Read, rows: Any) -> None:
    rows(1)
    assert [page.records[0].id for page in read(zendesk, "macros")] == ["40", "41", "42"]  # type: ignore[union-attr]


@pytest.mark.parametrize("stream", [*WHOLE, "articles"])
@pytest.mark.parametrize("status", [404, 410])
def test_a_list_that_breaks_off_is_never_whole(stream: str, status: int, scripted: Any, connect: Connect) -> None:
    item = {"id": 1, "name": "x", "title": "x", "body": "", "updated_at": "2026-01-01T00:00:00Z"}
    scripted.says({stream: [item], "next_page": f"{scripted.url}/api/v2/{stream}.json?page=2"})
    scripted.says({"error": "RecordNotFound"}, status=status)
    pages = connect(scripted.url).pages(stream, None)
    assert not next(pages).done
    with pytest.raises(SkippableError, match=f"{stream}: the list broke off after 1 pages") as caught:
        list(pages)
    assert caught.value.hint


def test_a_list_of_numbered_pages_is_read_to_its_end(scripted: Any, connect: Connect) -> None:
    scripted.says({"groups": [{"id": 1}], "next_page": f"{scripted.url}/api/v2/groups.json?page=2"})
    scripted.says({"groups": [{"id": 2}], "next_page": None, "meta": None})
    assert [page.done for page in connect(scripted.url).pages("groups", None)] == [False, True]
    assert [one.target for one in scripted.requests] == [
        "/api/v2/groups.json?page%5Bsize%5D=100",
        "/api/v2/groups.json?page=2",
    ]


def test_a_cursor_may_stand_in_the_link_alone(scripted: Any, connect: Connect) -> None:
    link = f"{scripted.url}/api/v2/groups.json?page%5Bafter%5D=c%2B1&page%5Bsize%5D=7"
    scripted.says({"groups": [{"id": 1}], "meta": {"has_more": True}, "links": {"next": link}})
    scripted.says({"groups": [{"id": 2}], "meta": {"has_more": False}})
    assert len(list(connect(scripted.url).pages("groups", None))) == 2
    assert scripted.requests[1].target == "/api/v2/groups.json?page%5Bafter%5D=c%2B1&page%5Bsize%5D=100"


@pytest.mark.parametrize("ways", [("p1", "p2", "p1"), ("p1", "p1")])
@pytest.mark.parametrize("by_cursor", [True, False])
def test_pages_that_go_round_in_circles_end(
    ways: tuple[str, ...], by_cursor: bool, scripted: Any, connect: Connect
) -> None:
    for way in ways:
        more = (
            {"meta": {"has_more": True, "after_cursor": way}} if by_cursor else {"next_page": f"{scripted.url}/{way}"}
        )
        scripted.says({"groups": [], **more})
    with pytest.raises(CursorError, match="points back"):
        list(connect(scripted.url).pages("groups", None))
    assert len(scripted.requests) == len(ways)


def test_a_next_page_elsewhere_gets_no_token(scripted: Any, connect: Connect) -> None:
    scripted.says({"groups": [], "next_page": "https://evil.example/groups.json"})
    with pytest.raises(FatalError, match="another host"):
        list(connect(scripted.url).pages("groups", None))
    assert len(scripted.requests) == 1


def test_a_list_that_takes_too_long_is_asked_for_smaller(zendesk: Zendesk, desk: Any, read: Read, asked: Any) -> None:
    desk.fault(r"page\[size\]=100", 504, times=2)
    assert len(read(zendesk, "macros")[0].records) == 3
    assert asked == [f"/api/v2/macros.json?page[size]={size}" for size in (100, 50)] or len(set(asked)) == len(asked)
    assert asked[-1].endswith("=50")


# Articles


def test_all_articles_come_first_and_then_once_a_day(
    zendesk: Zendesk, read: Read, rows: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(1)
    first = read(zendesk, "articles", since=int(time.time()))
    assert [page.listed for page in first] == ["articles"] * 2, "an article is of use however old it is"
    place = json.loads(first[-1].cursor)
    assert abs(place["listed"] - time.time()) < 10
    assert int(place["after"]) == place["listed"] - exports.OVERLAP_S
    asked.clear()
    second = read(zendesk, "articles", first[-1].cursor)
    assert [(page.records, page.listed) for page in second] == [((), "")]
    assert len(asked) == 1
    assert json.loads(second[-1].cursor)["listed"] == place["listed"]
    tomorrow = place["listed"] + listings.LISTED_EVERY_S
    monkeypatch.setattr(Api, "now", lambda _self: tomorrow - 1)
    assert not read(zendesk, "articles", second[-1].cursor)[0].listed
    monkeypatch.setattr(Api, "now", lambda _self: tomorrow)
    third = read(zendesk, "articles", second[-1].cursor)
    assert third[0].listed == "articles"
    assert json.loads(third[-1].cursor)["listed"] == tomorrow


def test_between_two_lists_edits_are_seen(zendesk: Zendesk, desk: Any, read: Read, of: Any) -> None:
    end = read(zendesk, "articles")[-1].cursor
    for price in ("€7.95", "€8.95"):
        body = {"article": {"body": f"<p>A parcel costs {price}</p>"}}
        desk.call("PUT", "/api/v2/help_center/articles/901", body)
        pages = read(zendesk, "articles", end)
        assert [one.text for one in of(pages, Article)] == [f"A parcel costs {price}"]
        end = pages[-1].cursor


def test_a_list_of_articles_that_was_cut_off_begins_anew(zendesk: Zendesk, read: Read, rows: Any, of: Any) -> None:
    rows(1)
    first = next(zendesk.pages("articles", None))
    assert (first.done, first.cursor) == (False, "")
    assert len(of(read(zendesk, "articles", first.cursor), Article)) == 2
    old = "1770000000"  # what versions before kept: the time where their export ended
    assert next(zendesk.pages("articles", old)).cursor == old
    pages = read(zendesk, "articles", old)
    assert {page.listed for page in pages} == {"articles"}
    assert json.loads(pages[-1].cursor)["mode"] == "time"


def test_an_article_that_was_archived_is_not_in_the_next_list(
    zendesk: Zendesk, desk: Any, read: Read, of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = read(zendesk, "articles")[-1].cursor
    sql(desk, "delete from articles where id = 901")
    assert of(read(zendesk, "articles", end), Article) == [], "the export does not tell"
    monkeypatch.setattr(listings, "LISTED_EVERY_S", 0)
    (page,) = read(zendesk, "articles", end)
    assert (page.listed, [one.id for one in of([page], Article)]) == ("articles", ["902"])


def articles_place(after: int) -> str:
    """A cursor behind a list that was just read."""
    return json.dumps({"mode": "time", "after": str(after), "listed": int(time.time())})


def test_articles_whose_time_stands_still_end(scripted: Any, connect: Connect, rows: Any) -> None:
    rows(1)
    item = {"id": 1, "title": "x", "body": "", "updated_at": "1970-01-01T00:08:20Z"}
    scripted.says({"articles": [item], "end_time": 500, "next_page": f"{scripted.url}/again"}, times=9)
    pages = connect(scripted.url).pages("articles", articles_place(400))
    with pytest.raises(CursorError, match="articles export does not move on"):
        list(pages)
    assert len(scripted.requests) == 3


def test_a_next_page_that_is_there_for_ever_is_no_more_to_come(scripted: Any, connect: Connect) -> None:
    item = {"id": 1, "title": "x", "body": "", "updated_at": "1970-01-01T00:08:20Z"}
    scripted.says({"articles": [item], "end_time": 500, "next_page": f"{scripted.url}/again"}, times=9)
    pages = list(connect(scripted.url).pages("articles", articles_place(400)))
    assert [len(page.records) for page in pages] == [1, 0]
    assert json.loads(pages[-1].cursor)["after"] == "500"
    assert len(scripted.requests) == 2


def test_an_account_without_help_center_is_told_so(zendesk: Zendesk, refuse: Any) -> None:
    refuse(("help_center", 404))
    for cursor in (None, articles_place(400)):
        with pytest.raises(SkippableError, match="articles: this account does not have it"):
            list(zendesk.pages("articles", cursor))


# Ratings


def test_a_second_run_for_ratings_costs_one_request(
    zendesk: Zendesk, desk: Any, read: Read, rows: Any, of: Any, asked: list[str]
) -> None:
    row = "insert into satisfaction_ratings select {0}, ticket_id, requester_id, assignee_id, group_id, score, comment,"
    row += " created_at, created_s - 86400 * {0} from satisfaction_ratings limit 1"
    for number in range(1, 6):
        sql(desk, row.format(number))
    rows(2)
    first = read(zendesk, "satisfaction_ratings")
    assert len({one.id for one in of(first, Satisfaction)}) == 6
    assert len(first) == 3
    asked.clear()
    second = read(zendesk, "satisfaction_ratings", first[-1].cursor)
    assert len(asked) == 1
    assert second[-1].cursor == first[-1].cursor


def test_the_place_for_ratings_moves_only_at_the_end(scripted: Any, connect: Connect) -> None:
    # The newest come first: whoever went on behind them after a cut would miss the older ones.
    def page(number: int, day: int, *, more: str) -> dict[str, Any]:
        rating = {"id": number, "ticket_id": 1, "score": "good", "updated_at": f"2026-04-{day:02}T00:00:00Z"}
        return {"satisfaction_ratings": [rating], "meta": {"has_more": bool(more), "after_cursor": more or "end"}}

    zendesk = connect(scripted.url)
    scripted.says(page(2, 20, more="c1"))
    scripted.says(page(1, 10, more=""))
    first, last = zendesk.pages("satisfaction_ratings", None, since=1_775_001_600)  # 1 April
    assert json.loads(first.cursor)["through"] == 1_775_001_600
    assert json.loads(last.cursor) == {"mode": "listing", "through": 1_776_643_200}  # 20 April
    # Cut off after the first page, the next run goes on behind it, and then has the same place.
    scripted.says(page(1, 10, more=""))
    (rest,) = zendesk.pages("satisfaction_ratings", first.cursor)
    assert rest.cursor == last.cursor
    assert "page%5Bafter%5D=c1" in scripted.requests[2].target
    scripted.says(page(3, 21, more=""))
    list(zendesk.pages("satisfaction_ratings", last.cursor))
    assert "start_time=1776639600" in scripted.requests[3].target, "an hour before"


def test_a_place_in_the_ratings_that_is_no_longer_taken_begins_anew(scripted: Any, connect: Connect) -> None:
    place = json.dumps({"mode": "listing", "after": "c1", "through": 1_775_001_600})
    scripted.says({"error": "InvalidPaginationParameter"}, status=400)
    scripted.says({"satisfaction_ratings": []})
    assert len(list(connect(scripted.url).pages("satisfaction_ratings", place))) == 1
    assert "after" not in scripted.requests[1].target


def test_accounts_with_survey_responses_are_told_why_ratings_are_left_out(zendesk: Zendesk, refuse: Any) -> None:
    refuse(("satisfaction_ratings", 404))
    with pytest.raises(SkippableError, match="survey responses") as caught:
        list(zendesk.pages("satisfaction_ratings", None))
    assert "each ticket's own rating" in caught.value.hint
    refuse(("satisfaction_ratings", 403))
    with pytest.raises(ForbiddenError, match="may not read them"):
        list(zendesk.pages("satisfaction_ratings", None))
