"""Outcomes: which comment answered which suggestion, kept once and without a word of the ticket."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from connectors.records import Comment, Deletion, Ticket, User
from connectors.store.database import Store
from connectors.store.forgotten import forget
from connectors.store.outcomes import KINDS, Answered, Outcome
from connectors.store.suggestions import Suggestion

DESK = "zendesk"
CUSTOMER, MARIT, PRIYA = "90", "91", "92"


@pytest.fixture
def say(store: Store, ticket: Callable[..., Ticket], comment: Callable[..., Comment]) -> Callable[..., None]:
    """Somebody writes on ticket 7, at a minute after nine."""
    store.mirror.save(
        DESK,
        [
            User(CUSTOMER, "Anna Smit", "anna@mail.example", "requester"),
            User(MARIT, "Marit", "marit@desk.example", "agent"),
            User(PRIYA, "Priya", "priya@desk.example", "agent"),
            ticket(requester_id=CUSTOMER),
        ],
    )

    def say(comment_id: str, author: str, minute: int, *, public: bool = True, text: str = "Text.") -> None:
        at = f"2026-04-01T09:{minute:02}:00Z"
        made = comment(comment_id, author_id=author, public=public, text=text, created_at=at)
        store.mirror.save(DESK, [made])

    return say


@pytest.fixture
def suggest(store: Store) -> Callable[..., None]:
    """Makes a suggestion for a turn, at a minute after nine."""

    def suggest(turn: str, minute: int, **changes: Any) -> None:
        values = {"id": f"s{turn}", "helpdesk": DESK, "ticket_id": "7", "turn_id": turn, "model_version": "v1"}
        values |= {"state": "shown", "draft": "A draft.", "created_at": f"2026-04-01T09:{minute:02}:30Z"}
        store.suggestions.save(Suggestion(**(values | changes)))

    return suggest


def outcome(suggestion_id: str = "s70", **changes: Any) -> Outcome:
    values: dict[str, Any] = {
        "suggestion_id": suggestion_id, "helpdesk": DESK, "ticket_id": "7", "kind": "edited", "effort": 0.25,
        "sent_comment_id": "71", "agent_id": MARIT, "group_id": "2101", "replied_at": "2026-04-01T09:05:00Z",
        "reply_s": 270,
    }  # fmt: skip
    return Outcome(**(values | changes))


def found(store: Store) -> list[tuple[str, str]]:
    return [(one.suggestion_id, one.comment_id) for one in store.outcomes.answered(DESK)]


def test_the_first_public_comment_of_an_agent_answers_a_turn(store: Store, say: Any, suggest: Any) -> None:
    say("70", CUSTOMER, 0)
    suggest("70", 0)
    assert found(store) == []
    say("71", MARIT, 1, public=False)
    assert found(store) == [], "a note answers nobody"
    say("72", PRIYA, 2, text="It is in Ghent.")
    say("73", MARIT, 3, text="And it comes tomorrow.")
    store.suggestions.add_feedback("s70", "inserted")
    assert store.outcomes.answered(DESK) == [
        Answered(
            "s70", "7", "shown", "A draft.", "2026-04-01T09:00:30Z", CUSTOMER, "2101", "72", PRIYA, "It is in Ghent.",
            "2026-04-01T09:02:00Z", frozenset({"inserted"}),
        )
    ]  # fmt: skip
    assert store.outcomes.answered("other") == []


def test_of_a_burst_only_the_last_turn_is_answered(store: Store, say: Any, suggest: Any) -> None:
    say("70", CUSTOMER, 0)
    suggest("70", 0)
    say("71", CUSTOMER, 1)
    suggest("71", 1)
    say("72", MARIT, 2)
    assert found(store) == [("s71", "72")]


def test_a_reply_between_two_turns_answers_the_first(store: Store, say: Any, suggest: Any) -> None:
    say("70", CUSTOMER, 0)
    suggest("70", 0)
    say("71", MARIT, 1)
    say("72", CUSTOMER, 2)
    suggest("72", 2)
    say("73", MARIT, 3)
    assert found(store) == [("s70", "71"), ("s72", "73")]


def test_a_second_turn_without_a_suggestion_leaves_the_first_ones_draft_in_view(
    store: Store, say: Any, suggest: Any
) -> None:
    say("70", CUSTOMER, 0)
    suggest("70", 0)
    say("71", CUSTOMER, 1)
    say("72", MARIT, 2)
    assert found(store) == [("s70", "72")]


@pytest.mark.parametrize(("state", "counts"), [("shown", False), ("withheld", True), ("silent", True)])
def test_a_draft_that_came_after_the_reply_was_seen_by_nobody(
    store: Store, say: Any, suggest: Any, state: str, counts: bool
) -> None:
    say("70", CUSTOMER, 0)
    say("71", MARIT, 1)
    suggest("70", 2, state=state)
    assert bool(found(store)) is counts


def test_an_outcome_is_kept_once(store: Store, say: Any, suggest: Any) -> None:
    say("70", CUSTOMER, 0)
    suggest("70", 0)
    say("71", MARIT, 1)
    assert store.outcomes.save([outcome()]) == 1
    assert found(store) == []
    assert store.outcomes.save([outcome(kind="ignored", effort=0.9)]) == 0
    assert store.outcomes.get("s70") == outcome(matched_at=store.outcomes.get("s70").matched_at)  # type: ignore[union-attr]
    assert store.outcomes.get("other") is None
    assert list(store.outcomes.of_ticket(DESK, "7")) == ["71"]
    assert store.outcomes.of_ticket("other", "7") == {}


def test_figures_count_what_was_shown(store: Store) -> None:
    kinds = [("as_is", 0.0), ("edited", 0.25), ("ignored", 0.95), ("withheld", 0.5), ("silent", None)]
    for number, (kind, effort) in enumerate(kinds):
        at = f"2026-04-0{number + 1}T09:00:00Z"
        store.outcomes.save([outcome(f"s{number}", kind=kind, effort=effort, replied_at=at)])
    assert store.outcomes.counts(DESK) == dict.fromkeys(KINDS, 1)
    assert store.outcomes.effort(DESK) == pytest.approx(0.4)
    assert store.outcomes.counts(DESK, since="2026-04-03T00:00:00Z") == dict.fromkeys(KINDS, 1) | {
        "as_is": 0, "edited": 0,
    }  # fmt: skip
    assert store.outcomes.effort(DESK, since="2026-04-04T00:00:00Z") is None
    assert store.outcomes.counts("other") == dict.fromkeys(KINDS, 0)


def test_a_deleted_ticket_keeps_its_figures_and_gets_no_new_ones(store: Store, say: Any, suggest: Any) -> None:
    say("70", CUSTOMER, 0)
    suggest("70", 0)
    say("71", MARIT, 1)
    say("72", CUSTOMER, 2)
    suggest("72", 2)
    say("73", MARIT, 3)
    store.outcomes.save([outcome()])
    store.mirror.save(DESK, [Deletion("7", int(time.time()))])
    assert found(store) == []
    assert store.outcomes.counts(DESK)["edited"] == 1


def test_a_forgotten_customer_leaves_figures_without_a_name(store: Store, say: Any, suggest: Any) -> None:
    say("70", CUSTOMER, 0)
    suggest("70", 0)
    say("71", MARIT, 1)
    store.outcomes.save([outcome()])
    forget(store, DESK, "anna@mail.example")
    kept = store.row("select * from outcomes")
    assert kept is not None
    assert not {CUSTOMER, "Anna Smit", "anna@mail.example"} & set(kept.values())
    assert found(store) == []


def test_where_another_customers_words_are_erased_their_draft_is_compared_with_nothing(
    store: Store, say: Any, suggest: Any
) -> None:
    store.mirror.save(DESK, [User("93", "Bo", "bo@mail.example", "requester")])
    say("70", CUSTOMER, 0)
    suggest("70", 0)
    say("71", "93", 1)
    say("72", MARIT, 2)
    forget(store, DESK, "93")
    assert store.suggestions.get("s70").draft == ""  # type: ignore[union-attr]
    assert found(store) == []
