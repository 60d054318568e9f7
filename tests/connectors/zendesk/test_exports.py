"""Exports: by cursor, by time, and what takes their place; none lost, none twice, never for ever."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.errors import CursorError, FatalError, ForbiddenError, SkippableError, SlowAnswerError
from connectors.records import Deletion, Page, Ticket, TicketMetrics, User
from connectors.sandbox.state import database
from connectors.zendesk import exports, paging, tickets
from connectors.zendesk.client import Zendesk

Connect = Callable[..., Zendesk]
Read = Callable[..., list[Page]]
BY_CURSOR = ("incremental/tickets/cursor", 403)
BY_TIME = (r"incremental/tickets\.json", 403)
BY_SEARCH = ("search/export", 403)
MODES: dict[str, tuple[tuple[str, int], ...]] = {
    "cursor": (),
    "time": (BY_CURSOR,),
    "search": (BY_CURSOR, BY_TIME),
    "listing": (BY_CURSOR, BY_TIME, BY_SEARCH),
}
NO_EXPORT = ("search", "listing")
ROW = {"requester_id": 1, "status": "open", "created_at": "2026-04-01T09:00:00Z", "updated_at": "2026-04-01T09:00:00Z"}


def states(pages: Iterable[Page]) -> list[tuple[str, int]]:
    """The tickets' states on these pages: id and generated time."""
    return [(one.id, one.generated_at) for page in pages for one in page.records if isinstance(one, Ticket)]


def ids(pages: Iterable[Page]) -> list[str]:
    return [ticket_id for ticket_id, _ in states(pages)]


def queries(targets: Iterable[str], path: str) -> list[dict[str, str]]:
    """The queries of the requests to a path."""
    found = [urlsplit(target) for target in targets]
    return [{key: value[0] for key, value in parse_qs(one.query).items()} for one in found if path in one.path]


# Whichever way


@pytest.fixture(params=list(MODES))
def mode(request: pytest.FixtureRequest, refuse: Any) -> str:
    """A helpdesk that allows only this way, and worse ones."""
    refuse(*MODES[request.param])
    return str(request.param)


@pytest.mark.parametrize("size", [1, 2, 4, 9, 1000])
def test_small_pages_give_the_same_tickets_once(size: int, mode: str, zendesk: Zendesk, rows: Any, read: Read) -> None:
    rows(size)
    pages = read(zendesk, "tickets")
    assert sorted(ids(pages)) == [str(number) for number in range(1, 10)]
    assert max(len(ids([page])) for page in pages) <= size
    assert json.loads(pages[-1].cursor)["mode"] == mode


def test_an_export_goes_on_from_any_of_its_cursors(mode: str, zendesk: Zendesk, rows: Any, read: Read) -> None:
    rows(2)
    pages = read(zendesk, "tickets")
    assert len(pages) > 3
    for number, page in enumerate(pages[:-1], start=1):
        rest = read(zendesk, "tickets", page.cursor)
        assert set(ids(rest)) >= set(ids(pages[number:]))
        assert len(ids(rest)) <= len(ids(pages[number:])) + (mode == "time"), "but for a second that comes again"


@pytest.mark.usefixtures("mode")
def test_tickets_that_were_closed_long_ago_come_too(zendesk: Zendesk, desk: Any, read: Read, of: Any) -> None:
    # Zendesk archives them after 120 days; its list of tickets leaves them out.
    assert {one.id: one.status for one in of(read(zendesk, "tickets"), Ticket)}[str(desk.closed_ticket)] == "closed"


@pytest.mark.usefixtures("no_lag")
def test_the_last_cursor_brings_what_comes_later(mode: str, zendesk: Zendesk, desk: Any, read: Read) -> None:
    end = read(zendesk, "tickets")[-1].cursor
    nothing = read(zendesk, "tickets", end)
    again = set(ids(nothing))
    assert len(again) <= (mode != "cursor"), "at most the newest one again"
    assert nothing[-1].cursor == end
    new = desk.open_ticket("Where is my parcel?")
    desk.reply(desk.rated_ticket, "And now?")
    desk.call("DELETE", "/api/v2/tickets/1")
    pages = read(zendesk, "tickets", end)
    assert set(ids(pages)) - again == {new, str(desk.rated_ticket)} | (set() if mode in NO_EXPORT else {"1"})
    gone = [one for page in pages for one in page.records if isinstance(one, Deletion | Ticket)]
    assert [one for one in gone if isinstance(one, Deletion) or (one.deleted and not one.subject)], "ticket 1"
    assert pages[-1].cursor != end


