"""How the engine treats streams: order, choice, failures, listings, and what a dry run says."""

from __future__ import annotations

import pytest

from connectors import clock
from connectors.errors import ConfigError, CredentialError, ForbiddenError, RetriableError, SkippableError
from connectors.records import Group, Macro, Record
from connectors.store.database import Store
from connectors.sync.engine import sync
from connectors.sync.preview import preview

from ..memory_desk import START, MemoryDesk, account, ticket

DESK = "zendesk"
GROUPS: list[list[Record]] = [[Group("1", "TRK"), Group("2", "FIN")], [Group("3", "VIP")]]


def desk_with(*streams: str) -> MemoryDesk:
    desk = account(4)
    desk.bulk_page_price = 40
    contents: dict[str, list[list[Record]]] = {"groups": GROUPS, "macros": [[Macro("1", "M", "Hi")]]}
    desk.content = {stream: contents.get(stream, desk.content.get(stream, [])) for stream in streams} | {
        "comments": desk.content["comments"]
    }
    return desk


@pytest.mark.parametrize("error", [ForbiddenError("not an admin"), SkippableError("not on this plan")])
def test_a_stream_that_is_refused_leaves_the_others_alone(store: Store, error: Exception) -> None:
    desk = desk_with("groups", "macros", "tickets")
    desk.failures["groups"] = [error]
    summary = sync(desk, store)
    assert summary.skipped == {"groups": str(error)}
    assert (summary.changed["macros"], summary.changed["tickets"], summary.changed["comments"]) == (1, 4, 8)


def test_a_stream_that_fails_for_now_leaves_the_others_alone(store: Store) -> None:
    desk = desk_with("groups", "macros", "tickets")
    desk.failures["macros"] = [RetriableError("500")]
    summary = sync(desk, store)
    assert (summary.failed, summary.skipped) == ({"macros": "500"}, {})
    assert summary.changed["tickets"] == 4


def test_two_streams_in_a_row_that_do_not_answer_end_the_run(store: Store) -> None:
    desk = desk_with("groups", "macros", "tickets")
    desk.failures |= {"groups": [RetriableError("no network")], "macros": [RetriableError("no network")]}
    with pytest.raises(RetriableError):
        sync(desk, store)
    assert desk.asked[-1].startswith("macros")


def test_a_credential_that_is_not_accepted_ends_the_run(store: Store) -> None:
    desk = desk_with("groups", "tickets")
    desk.failures["groups"] = [CredentialError("401")]
    with pytest.raises(CredentialError):
        sync(desk, store)


def test_only_the_streams_that_are_asked_for(store: Store) -> None:
    desk = desk_with("groups", "macros", "tickets")
    assert sync(desk, store, only=["macros"]).changed == {"macros": 1}
    assert sync(desk, store, only=["tickets"]).changed == {"tickets": 4}
    assert desk.singles == []
    assert sync(desk, store, only=["comments"]).changed == {"comments": 8}


def test_a_stream_that_does_not_exist_is_named_with_those_that_do(store: Store) -> None:
    with pytest.raises(ConfigError, match="articels") as caught:
        sync(desk_with("groups", "tickets"), store, only=["tickets", "articels"])
    assert caught.value.hint == "there are: groups, tickets, comments"


def test_since_counts_for_streams_without_a_cursor(store: Store) -> None:
    desk = desk_with("groups", "tickets")
    sync(desk, store, since=START, only=["tickets"])
    assert desk.asked == [f"tickets 0 since {START}"]


def test_a_full_run_starts_again_and_reads_every_comment_again(store: Store) -> None:
    desk = desk_with("tickets")
    sync(desk, store)
    desk.asked.clear()
    summary = sync(desk, store, full=True)
    assert len(desk.singles) == 4
    assert summary.changed == {}


def test_what_a_listing_no_longer_has_goes_out_of_use(store: Store) -> None:
    desk = desk_with("groups", "tickets")
    desk.listed = frozenset({"groups"})
    sync(desk, store)
    assert len(store.history.groups(DESK)) == 3
    desk.content["groups"] = [GROUPS[0][:1], GROUPS[1]]
    assert sync(desk, store).changed["groups"] == 1
    assert [group.name for group in store.history.groups(DESK)] == ["TRK", "VIP"]


def test_a_listing_that_breaks_off_prunes_nothing(store: Store) -> None:
    desk = desk_with("groups", "tickets")
    desk.listed = frozenset({"groups"})
    sync(desk, store)
    desk.failures["groups"] = [None, RetriableError("500")]
    sync(desk, store)
    assert len(store.history.groups(DESK)) == 3


def test_progress_knows_how_many_there_are_the_first_time(store: Store) -> None:
    desk = desk_with("tickets")
    desk.content["tickets"] = [[ticket(1)], [ticket(2), ticket(3)]]
    seen: list[tuple[str, int, int | None]] = []
    sync(desk, store, progress=lambda *what: seen.append(what))
    assert seen[:2] == [("tickets", 1, 3), ("tickets", 3, 3)]


def test_a_preview_writes_nothing_and_says_what_would_come(store: Store) -> None:
    desk = desk_with("groups", "macros", "tickets")
    desk.failures["macros"] = [ForbiddenError("not an admin")]
    plans = {plan.stream: plan for plan in preview(desk, store)}
    assert (plans["groups"].records, plans["groups"].requests, plans["groups"].starts) == (3, 1, "beginning")
    assert plans["macros"].problem == "not an admin"
    assert plans["comments"].records == 0
    assert store.history.counts(DESK)["groups"] == 0
    assert store.cursors.synced_at(DESK) == {}


def test_a_preview_after_a_sync_starts_where_that_ended(store: Store) -> None:
    desk = desk_with("groups", "tickets")
    sync(desk, store, only=["groups", "tickets"])
    plans = {plan.stream: plan for plan in preview(desk, store, since=START)}
    assert plans["tickets"].starts == "where the last sync ended"
    assert (plans["comments"].records, plans["comments"].requests) == (4, 4)
    full = {plan.stream: plan for plan in preview(desk, store, full=True, since=START)}
    assert full["tickets"].starts == clock.from_epoch(START)
