"""The curated data set: swapped whole, and every verdict can be looked up."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from connectors.store.database import Store
from connectors.store.examples import Example

DESK = "zendesk"
Make = Callable[..., Example]


@pytest.fixture
def example() -> Make:
    """Makes a kept example; anything can be given."""

    def example(comment_id: str, **changes: Any) -> Example:
        values: dict[str, Any] = {
            "helpdesk": DESK,
            "ticket_id": "7",
            "comment_id": comment_id,
            "turn": 0,
            "kept": True,
            "reason": "",
            "weight": 1.5,
            "question": "Where is {{tracking_number}}?",
            "reply": "Hi {{requester.first_name}},",
            "language": "en",
            "group_id": "2101",
            "requester_id": "90",
            "agent_id": "5001",
            "created_at": "2026-04-01T09:00:00Z",
        }
        return Example(**(values | changes))

    return example


def test_kept_examples_are_read_back_oldest_first(store: Store, example: Make) -> None:
    late = example("1", created_at="2026-05-01T00:00:00Z")
    early, dropped = example("2"), example("3", kept=False, reason="too short")
    store.examples.replace(DESK, [late, early, dropped])
    assert store.examples.kept(DESK) == [early, late]


def test_a_new_data_set_replaces_the_old_one_of_its_helpdesk(store: Store, example: Make) -> None:
    store.examples.replace(DESK, [example("1"), example("2")])
    store.examples.replace("other", [example("1", helpdesk="other")])
    store.examples.replace(DESK, [example("3")])
    assert [one.comment_id for one in store.examples.kept(DESK)] == ["3"]
    assert len(store.examples.kept("other")) == 1
    store.examples.replace(DESK, [])
    assert store.examples.kept(DESK) == []


def test_a_data_set_that_cannot_be_written_leaves_the_old_one(store: Store, example: Make) -> None:
    store.examples.replace(DESK, [example("1")])
    with pytest.raises(sqlite3.IntegrityError):
        store.examples.replace(DESK, [example("2"), example("2")])
    assert [one.comment_id for one in store.examples.kept(DESK)] == ["1"]


def test_reasons_are_counted_most_first(store: Store, example: Make) -> None:
    dropped = {"4": "too short", "1": "spam", "2": "too short", "3": "bounce"}
    store.examples.replace(DESK, [example("9"), *(example(k, kept=False, reason=v) for k, v in dropped.items())])
    assert list(store.examples.reasons(DESK).items()) == [("too short", 2), ("bounce", 1), ("spam", 1)]


def test_one_tickets_verdicts_come_turn_by_turn(store: Store, example: Make) -> None:
    turns = [example("72", turn=1, kept=False, reason="too short"), example("71", turn=0), example("8", ticket_id="8")]
    store.examples.replace(DESK, turns)
    assert store.examples.verdict(DESK, "7") == [("71", True, ""), ("72", False, "too short")]
    assert store.examples.verdict(DESK, "404") == []