@pytest.mark.usefixtures("no_lag")
def test_what_changed_before_a_start_is_left_out(mode: str, zendesk: Zendesk, read: Read, asked: list[str]) -> None:
    everything = dict(states(read(zendesk, "tickets")))
    since = sorted(everything.values())[5]
    asked.clear()
    found = read(zendesk, "tickets", since=since)
    assert set(ids(found)) == {ticket_id for ticket_id, changed in everything.items() if changed >= since}
    if mode not in NO_EXPORT:
        assert queries(asked, f"tickets{'/cursor' if mode == 'cursor' else '.json'}")[0]["start_time"] == str(since)


def test_a_better_way_is_taken_as_soon_as_it_is_allowed(zendesk: Zendesk, refuse: Any, rows: Any, read: Read) -> None:
    rows(2)
    refuse(BY_CURSOR, BY_TIME)
    pages = zendesk.pages("tickets", None)
    first = next(pages)
    assert json.loads(first.cursor)["mode"] == "search"
    refuse()
    rest = read(zendesk, "tickets", first.cursor)
    assert json.loads(rest[-1].cursor)["mode"] == "cursor"
    assert len(set(ids(rest))) == 9, "a search has no place from which another way could go on"


@pytest.mark.parametrize("status", [403, 404, 410])
@pytest.mark.parametrize("to", ["time", "search", "listing"])
def test_an_export_that_is_withdrawn_in_between_loses_nothing(
    to: str, status: int, zendesk: Zendesk, refuse: Any, rows: Any, asked: list[str]
) -> None:
    rows(2)
    seen, cursors = [], []
    for page in zendesk.pages("tickets", None):
        seen.append(page)
        cursors.append(page.cursor)
        if len(seen) == 2:
            through = json.loads(page.cursor)["through"]
            refuse(*((pattern, status) for pattern, _ in MODES[to]))
    assert json.loads(cursors[-1])["mode"] == to
    assert set(ids(seen)) == {str(number) for number in range(1, 10)}
    if to == "time":
        starts = [int(one["start_time"]) for one in queries(asked, "tickets.json")]
        assert starts[0] == through - exports.OVERLAP_S, "neither now nor the beginning"
    # And the same where the run ended in between.
    refuse(*((pattern, status) for pattern, _ in MODES[to]))
    rest = list(zendesk.pages("tickets", cursors[1]))
    assert set(ids(seen[:2])) | set(ids(rest)) == {str(number) for number in range(1, 10)}


