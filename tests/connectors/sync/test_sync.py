"""Sync: page and cursor together, cut off anywhere and taken up again, and one bad stream never stops the others."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import CredentialError, CursorError, RetriableError
from connectors.records import Thread
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.zendesk import paging
from connectors.zendesk.client import Zendesk

DESK = "zendesk"
STREAMS = Zendesk.streams
COUNTS = {
    "groups": 2,
    "brands": 1,
    "ticket_fields": 0,
    "organizations": 0,
    "users": 11,
    "macros": 3,
    "articles": 2,
    "tickets": 9,
    "comments": 149,
    "attachments": 0,
    "ticket_metrics": 9,
    "satisfaction_ratings": 1,
}
COMES = {name: count for name, count in COUNTS.items() if count}


@pytest.fixture
def singly(zendesk: Zendesk) -> Zendesk:
    """The connector, with comments ticket by ticket."""
    zendesk.bulk_comments = False
    return zendesk


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "EXPORT_ROWS", 4)
    monkeypatch.setattr(paging, "LIST_ROWS", 50)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens one empty store after another."""
    opened: list[Store] = []

    def fresh() -> Store:
        opened.append(Store(tmp_path / f"store{len(opened)}.db"))
        return opened[-1]

    yield fresh
    for store in opened:
        store.close()


def content(store: Store) -> dict[str, list[dict[str, Any]]]:
    """All that a sync brings, without the times at which it did."""
    tables = {name: list(store.rows(f"select * from {name} order by 1, 2")) for name in COUNTS}
    # Articles and ratings are good until the moment at which their listing began.
    sql = "select stream, cursor from cursors where stream not in ('articles', 'satisfaction_ratings') order by 1"
    return tables | {"cursors": list(store.rows(sql))}


class KilledError(BaseException):
    """Stands for the end of the process: nothing of ours may catch it."""


