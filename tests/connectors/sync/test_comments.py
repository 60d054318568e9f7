"""Which comments are read in bulk and which one by one, and that none is ever missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.errors import ForbiddenError, RetriableError, SkippableError
from connectors.records import Recheck
from connectors.store.database import Store
from connectors.sync.engine import sync

from ..memory_desk import MemoryDesk, account, comment, ticket

DESK = "zendesk"


def texts(store: Store, number: int) -> list[str]:
    return [turn.comment.text for turn in store.history.turns(DESK, str(number))]


def test_a_backfill_reads_in_bulk_and_asks_for_no_single_ticket(store: Store) -> None:
    desk = account(30)
    summary = sync(desk, store)
    assert (summary.comments_settled, summary.comments_fetched, desk.singles) == (30, 0, [])
    assert texts(store, 7) == ["answer 0 to 7", "answer 1 to 7"]
    assert store.due.count(DESK) == 0
    assert store.cursors.get(DESK, "comments") is None, "the pass is over"


def test_few_tickets_are_read_one_by_one(store: Store) -> None:
    desk = account(2)
    assert sync(desk, store).comments_fetched == 2
    assert sorted(desk.singles) == ["1", "2"]


def test_a_second_run_with_nothing_new_asks_for_no_comments(store: Store) -> None:
    desk = account(30)
    sync(desk, store)
    desk.asked.clear()
    sync(desk, store)
    assert desk.asked == ["tickets 0 since 0"]


def test_a_ticket_whose_number_of_comments_differs_is_read_alone(store: Store) -> None:
    desk = account(30)
    desk.content["tickets"][0][6] = ticket(7, comment_count=3)
    desk.threads["7"].append(comment(7, 2))
    summary = sync(desk, store)
    assert desk.singles == ["7"]
    assert (summary.comments_settled, summary.comments_fetched) == (29, 1)
    assert len(texts(store, 7)) == 3


def test_a_ticket_without_any_comment_in_bulk_is_read_alone(store: Store) -> None:
    desk = account(30)
    desk.content["comments"][0] = [one for one in desk.content["comments"][0] if one.ticket_id != "7"]  # type: ignore[union-attr]
    sync(desk, store)
    assert desk.singles == ["7"]
    assert len(texts(store, 7)) == 2


def test_a_redaction_shows_by_reading_the_ticket_alone(store: Store) -> None:
    desk = account(30)
    desk.content["comments"][0].append(Recheck("7"))
    desk.threads["7"][1] = comment(7, 1, text="▇▇▇▇")
    sync(desk, store)
    assert desk.singles == ["7"]
    assert texts(store, 7)[1] == "▇▇▇▇"


def test_a_count_that_is_never_right_is_no_longer_compared(store: Store) -> None:
    """Such as one that leaves private notes out: reading every ticket alone would take days."""
    desk = account(60)
    desk.content["tickets"] = [[replace(one, comment_count=1) for one in desk.content["tickets"][0]]]  # type: ignore[type-var]
    summary = sync(desk, store)
    assert (summary.comments_fetched, summary.comments_settled) == (20, 40)
    assert store.due.count(DESK) == 0


def test_a_count_that_is_right_now_and_then_stays_compared(store: Store) -> None:
    desk = account(60)
    desk.content["tickets"] = [[replace(one, comment_count=3) for one in desk.content["tickets"][0]]]  # type: ignore[type-var]
    desk.threads["55"].append(comment(55, 2))
    assert sync(desk, store).comments_fetched == 60


def test_comments_of_tickets_that_are_not_here_are_left_out(store: Store) -> None:
    desk = account(30)
    desk.content["tickets"][0][6] = ticket(7, deleted=True, status="deleted")
    del desk.content["tickets"][0][9]
    sync(desk, store)
    assert texts(store, 7) == texts(store, 10) == []
    assert desk.singles == []


def test_only_what_changed_is_read_in_an_incremental_run(store: Store) -> None:
    desk = account(30)
    sync(desk, store)
    desk.content["tickets"] = [[ticket(7, generated_at=ticket(40).generated_at)]]
    desk.threads["7"].append(comment(7, 2))
    sync(desk, store)
    assert desk.singles == ["7"]
    assert len(texts(store, 7)) == 3


def test_a_run_killed_in_the_bulk_pass_goes_on_at_its_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = account(30)
    every = desk.content["comments"][0]
    desk.content["comments"] = [every[:20], every[20:40], every[40:]]
    with monkeypatch.context() as patch:
        save, calls = store.mirror.save, iter(range(3))

        def dying(helpdesk: str, records: object) -> object:
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return save(helpdesk, records)  # type: ignore[arg-type]

        patch.setattr(store.mirror, "save", dying)
        with pytest.raises(KeyboardInterrupt):
            sync(desk, store)
    desk.asked.clear()
    # A ticket that changed meanwhile, older than the pass's start, is not taken for complete.
    late = ticket(1, id="31", created_at="2020-01-01T00:00:00Z")
    desk.content["tickets"].append([late])
    desk.threads["31"] = [comment(31, 0)]
    sync(desk, store)
    assert [one for one in desk.asked if one.startswith("comments")] == [
        one for one in desk.asked if one.startswith(("comments 2", "comments 3"))
    ], "from the page under way on"
    assert desk.singles == ["31"]
    assert len(texts(store, 30)) == 2
    assert store.due.count(DESK) == 0


@pytest.mark.parametrize("error", [ForbiddenError("not an admin"), SkippableError("not on this plan")])
def test_where_bulk_is_refused_all_come_one_by_one(store: Store, error: Exception) -> None:
    desk = account(12)
    desk.failures["comments"] = [error] * 9
    summary = sync(desk, store)
    assert (summary.comments_fetched, summary.skipped) == (12, {})
    assert len(texts(store, 12)) == 2
    assert store.cursors.get(DESK, "comments") is None


def test_one_ticket_that_never_answers_keeps_no_other_away(store: Store) -> None:
    desk = account(12)
    desk.bulk_comments = False
    desk.failures["7"] = [RetriableError("500")] * 9
    summary = sync(desk, store)
    assert summary.comments_fetched == 11
    assert "comments" in summary.failed
    assert list(store.due.ids(DESK)) == ["7"]
    desk.failures.clear()
    assert sync(desk, store).comments_fetched == 1


def test_three_tickets_in_a_row_that_do_not_answer_end_the_run(store: Store) -> None:
    desk = account(12)
    desk.bulk_comments = False
    desk.failures |= {str(n): [RetriableError("no network")] for n in (5, 6, 7)}
    assert "comments" in sync(desk, store).failed
    assert len(desk.singles) == 8, "the older ones were not asked for"
    assert store.due.count(DESK) == 7, "the newer five are here"
    assert sync(desk, store).comments_fetched == 7


def test_a_ticket_read_by_the_worker_meanwhile_is_not_asked_for(store: Store) -> None:
    desk = account(3)
    desk.bulk_comments = False
    with Store(store.path) as worker:
        original = desk.comments

        def comments(ticket_id: str) -> object:
            if ticket_id == "3":
                worker.due.drop(DESK, "2")
            return original(ticket_id)

        desk.comments = comments  # type: ignore[method-assign, assignment]
        sync(desk, store)
    assert desk.singles == ["3", "1"]


def test_a_helpdesk_without_a_bulk_way_is_never_asked_for_it(store: Store) -> None:
    desk = account(30)
    desk.bulk_comments = False
    assert isinstance(desk, MemoryDesk)
    sync(desk, store)
    assert len(desk.singles) == 30
    assert not any(one.startswith("comments") for one in desk.asked)


@pytest.mark.parametrize("tickets", [1, 2, 9])
def test_where_no_single_ticket_can_be_read_the_bulk_way_is_tried(store: Store, tickets: int) -> None:
    desk = account(tickets)
    desk.bulk_page_price = 1000
    desk.threads.clear()
    summary = sync(desk, store)
    assert (summary.comments_settled, store.due.count(DESK)) == (tickets, 0)
    assert len(desk.singles) == min(3, tickets)
    assert len(texts(store, 1)) == 2


def test_a_deleted_ticket_among_others_is_dropped(store: Store) -> None:
    desk = account(5)
    desk.bulk_page_price = 1000
    del desk.threads["3"]
    assert sync(desk, store).comments_fetched == 4
    assert store.due.count(DESK) == 0
    assert texts(store, 3) == []


def test_a_lone_deleted_ticket_of_long_ago_starts_no_long_pass(store: Store) -> None:
    desk = account(1500)
    sync(desk, store)
    desk.asked.clear()
    desk.bulk_page_price = 1000
    del desk.threads["1"]
    desk.content["tickets"] = [[ticket(1, generated_at=ticket(1501).generated_at)]]
    store.execute("update tickets set comments_through = null where id = '1'")
    sync(desk, store)
    assert desk.asked == ["tickets 1 since 0", "ticket 1"] or desk.asked == ["tickets 0 since 0", "ticket 1"]
    assert store.due.count(DESK) == 0