@pytest.mark.parametrize(("statuses", "error"), [((403, 404), ForbiddenError), ((404, 410), SkippableError)])
def test_a_stream_that_cannot_be_read_in_any_way_says_why(
    statuses: tuple[int, int], error: type, zendesk: Zendesk, refuse: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    refuse(("incremental", statuses[0]), ("search", statuses[1]), (r"tickets\.json", statuses[1]))
    with pytest.raises(error, match="tickets: this"):
        list(zendesk.pages("tickets", None))
    assert [re.findall(r"by (\w+):", line.getMessage()) for line in caplog.records] == [
        ["cursor"],
        ["time"],
        ["search"],
        ["listing"],
    ]


# By cursor


def test_metrics_and_the_number_of_comments_ride_with_the_tickets(
    zendesk: Zendesk, desk: Any, refuse: Any, read: Read, of: Any
) -> None:
    desk.call("DELETE", "/api/v2/tickets/1")
    for refused in ((), (BY_CURSOR,)):
        refuse(*refused)
        pages = read(zendesk, "tickets")
        counts = {one.id: one.comment_count for one in of(pages, Ticket)}
        assert counts["3"] == desk.long_turns + 2
        metrics = {one.ticket_id: one for one in of(pages, TicketMetrics)}
        assert metrics["2"].replies == 1
        assert set(metrics) == set(counts) - {"1"}, "none of what is deleted"
    refuse(BY_CURSOR, BY_TIME)
    pages = read(zendesk, "tickets")
    assert of(pages, TicketMetrics) == []


def test_deleted_and_scrubbed_tickets_are_told_without_their_text(
    zendesk: Zendesk, desk: Any, read: Read, of: Any
) -> None:
    end = read(zendesk, "tickets")[-1].cursor
    desk.call("DELETE", "/api/v2/tickets/1")
    desk.call("DELETE", "/api/v2/tickets/2")
    desk.call("DELETE", "/api/v2/deleted_tickets/2")
    found = of(read(zendesk, "tickets", end), Ticket)
    assert {(one.id, one.deleted, one.subject) for one in found} == {("1", True, ""), ("2", True, "")}


def test_a_cursor_of_an_earlier_version_still_works(zendesk: Zendesk, rows: Any, read: Read) -> None:
    rows(2)
    pages = read(zendesk, "tickets")
    bare = json.loads(pages[1].cursor)["after"]
    rest = read(zendesk, "tickets", bare)
    assert states(rest) == states(pages[2:])
    assert json.loads(rest[-1].cursor)["mode"] == "cursor"


def test_a_damaged_cursor_is_said_to_be_one(zendesk: Zendesk) -> None:
    for damaged in ('{"mode": "cursor", "aft', "{}", '{"mode": "cursor", "through": "yesterday"}'):
        with pytest.raises(CursorError, match="cannot be read") as caught:
            list(zendesk.pages("tickets", damaged))
        assert "--full" in caught.value.hint


@pytest.mark.parametrize("status", [400, 422])
def test_a_cursor_that_is_no_longer_taken_starts_again_at_its_time(
    status: int, zendesk: Zendesk, desk: Any, rows: Any, read: Read, asked: list[str]
) -> None:
    rows(2)
    pages = read(zendesk, "tickets")
    place = json.loads(pages[1].cursor)
    desk.fault(r"[?&]cursor=", status)
    asked.clear()
    rest = read(zendesk, "tickets", pages[1].cursor)
    assert queries(asked, "cursor")[1]["start_time"] == str(place["through"] - exports.OVERLAP_S)
    assert set(ids(rest)) >= set(ids(pages[2:]))
    assert set(ids(rest)) < set(ids(pages)), "and not from the beginning"


def test_a_cursor_that_is_refused_again_and_again_ends_the_export(zendesk: Zendesk, desk: Any, rows: Any) -> None:
    rows(2)
    desk.fault(r"[?&]cursor=", 422, times=9)
    with pytest.raises(CursorError, match="refuses the cursor"):
        list(zendesk.pages("tickets", "c1"))
    assert zendesk.http.requests_made == 3  # the cursor, the start, the cursor after it


@pytest.mark.parametrize("cursor", [None, "c1", '{"mode": "cursor", "after": "c1", "through": 5}'])
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
    assert json.loads(page.cursor)["after"] == "c1"


# The last minute


@pytest.mark.parametrize("stream", ["tickets", "users", "organizations", "comments"])
def test_the_last_minute_is_not_asked_for(stream: str, zendesk: Zendesk, read: Read, asked: list[str]) -> None:
    since = int(time.time()) - 30
    (page,) = read(zendesk, stream, since=since)
    assert (page.records, asked) == ((), [])
    assert json.loads(page.cursor)["after" if stream == "comments" else "through"] in (since, str(since))


def test_the_last_minute_is_one_of_the_helpdesks_clock(zendesk: Zendesk, read: Read, asked: list[str]) -> None:
    zendesk.http.server_skew_s = -3600.0
    read(zendesk, "tickets", since=int(time.time()) - 1800)
    assert asked == []
    zendesk.http.server_skew_s = 3600.0
    read(zendesk, "tickets", since=int(time.time()) - 1800)
    assert len(asked) == 1


@pytest.mark.usefixtures("no_lag")
@pytest.mark.parametrize("mode", ["cursor", "time"])
def test_a_clock_that_is_ahead_is_no_error(mode: str, zendesk: Zendesk, desk: Any, refuse: Any, read: Read) -> None:
    refuse(*MODES[mode])
    desk.sandbox.app.config["SANDBOX_EXPORT_LAG_S"] = 60
    (page,) = read(zendesk, "tickets", since=int(time.time()) - 30)
    assert page.records == ()
    assert zendesk.http.requests_made == 1 + (mode == "time")
    desk.fault("incremental/tickets", 400)
    with pytest.raises(FatalError, match="answered 400"):
        list(zendesk.pages("tickets", None, since=1_000_000))


# Big pages


@pytest.mark.parametrize("mode", ["cursor", "time"])
def test_big_pages_that_take_too_long_are_asked_for_smaller(
    mode: str, zendesk: Zendesk, desk: Any, refuse: Any, naps: list[float], read: Read, asked: list[str]
) -> None:
    refuse(*MODES[mode])
    path = "tickets/cursor" if mode == "cursor" else r"tickets\.json"
    desk.fault(rf"{path}.*per_page=(1000|500|250)\b", 504, times=3)
    assert len(ids(read(zendesk, "tickets"))) == desk.tickets
    sizes = [one["per_page"] for one in queries(asked, "tickets.json" if mode == "time" else "tickets/cursor")]
    assert sizes[:4] == ["1000", "500", "250", "125"]
    assert len(set(asked)) == len(asked), "nothing is asked for twice"
    assert naps == [], "nothing gets better by waiting"


def test_the_next_page_is_asked_for_smaller_too(
    zendesk: Zendesk, desk: Any, rows: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # `after_url` repeats the size that took too long.
    rows(4)
    monkeypatch.setattr(paging, "LEAST_ROWS", 1)
    pages = zendesk.pages("tickets", None)
    next(pages)
    desk.fault("cursor=.*per_page=4", 504)
    seen = list(pages)
    assert [one["per_page"] for one in queries(asked, "cursor")] == ["4", "4", "2", "2", "2"]
    assert len(ids(seen)) == 5


def test_pages_grow_again_after_a_while() -> None:
    size = paging.PageSize(1000)
    for _ in range(9):
        size.shrink()
    assert (size.rows, size.is_least) == (25, True)
    grown = []
    for _ in range(60):
        size.grow()
        grown.append(size.rows)
    assert grown[6:8] == [25, 50]
    assert (grown[15], max(grown), grown[-1]) == (100, 1000, 1000)
    size.shrink()
    assert size.rows == 500


def test_an_export_that_is_too_slow_at_any_size_ends(zendesk: Zendesk, desk: Any, rows: Any) -> None:
    rows(100)
    desk.fault("tickets/cursor", 504, times=100)
    with pytest.raises(SlowAnswerError):
        list(zendesk.pages("tickets", None))
    assert zendesk.http.requests_made == 2 + 6  # 100, 50, then the least size as often as anything else


# By time


@pytest.fixture
def same_second(desk: Any) -> None:
    """Tickets 1 to 7 last changed in one and the same second."""
    with desk.sandbox.app.app_context():
        database().execute(
            "update tickets set generated_s = 1776000000, updated_at = '2026-04-12T13:20:00Z' where id <= 7"
        )
        database().conn.commit()


@pytest.mark.usefixtures("same_second")
@pytest.mark.parametrize("size", [1, 2, 6, 7, 8])
def test_a_second_that_fills_pages_comes_completely_and_once(
    mode: str, size: int, zendesk: Zendesk, rows: Any, read: Read
) -> None:
    rows(size)
    pages = read(zendesk, "tickets")
    assert sorted(ids(pages)) == [str(number) for number in range(1, 10)]
    assert json.loads(pages[-1].cursor)["mode"] == mode


def test_where_a_second_may_have_been_cut_off_the_export_ends(scripted: Any, connect: Connect, rows: Any) -> None:
    rows(2)
    row = ROW | {"generated_timestamp": 500}
    full = {"tickets": [row | {"id": 1}, row | {"id": 2}], "end_time": 500, "end_of_stream": False}
    scripted.says({}, status=403)  # by cursor
    scripted.says(full, times=2)
    scripted.says(full | {"tickets": [row | {"id": 1}]})  # one row less was asked for and came: none is added
    with pytest.raises(CursorError, match="second 500"):
        list(connect(scripted.url).pages("tickets", None))
    assert [one["per_page"] for one in queries([r.target for r in scripted.requests], "tickets.json")] == [
        "2",
        "2",
        "1",
    ]


@pytest.mark.parametrize("end_time", [400, 500, None])
def test_a_time_that_does_not_move_ends_the_export(end_time: int | None, scripted: Any, connect: Connect) -> None:
    scripted.says({}, status=404)
    answer = {"tickets": [ROW | {"id": 1, "generated_timestamp": 500}], "end_time": end_time, "end_of_stream": False}
    scripted.says(answer, times=5)
    with pytest.raises(CursorError, match="does not move on"):
        list(connect(scripted.url).pages("tickets", None, since=500))
    assert len(scripted.requests) == 2


def test_a_second_that_comes_again_is_recognised_and_a_newer_state_is_not(scripted: Any, connect: Connect) -> None:
    def page(*tickets: tuple[int, int], end_time: int, end: bool) -> dict[str, Any]:
        found = [ROW | {"id": number, "generated_timestamp": at} for number, at in tickets]
        return {"tickets": found, "end_time": end_time, "end_of_stream": end}

    scripted.says({}, status=410)
    scripted.says(page((1, 400), (2, 500), end_time=500, end=False))
    scripted.says(page((2, 500), (3, 500), (1, 600), end_time=600, end=False))
    scripted.says(page((1, 600), end_time=600, end=True))
    pages = list(connect(scripted.url).pages("tickets", None))
    assert [states([one]) for one in pages] == [[("1", 400), ("2", 500)], [("3", 500), ("1", 600)], []]
    assert json.loads(pages[-1].cursor) == {"mode": "time", "after": "600", "through": 600}


# By search


@pytest.fixture
def no_overlap(no_lag: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search starts at the very second up to which all was read."""
    monkeypatch.setattr(tickets, "OVERLAP_S", 0)
    monkeypatch.setattr(tickets, "INDEX_LAG_S", 0)


def test_a_search_reaches_back_for_what_the_index_had_not_yet(
    zendesk: Zendesk, refuse: Any, read: Read, asked: list[str]
) -> None:
    refuse(BY_CURSOR, BY_TIME)
    end = read(zendesk, "tickets")[-1].cursor
    asked.clear()
    read(zendesk, "tickets", end)
    (query,) = queries(asked, "search/export")
    newest = max(changed for _, changed in states(read(zendesk, "tickets")))
    begin = newest - exports.OVERLAP_S - tickets.INDEX_LAG_S
    assert json.loads(end) == {"mode": "search", "through": newest}
    assert query["filter[type]"] == "ticket"
    assert query["query"] == time.strftime("updated>=%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin))


def test_a_search_whose_cursor_ran_out_begins_anew(zendesk: Zendesk, desk: Any, refuse: Any, rows: Any) -> None:
    refuse(BY_CURSOR, BY_TIME)
    rows(4)
    pages = zendesk.pages("tickets", None)
    first = next(pages)
    desk.fault(r"page\[after\]", 400)
    assert set(ids([first, *pages])) == {str(number) for number in range(1, 10)}
    # In another run, an hour later.
    desk.fault(r"page\[after\]", 422)
    assert len(set(ids(zendesk.pages("tickets", first.cursor)))) == 9
    desk.fault(r"page\[after\]", 422, times=9)
    with pytest.raises(CursorError, match="refuses the cursor"):
        list(zendesk.pages("tickets", first.cursor))


@pytest.mark.usefixtures("no_overlap")
def test_the_time_of_a_search_moves_only_when_it_is_over(
    zendesk: Zendesk, desk: Any, refuse: Any, rows: Any, read: Read, tick: Any
) -> None:
    refuse(BY_CURSOR, BY_TIME)
    rows(4)
    pages = zendesk.pages("tickets", None)
    first = next(pages)
    assert "through" not in json.loads(first.cursor)
    (changed, other) = (ids([first])[0], "9")
    tick()
    desk.reply(int(changed), "And now?")  # behind the page that was read
    tick()
    desk.reply(int(other), "And now?")  # and one before, later: the newest change that the search will see
    rest = list(pages)
    assert changed not in ids(rest)
    assert changed in ids(read(zendesk, "tickets", rest[-1].cursor))


@pytest.mark.usefixtures("no_overlap")
def test_a_search_is_followed_by_what_was_deleted_since(
    zendesk: Zendesk, desk: Any, refuse: Any, rows: Any, read: Read, of: Any, asked: list[str], tick: Any
) -> None:
    refuse(BY_CURSOR, BY_TIME)
    end = read(zendesk, "tickets")[-1].cursor
    for number in (1, 2, 3):
        desk.call("DELETE", f"/api/v2/tickets/{number}")
    rows(1)
    asked.clear()
    assert {one.ticket_id for one in of(read(zendesk, "tickets", end), Deletion)} == {"1", "2", "3"}
    assert len(queries(asked, "deleted_tickets")) == 3
    tick()
    later = json.dumps({"mode": "search", "through": int(time.time())})
    asked.clear()
    assert of(read(zendesk, "tickets", later), Deletion) == []
    assert len(queries(asked, "deleted_tickets")) == 1, "what comes after the first is older still"


def test_a_list_of_deletions_in_another_order_is_read_whole(scripted: Any, connect: Connect) -> None:
    for _ in range(2):
        scripted.says({}, status=403)
    scripted.says({"results": [], "meta": {"has_more": False}})
    deleted = [{"id": 1, "deleted_at": "2026-04-01T00:00:00Z"}, {"id": 2, "deleted_at": "2026-04-20T00:00:00Z"}]
    deleted += [{"id": 3, "deleted_at": "2026-04-02T00:00:00Z"}]
    more = {"meta": {"has_more": True, "after_cursor": "c"}}
    scripted.says({"deleted_tickets": deleted} | more)
    scripted.says({"deleted_tickets": [{"id": 4, "deleted_at": "2026-04-21T00:00:00Z"}]})
    through = json.dumps({"mode": "search", "through": 1_776_600_000})  # 19 April
    (page,) = connect(scripted.url).pages("tickets", through)
    assert [one.ticket_id for one in page.records] == ["2", "4"]


def test_deletions_that_may_not_be_listed_are_warned_of(
    zendesk: Zendesk, refuse: Any, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    refuse(BY_CURSOR, BY_TIME, ("deleted_tickets", 403))
    assert len(ids(read(zendesk, "tickets"))) == 9
    assert "stays here" in caplog.text


# By the list of tickets


@pytest.mark.usefixtures("no_overlap")
def test_a_list_is_read_back_to_where_the_last_run_ended(
    zendesk: Zendesk, desk: Any, refuse: Any, rows: Any, read: Read, asked: list[str], tick: Any
) -> None:
    refuse(*MODES["listing"])
    rows(2)
    end = read(zendesk, "tickets")[-1].cursor
    tick()
    desk.reply(3, "And now?")
    asked.clear()
    assert ids(read(zendesk, "tickets", end))[0] == "3"
    assert len(queries(asked, "/api/v2/tickets.json")) <= 2, "not the whole list"


def test_a_list_in_another_order_is_read_whole(scripted: Any, connect: Connect) -> None:
    for _ in range(3):
        scripted.says({}, status=403)
    at = {1: "2026-04-01T00:00:00Z", 2: "2026-04-20T00:00:00Z", 3: "2026-04-02T00:00:00Z", 4: "2026-04-21T00:00:00Z"}
    tickets = [ROW | {"id": number, "updated_at": moment} for number, moment in at.items()]
    scripted.says({"tickets": tickets[:3], "meta": {"has_more": True, "after_cursor": "c"}})
    scripted.says({"tickets": tickets[3:]})
    scripted.says({"deleted_tickets": []})
    through = json.dumps({"mode": "listing", "through": 1_776_600_000})  # 19 April
    assert ids(connect(scripted.url).pages("tickets", through)) == ["2", "4"]


# Users and organizations


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("refused", [(), ("users/cursor",), ("incremental",)])
def test_users_come_in_three_ways_too(
    refused: tuple[str, ...], size: int, zendesk: Zendesk, refuse: Any, rows: Any, read: Read, of: Any
) -> None:
    refuse(*((pattern, 403) for pattern in refused))
    rows(size)
    pages = read(zendesk, "users")
    assert len({one.id for one in of(pages, User)}) == len(of(pages, User)) == 11
    assert not any(page.listed for page in pages), "who left is still named by old tickets"
    for number, page in enumerate(pages[:-1], start=1):
        rest = read(zendesk, "users", page.cursor)
        assert {one.id for one in of(rest, User)} >= {one.id for one in of(pages[number:], User)}


def test_users_are_exported_by_time_where_there_is_no_cursor(scripted: Any, connect: Connect) -> None:
    scripted.says({}, status=404)
    user = {"id": 1, "name": "Deniz", "updated_at": "2026-04-01T00:00:00Z"}
    scripted.says({"users": [user], "end_time": 1_775_001_600, "end_of_stream": True})
    (page,) = connect(scripted.url).pages("users", None)
    assert [one.id for one in page.records if isinstance(one, User)] == ["1"]
    assert scripted.requests[1].target.startswith("/api/v2/incremental/users.json?start_time=0")
    assert json.loads(page.cursor) == {"mode": "time", "after": "1775001600", "through": 1_775_001_600}


@pytest.mark.parametrize("refused", [(), ("incremental",)])
def test_organizations_come_by_time_or_as_a_list(
    refused: tuple[str, ...], zendesk: Zendesk, desk: Any, refuse: Any, rows: Any, read: Read
) -> None:
    with desk.sandbox.app.app_context():
        for number in range(1, 6):
            row = {"id": number, "name": f"Shop {number}", "domain_names": "[]", "created_at": "2026-01-01T00:00:00Z"}
            database().table("organizations").insert(row | {"updated_s": 1_767_225_600})
        database().conn.commit()
    refuse(*((pattern, 404) for pattern in refused))
    rows(2)
    pages = read(zendesk, "organizations")
    assert [record.name for page in pages for record in page.records] == [f"Shop {number}" for number in range(1, 6)]
