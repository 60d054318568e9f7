"""A draft on its way: readable a few times a second, gone in the end, and given up when something newer waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.store.database import Store
from plugin.partials import Overtaken, Partials

DESK = "zendesk"


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "deskhand.db") as store:
        yield store


def test_what_is_written_so_far_is_kept_four_times_a_second_at_most(store: Store) -> None:
    clock = Clock()
    seen = []
    with Partials(store, DESK, "7", "70", monotonic=clock) as partials:
        for number in range(20):
            partials.show(f"text {number}")
            seen.append(store.drafting.text(DESK, "7"))
            clock.now_s += 0.1
    assert seen[:4] == ["text 0"] * 3 + ["text 3"]
    assert len(set(seen)) <= 8
    assert store.drafting.text(DESK, "7") == ""


def test_it_is_gone_after_a_failure_and_what_a_dead_worker_left_goes_first(store: Store) -> None:
    store.drafting.write(DESK, "7", "69", "left by a worker that was killed")

    def fail() -> None:
        with Partials(store, DESK, "7", "70") as partials:
            assert store.drafting.text(DESK, "7") == ""
            partials.show("Hi Deniz,")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert store.drafting.text(DESK, "7") == ""


def test_something_newer_is_noticed_within_half_a_second_and_for_good(store: Store) -> None:
    clock = Clock()
    store.inbox.put(DESK, "d1", "7")
    job = store.inbox.claim("w1", lease_s=60)
    assert job is not None
    overtaken = Overtaken(store, job, monotonic=clock)
    assert not overtaken()
    store.inbox.put(DESK, "d2", "7")
    assert not overtaken(), "it has looked just now"
    clock.now_s += 0.5
    assert overtaken()
    store.execute("delete from inbox where delivery_id = 'd2'")
    clock.now_s += 0.5
    assert overtaken()
