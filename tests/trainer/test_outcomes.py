"""Matching: what was sent is told apart from what was suggested, as an agent would say it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.records import Comment, Ticket, User
from connectors.store.database import Store
from connectors.store.outcomes import Outcome
from connectors.store.suggestions import Suggestion
from trainer.outcomes import match, unchanged

DESK = "zendesk"
DRAFT = (
    "Hi Anna,\n\nYour parcel is in our depot in Tilburg and will be with you tomorrow before noon. "
    "You can follow it on the tracking page.\n\nKind regards,\nMarit"
)
EDITED = DRAFT.replace("tomorrow before noon", "on Friday, before eighteen hours")
OTHER = (
    "Dear Anna,\n\nI am sorry about the damage. Please send us two photographs of the box and the invoice of what was "
    "in it, and I open a claim for you today.\n\nMarit"
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "deskhand.db") as store:
        people = [
            User("90", "Anna de Wilde", "anna@mail.example", "requester"),
            User("91", "Marit de Boer", "marit@desk.example", "agent"),
            User("92", "Priya Nair", "priya@desk.example", "agent"),
        ]
        store.mirror.save(DESK, people)
        yield store


@pytest.fixture
def answered(desk: Store) -> Callable[..., Outcome]:
    """A ticket with a draft and an agent's reply; returns its outcome."""
    number = 0

    def answered(sent: str, *actions: str, state: str = "shown", draft: str = DRAFT, agent: str = "91") -> Outcome:
        nonlocal number
        number += 1
        key = str(number)
        at = "2026-04-01T09:{:02}:00Z".format
        desk.mirror.save(
            DESK,
            [
                Ticket(key, "Help", "open", "90", at(0), at(3), number, group_id="2101"),
                Comment(f"{key}0", key, "90", True, "Where is it?", at(0)),
                Comment(f"{key}1", key, agent, True, sent, at(3)),
            ],
        )
        values: dict[str, Any] = {"state": state, "draft": draft, "created_at": at(1)}
        desk.suggestions.save(Suggestion(f"s{key}", DESK, key, f"{key}0", "v1", **values))
        for action in actions:
            desk.suggestions.add_feedback(f"s{key}", action)
        assert match(desk, DESK).total() == 1
        found = desk.outcomes.get(f"s{key}")
        assert found is not None
        return found

    return answered


def test_the_whole_row_is_told(answered: Callable[..., Outcome]) -> None:
    found = answered(DRAFT)
    assert found == Outcome(
        "s1", DESK, "1", "as_is", 0.0, "11", "91", "2101", "2026-04-01T09:03:00Z", 120, matched_at=found.matched_at
    )


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (DRAFT, "as_is"),
        (DRAFT.replace("\n\n", "\n").replace("parcel is", "parcel\nis"), "as_is"),
        (DRAFT.replace("Hi Anna,", "Hi Ms de Wilde,"), "edited"),
        (DRAFT.replace("Hi Anna,", "Hi,"), "as_is"),
        (DRAFT.replace("\nMarit", "\nPriya"), "as_is"),
        (DRAFT + "\n\nOn Tue, 1 Apr 2026, Anna de Wilde <anna@mail.example> wrote:\n> Where is it?", "as_is"),
        (DRAFT + "\n-- \nFernway Parcels, Tilburg", "as_is"),
        (DRAFT.replace("Tilburg", "Ghent"), "edited"),
        (EDITED, "edited"),
        (OTHER, "ignored"),
    ],
)
def test_kinds(answered: Callable[..., Outcome], sent: str, kind: str) -> None:
    assert answered(sent).kind == kind


def test_a_name_within_the_text_is_a_change(answered: Callable[..., Outcome]) -> None:
    draft = "Hi Anna,\n\nMarit calls you tomorrow before noon, and brings the parcel.\n\nKind regards,\nMarit"
    found = answered(draft.replace("Marit calls", "Priya calls"), draft=draft)
    assert found.kind == "edited"
    assert found.effort == pytest.approx(1 / 17, abs=0.02)


def test_where_the_draft_was_inserted_more_may_have_been_changed(answered: Callable[..., Outcome]) -> None:
    half = (
        "Hi Anna,\n\nYour parcel is in our depot. I am sorry that it took so long, and I have asked the driver to ring."
    )
    assert 0.5 < (answered(half).effort or 0) < 0.75
    assert [answered(half).kind, answered(half, "inserted").kind, answered(half, "copied").kind] == [
        "ignored", "edited", "edited",
    ]  # fmt: skip
    assert answered(half, "thumb_up").kind == "ignored"
    assert answered(OTHER, "inserted").kind == "ignored", "it was put in and thrown away again"


def test_shadow_mode_measures_and_silence_does_not(answered: Callable[..., Outcome]) -> None:
    withheld, silent = answered(EDITED, state="withheld"), answered(EDITED, state="silent", draft="")
    assert (withheld.kind, withheld.effort) == ("withheld", answered(EDITED).effort)
    assert (silent.kind, silent.effort) == ("silent", None)


def test_twice_is_once(desk: Store, answered: Callable[..., Outcome]) -> None:
    first = answered(DRAFT)
    desk.suggestions.add_feedback("s1", "thumb_down")
    assert match(desk, DESK).total() == 0
    assert desk.outcomes.get("s1") == first
    assert match(desk, "other").total() == 0


def test_the_same_words_in_other_case_are_a_change() -> None:
    assert unchanged("Hi Anna,\nIt is here.", "Hi Bo,\nIt is here.", ["Anna", "Bo Li"])
    assert unchanged("Hi [name],\nIt is here.", "Hi Bo,\nIt is here.", ["Bo Li"])
    assert not unchanged("Hi Anna,\nIt is here.", "Hi Anna,\nit is here.", ["Anna"])
    assert not unchanged("Anna", "Bo is in the depot with Marit and her van", ["Anna", "Bo", "Marit"])