def kill_at(part: Any, method: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends at the n-th call of a method, in the middle of the transaction."""
    calls = iter(range(number))
    original = getattr(part, method)

    def dying(*arguments: Any) -> Any:
        if next(calls, None) is None:
            raise KilledError
        return original(*arguments)

    monkeypatch.setattr(part, method, dying)


def test_a_sync_brings_everything_and_the_next_one_nothing(zendesk: Zendesk, store: Store) -> None:
    first = sync(zendesk, store)
    assert store.history.counts(DESK) == COUNTS
    assert first.changed == COMES
    assert (first.skipped, first.failed, first.comments_fetched, first.comments_settled) == ({}, {}, 0, 9)
    before = content(store)
    second = sync(zendesk, store)
    assert second.changed == {}
    assert second.comments_fetched == second.comments_settled == 0
    assert content(store) == before


def test_the_next_sync_brings_what_changed(zendesk: Zendesk, store: Store, desk: Any) -> None:
    sync(zendesk, store)
    new = desk.open_ticket("Where is my parcel?")
    desk.reply(1, "And now?")
    summary = sync(zendesk, store)
    assert summary.changed["tickets"] == summary.comments_fetched + summary.comments_settled == 2
    assert [turn.comment.text for turn in store.history.turns(DESK, new)] == ["Where is my parcel?"]
    assert store.history.turns(DESK, "1")[-1].comment.text == "And now?"


def test_a_full_sync_reads_everything_again_and_loses_nothing(zendesk: Zendesk, store: Store) -> None:
    sync(zendesk, store)
    before = content(store)
    summary = sync(zendesk, store, full=True)
    assert summary.changed == {}
    assert content(store) == before


def test_both_ways_to_the_comments_give_the_same(
    zendesk: Zendesk, fresh: Callable[[], Store], desk: Any, connect: Callable[..., Zendesk]
) -> None:
    one, other = fresh(), fresh()
    assert sync(zendesk, one).comments_settled == 9
    singly = connect(desk.url, token=desk.token)
    singly.bulk_comments = False
    assert sync(singly, other).comments_fetched == 9
    without_raw = [
        [row | {"raw": ""} for row in store.rows("select * from comments order by id")] for store in (one, other)
    ]
    assert without_raw[0] == without_raw[1]


@pytest.mark.usefixtures("small_pages")
def test_a_sync_killed_at_any_page_goes_on_there_and_brings_every_ticket_once(
    singly: Zendesk, fresh: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fresh()
    sync(singly, whole)
    pages = {stream: len(list(singly.pages(stream, None))) for stream in STREAMS}
    assert pages["tickets"] == pages["users"] == 3
    for number in range(sum(pages.values())):
        store = fresh()
        with monkeypatch.context() as patch:
            kill_at(store.cursors, "save", number, patch)
            with pytest.raises(KilledError):
                sync(singly, store)
        stored = store.history.counts(DESK)["tickets"]
        before_tickets = sum(pages[stream] for stream in STREAMS[: STREAMS.index("tickets")])
        assert stored == min(9, max(0, number - before_tickets) * 4), "whole pages only, and no cursor without its page"
        summary = sync(singly, store)
        assert summary.changed["tickets"] == 9 - stored, "what was stored does not come again"
        assert content(store) == content(whole)


def test_a_sync_killed_at_any_ticket_goes_on_with_the_comments(
    singly: Zendesk, fresh: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fresh()
    sync(singly, whole)
    store = fresh()
    for left in range(9, 1, -1):  # each run gets one ticket further
        with monkeypatch.context() as patch:
            kill_at(store.mirror, "save_thread", 1, patch)
            with pytest.raises(KilledError):
                sync(singly, store)
        assert len(list(store.due.ids(DESK))) == left - 1
    assert sync(singly, store).comments_fetched == 1
    assert content(store) == content(whole)


def test_a_process_that_dies_in_a_transaction_leaves_whole_pages(desk: Any, tmp_path: Path) -> None:
    script = f"""
import os
from pathlib import Path
from connectors.settings import HelpdeskSettings
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.zendesk import paging
from connectors.zendesk.client import Zendesk
paging.EXPORT_ROWS = 4
store = Store(Path({str(tmp_path / "killed.db")!r}))
save_cursor = store.cursors.save
def dying(helpdesk, stream, cursor):
    if stream == "tickets" and store.history.counts(helpdesk)["tickets"] == 8:
        os._exit(9)
    save_cursor(helpdesk, stream, cursor)
store.cursors.save = dying
sync(Zendesk(HelpdeskSettings(url={desk.url!r}, token={desk.token!r})), store)
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=30, check=False, env=os.environ)
    assert done.returncode == 9
    with Store(tmp_path / "killed.db") as store:
        assert store.history.counts(DESK)["tickets"] == 4


