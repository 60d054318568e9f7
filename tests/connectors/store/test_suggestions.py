"""Suggestions: one a customer turn, the older ones superseded, and what people did with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from connectors.store.database import Store
from connectors.store.suggestions import Alternative, Claim, Route, Source, Suggestion

DESK = "zendesk"
Make = Callable[..., Suggestion]


@pytest.fixture
def suggestion() -> Make:
    """Makes a suggestion for a turn of ticket 7; anything can be given."""

    def suggestion(turn: str = "70", **changes: Any) -> Suggestion:
        values = {"id": f"s{turn}", "helpdesk": DESK, "ticket_id": "7", "turn_id": turn, "model_version": "v1"}
        return Suggestion(**(values | {"state": "shown", "draft": f"To {turn}"} | changes))

    return suggestion


def test_a_suggestion_is_read_back_as_it_was_saved(store: Store, suggestion: Make) -> None:
    saved = suggestion(
        language="de",
        claims=(Claim("€6.95", 3, 8, True, "Prices"), Claim("Tuesday", 10, 17, False)),
        sources=(Source("article", "901", "Prices", "https://x", "A parcel …", "2026-02-01T00:00:00Z"),),
        route=Route(
            "2101", "TRK1", 0.875, ("tracking",), (("2104", "FIN", 0.1), ("2105", "RTN", 0.025)),
            abstain=True, out_of_scope=0.97, priority="high", tags=("delay", "lost"),
        ),
        confidence=0.5,
        latency_s=1.25,
        alternatives=(
            Alternative("It comes on [date].", (Claim("Friday", 0, 6, False),), (Source("ticket", "4", "#4", "", ""),)),
        ),
        told_facts=("The depot is closed.", "It comes on Friday."),
        unused_facts=("The depot is closed.",),
    )  # fmt: skip
    store.suggestions.save(saved)
    assert store.suggestions.get("s70") == saved
    assert store.suggestions.for_turn(DESK, "7", "70") == saved
    assert store.suggestions.latest(DESK, "7") == saved


def test_a_route_from_before_there_were_thresholds_is_read(store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion(route=Route("2101", "TRK1", 0.9, ("tracking",), (("2104", "FIN", 0.1),))))
    store.execute(
        """update suggestions set
           route = json_remove(route, '$.abstain', '$.out_of_scope', '$.priority', '$.tags')"""
    )
    found = store.suggestions.get("s70")
    assert found is not None
    assert found.route == Route("2101", "TRK1", 0.9, ("tracking",), (("2104", "FIN", 0.1),))
    assert found.route.doubt() == ""


def test_silence_is_kept_too(store: Store, suggestion: Make) -> None:
    silent = suggestion(state="silent", draft="", silence="no_similar")
    store.suggestions.save(silent)
    found = store.suggestions.latest(DESK, "7")
    assert found == silent
    assert found.route is None
    assert store.suggestions.counts(DESK) == {"shown": 0, "silent": 1, "superseded": 0, "withheld": 0}
    store.suggestions.save(suggestion("71", state="silent", draft="", silence="leak"))
    assert store.suggestions.silences(DESK) == {"no_similar": 1, "leak": 1}, "a newer turn makes nothing less silent"


def test_nothing_is_found_where_nothing_was_saved(store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion())
    assert store.suggestions.get("other") is None
    assert store.suggestions.for_turn(DESK, "7", "71") is None
    assert store.suggestions.latest(DESK, "8") is None
    assert store.suggestions.latest("other", "7") is None
    assert store.suggestions.counts("other") == {"shown": 0, "silent": 0, "superseded": 0, "withheld": 0}


def test_the_same_turn_again_replaces_its_suggestion(store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion(draft="first", claims=(Claim("x", 0, 1, True),)))
    store.suggestions.save(suggestion(draft="second"))
    found = store.suggestions.for_turn(DESK, "7", "70")
    assert found is not None
    assert (found.draft, found.claims) == ("second", ())
    assert sum(store.suggestions.counts(DESK).values()) == 1


def test_a_newer_turn_supersedes_the_older_ones_of_its_ticket_only(store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion("70"))
    store.suggestions.save(suggestion("80", ticket_id="8"))
    store.suggestions.save(suggestion("90", helpdesk="other"))
    store.suggestions.save(suggestion("71", state="silent"))
    states = {key: store.suggestions.get(key).state for key in ("s70", "s71", "s80", "s90")}  # type: ignore[union-attr]
    assert states == {"s70": "superseded", "s71": "silent", "s80": "shown", "s90": "shown"}
    latest = store.suggestions.latest(DESK, "7")
    assert latest is not None
    assert latest.turn_id == "71"


def test_a_posted_note_is_remembered(store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion())
    assert store.suggestions.get("s70").note_posted_at is None  # type: ignore[union-attr]
    store.suggestions.note_posted("s70")
    assert store.suggestions.get("s70").note_posted_at is not None  # type: ignore[union-attr]


def test_what_people_did_is_kept_in_order(store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion("70"))
    store.suggestions.save(suggestion("71"))
    store.suggestions.add_feedback("s70", "inserted")
    store.suggestions.add_feedback("s71", "copied")
    store.suggestions.add_feedback("s70", "thumb_down", "wrong price")
    found = [(row["action"], row["reason"]) for row in store.suggestions.feedback("s70")]
    assert found == [("inserted", ""), ("thumb_down", "wrong price")]
    assert store.suggestions.feedback("other") == []


def test_a_suggestion_that_is_replaced_keeps_its_feedback(store: Store, suggestion: Make) -> None:
    store.suggestions.save(suggestion())
    store.suggestions.add_feedback("s70", "inserted")
    store.suggestions.save(suggestion(draft="again"))
    assert len(store.suggestions.feedback("s70")) == 1


def test_feedback_on_a_suggestion_that_never_was_is_refused(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        store.suggestions.add_feedback("s404", "inserted")
