"""What monitors watch, and the counters beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.store.database import Store
from connectors.store.suggestions import SHOWN, SILENT, WITHHELD, Suggestion

DESK = "zendesk"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "deskhand.db") as store:
        yield store


def suggest(store: Store, number: int, state: str = SHOWN, **changes: Any) -> None:
    values = {"helpdesk": DESK, "ticket_id": str(number), "turn_id": f"t{number}", "model_version": "v1"}
    store.suggestions.save(Suggestion(f"s{number}", **(values | {"state": state} | changes)))


def test_the_queue_has_its_oldest_open_row(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.figures.queue(DESK).oldest_at is None
    for number, at in enumerate(("2026-11-24T08:00:00Z", "2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z")):
        monkeypatch.setattr("connectors.store.inbox.clock.now", lambda at=at: at)
        store.inbox.put(DESK, f"d{number}", str(number))
    store.inbox.put("another", "d9", "9")
    store.execute("update inbox set status = 'dead' where delivery_id = 'd0'")
    store.execute("update inbox set status = 'leased' where delivery_id = 'd1'")
    queue = store.figures.queue(DESK)
    assert (queue.states, queue.oldest_at) == ({"waiting": 1, "leased": 1, "dead": 1}, "2026-11-24T09:00:00Z")


def test_suggestions_by_state_and_silence(store: Store) -> None:
    suggest(store, 1)
    suggest(store, 2, SILENT, silence="unsure")
    suggest(store, 3, SILENT, silence="unsure")
    suggest(store, 4, SILENT, silence="leak")
    suggest(store, 5, helpdesk="another")
    counted = {(SHOWN, ""): 1, (SILENT, "unsure"): 2, (SILENT, "leak"): 1}
    assert store.figures.suggestions(DESK) == counted


def test_latency_is_cumulative(store: Store) -> None:
    assert store.figures.latency(DESK, (1.0, 5.0)).counts == (0, 0, 0)
    for number, seconds in enumerate((0.0, 0.5, 1.0, 1.5, 9.0)):
        suggest(store, number, latency_s=seconds)
    latency = store.figures.latency(DESK, (1.0, 5.0))
    assert (latency.counts, latency.total_s) == ((2, 3, 4), 12.0)


def test_coverage_counts_silence_and_leaves_out_what_is_switched_off(store: Store) -> None:
    assert store.figures.coverage(DESK, "2026") is None
    suggest(store, 1, created_at="2026-11-24T08:00:00Z")
    suggest(store, 2, WITHHELD, created_at="2026-11-24T08:00:00Z")
    suggest(store, 3, SILENT, silence="unsure", created_at="2026-11-24T08:00:00Z")
    suggest(store, 4, SILENT, silence="switched_off", created_at="2026-11-24T08:00:00Z")
    suggest(store, 5, SILENT, silence="unsure", created_at="2026-10-01T08:00:00Z")
    assert store.figures.coverage(DESK, "2026-11-01T00:00:00Z") == pytest.approx(2 / 3)


def test_feedback_by_action(store: Store) -> None:
    suggest(store, 1)
    suggest(store, 2, helpdesk="another")
    for suggestion_id, action in (("s1", "inserted"), ("s1", "inserted"), ("s1", "thumb_up"), ("s2", "copied")):
        store.suggestions.add_feedback(suggestion_id, action)
    assert store.figures.feedback(DESK) == {"inserted": 2, "thumb_up": 1}


def test_counters_add_up_over_connections(store: Store) -> None:
    store.counters.add({("webhooks", "stored"): 2, ("webhooks", "refused"): 1})
    with Store(store.path) as other:
        other.counters.add({("webhooks", "stored"): 3})
    assert store.counters.all() == {("webhooks", "stored"): 5, ("webhooks", "refused"): 1}