@pytest.mark.parametrize(
    ("stream", "status"), [*((stream, 403) for stream in STREAMS), ("articles", 404), ("brands", 410)]
)
def test_a_stream_that_cannot_be_had_is_skipped_with_its_reason(
    stream: str, status: int, zendesk: Zendesk, store: Store, desk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    desk.fault(rf"/{stream}\b|search", status, times=9)
    summary = sync(zendesk, store)
    assert set(summary.skipped) == {stream}
    assert str(status) in summary.skipped[stream]
    # Where there are no tickets, there is nothing that belongs to one.
    children = {"tickets", "ticket_metrics", "comments"} if stream == "tickets" else {stream}
    assert set(summary.changed) == set(COMES) - children
    assert [record.levelname for record in caplog.records if f"skipped {stream}" in record.getMessage()] == ["WARNING"]
    desk.call("DELETE", "/sandbox/faults")
    assert sync(zendesk, store).skipped == {}
    assert store.history.counts(DESK) == COUNTS, "as soon as it can be had, it comes from its beginning"


def test_a_credential_that_is_refused_ends_the_run(zendesk: Zendesk, store: Store, desk: Any) -> None:
    desk.fault("/macros", 401, times=2)
    with pytest.raises(CredentialError, match="not accepted"):
        sync(zendesk, store)
    assert store.history.counts(DESK)["users"] == 11, "what was stored stays"
    assert store.history.counts(DESK)["tickets"] == 0


def test_a_fault_that_lasts_ends_the_run_and_the_next_one_goes_on(zendesk: Zendesk, store: Store, desk: Any) -> None:
    desk.fault("tickets", 503, times=12)  # how many there are is asked for first
    desk.fault("ratings", 503, times=6)
    with pytest.raises(RetriableError):
        sync(zendesk, store)
    assert sync(zendesk, store).changed["tickets"] == 9
    assert store.history.counts(DESK) == COUNTS


def test_a_cursor_that_does_not_move_ends_the_run(scripted: Any, connect: Callable[..., Zendesk], store: Store) -> None:
    scripted.says({}, times=20)  # exports with neither an end nor a cursor
    with pytest.raises(CursorError):
        sync(connect(scripted.url), store)


def test_a_ticket_deleted_since_the_export_is_not_asked_for_again(singly: Zendesk, store: Store, desk: Any) -> None:
    desk.fault("/tickets/2/comments", 404)
    summary = sync(singly, store)
    assert summary.comments_fetched == 8
    assert list(store.due.ids(DESK)) == []


def test_comments_that_the_worker_has_read_since_are_not_overwritten(
    singly: Zendesk, store: Store, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_slowly(ticket_id: str) -> Any:
        answer = comments(ticket_id)
        if ticket_id == "2":
            desk.reply(2, "And now?")
            with Store(store.path) as worker:
                worker.mirror.save_conversation(DESK, singly.ticket("2"), Thread("2", *comments("2")))
        return answer

    comments = singly.comments
    monkeypatch.setattr(singly, "comments", read_slowly)
    sync(singly, store)
    assert store.history.turns(DESK, "2")[-1].comment.text == "And now?"


def test_comments_that_may_not_be_read_do_not_keep_the_others_away(singly: Zendesk, store: Store, desk: Any) -> None:
    desk.fault("/tickets/2/comments", 403)
    summary = sync(singly, store)
    assert summary.comments_fetched == 8
    assert "tickets/2/comments" in summary.skipped["comments"]
    assert list(store.due.ids(DESK)) == ["2"]
    assert sync(singly, store).comments_fetched == 1


def test_deleted_and_scrubbed_tickets_lose_their_words_at_the_next_sync(
    zendesk: Zendesk, store: Store, desk: Any
) -> None:
    sync(zendesk, store)
    desk.call("DELETE", f"/api/v2/tickets/{desk.rated_ticket}")
    desk.call("DELETE", "/api/v2/tickets/7")
    desk.call("DELETE", "/api/v2/deleted_tickets/7")
    for _ in range(2):  # ratings are listed every time, those of deleted tickets too
        sync(zendesk, store)
        kept = repr([content(store)[name] for name in ("tickets", "comments", "satisfaction_ratings")])
        for word in ("so quick", "parcel 5", "Parcel 5", "Question 5", "parcel 7", "Question 7", "SCRUBBED"):
            assert word not in kept
        assert "parcel 8" in kept
    assert len(list(store.history.solved_tickets(DESK))) == 7


def test_private_comments_arrive_as_private(zendesk: Zendesk, store: Store, desk: Any) -> None:
    sync(zendesk, store)
    turns = store.history.turns(DESK, str(desk.noted_ticket))
    assert [(turn.comment.public, turn.author.role) for turn in turns] == [
        (True, "requester"),
        (False, "agent"),
        (True, "agent"),
    ]
    assert turns[1].comment.text == desk.note


@pytest.mark.usefixtures("small_pages")
def test_progress_is_told_page_by_page(zendesk: Zendesk, store: Store) -> None:
    told: list[tuple[str, int, int | None]] = []
    sync(zendesk, store, progress=lambda *what: told.append(what))
    assert [one for one in told if one[0] == "tickets"] == [
        ("tickets", 4, 9),
        ("tickets", 8, 9),
        ("tickets", 9, 9),
    ]
    assert told[-1] == ("comments", 9, 9)


def test_no_words_addresses_or_tokens_get_into_the_logs(
    zendesk: Zendesk, store: Store, desk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.fault("/users/cursor", 503, body="customer1@mail.example")
    desk.fault("/macros", 403, body="customer2@mail.example")
    sync(zendesk, store)
    assert "waiting" in caplog.text
    for hidden in ("@", "Customer", "parcel", desk.note, desk.token):
        assert hidden not in caplog.text
