"""When reading many tickets' comments at once is worth it."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from connectors.sync.bulk import EVENTS_PER_PAGE, EVENTS_PER_TICKET, OVERLAP_S, bulk_since

DAY = 86_400
YEARS_AGO, TODAY = 1_600_000_000, 1_780_000_000


def test_nothing_due_is_nothing_to_read() -> None:
    assert bulk_since(array("q"), lambda _: 0, 40) is None


def test_a_backfill_is_read_in_bulk_from_its_oldest_ticket() -> None:
    starts = array("q", range(YEARS_AGO, YEARS_AGO + 20_000 * 60, 60))
    assert bulk_since(starts, lambda _: 20_000, 40) == YEARS_AGO - OVERLAP_S


def test_ten_changed_tickets_are_read_alone() -> None:
    assert bulk_since(array("q", [TODAY] * 10), lambda _: 10, 40) is None


def test_a_few_very_old_tickets_do_not_drag_the_start_back() -> None:
    starts = array("q", [YEARS_AGO] * 3 + [TODAY] * 500)
    changed = lambda moment: 500_000 if moment < TODAY - DAY else 600  # noqa: E731
    assert bulk_since(starts, changed, 40) == TODAY - OVERLAP_S


@given(st.lists(st.integers(0, TODAY), max_size=400), st.integers(0, 10**6), st.floats(0.5, 100))
def test_the_way_chosen_is_never_dearer_than_one_by_one(times: list[int], changed: int, price: float) -> None:
    starts = array("q", sorted(times))
    since = bulk_since(starts, lambda _: changed, price)
    if since is None:
        return
    alone = sum(start - OVERLAP_S < since and start < since for start in starts)
    pages = 1 + EVENTS_PER_TICKET * changed // EVENTS_PER_PAGE
    assert alone + pages * price < len(starts)
