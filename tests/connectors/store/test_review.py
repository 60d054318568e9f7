"""Suggestions and outcomes together: figures by day, group and model, and the list with its filters."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.records import Ticket
from connectors.store.database import Store
from connectors.store.outcomes import Outcome
from connectors.store.review import UNANSWERED
from connectors.store.suggestions import Route, Suggestion

DESK = "zendesk"
KINDS = ("as_is", "edited", "ignored", "withheld", "silent")


@pytest.fixture
def reviewed(store: Store) -> Store:
    """Five tickets, an outcome of each kind a day from Sunday, 5 April 2026, on; and one without."""
    for number in range(6):
        kind = KINDS[number] if number < 5 else None
        state = {"withheld": "withheld", "silent": "silent"}.get(str(kind), "shown")
        at = f"2026-04-{5 + number:02}T10:00:00Z"
        group = "2101" if number % 2 else "2104"
        store.mirror.save(DESK, [Ticket(str(number), "Help", "open", "90", at, at, 1, group_id=group)])
        values: dict[str, Any] = {"state": state, "draft": "A draft.", "created_at": at.replace("T10", "T09")}
        values |= {"confidence": 0.75, "route": Route("2101", "TRK1", 0.9), "silence": "unsure" * (state == "silent")}
        version = "v1" if number < 3 else "v2"
        store.suggestions.save(Suggestion(f"s{number}", DESK, str(number), f"t{number}", version, **values))
        if kind:
            effort = None if kind == "silent" else 0.2 * number
            made = Outcome(f"s{number}", DESK, str(number), kind, effort, f"c{number}", "91", group, at, 3600)
            store.outcomes.save([made])
    store.suggestions.add_feedback("s0", "thumb_down")
    store.suggestions.add_feedback("s0", "thumb_up")
    return store


def test_totals(reviewed: Store) -> None:
    total = reviewed.review.total(DESK)
    assert [getattr(total, kind) for kind in KINDS] == [1, 1, 1, 1, 1]
    assert (total.shown, total.acceptance, total.coverage) == (3, pytest.approx(2 / 3), pytest.approx(4 / 5))
    assert (total.effort, total.withheld_effort) == (pytest.approx(0.2), pytest.approx(0.6))
    assert (total.routes, total.routed_right, total.routing, total.reply_s) == (5, 2, pytest.approx(0.4), 3600)
    nothing = reviewed.review.total("other")
    assert (nothing.shown, nothing.acceptance, nothing.coverage, nothing.effort, nothing.routing) == (0, *[None] * 4)


def test_figures_by_key(reviewed: Store) -> None:
    review = reviewed.review
    assert [one.key for one in review.figures(DESK, "day")] == [f"2026-04-{5 + n:02}" for n in range(5)]
    assert [one.key for one in review.figures(DESK, "day", since="2026-04-08T00:00:00Z")] == [
        "2026-04-08",
        "2026-04-09",
    ]
    weeks = review.figures(DESK, "week")
    assert [(one.key, one.shown) for one in weeks] == [("2026-03-30", 1), ("2026-04-06", 2)], "weeks begin on Monday"
    assert [(one.key, one.shown) for one in review.figures(DESK, "month")] == [("2026-04-01", 3)]
    assert {one.key: one.routing for one in review.figures(DESK, "group")} == {"2101": 1.0, "2104": 0.0}
    assert {one.key: one.shown for one in review.figures(DESK, "model")} == {"v1": 3, "v2": 0}


def test_what_the_plots_are_made_of(reviewed: Store) -> None:
    assert reviewed.review.silences(DESK) == {"": 5, "unsure": 1}
    assert sorted(reviewed.review.predictions(DESK)) == [(0.25, pytest.approx(0.2 * n)) for n in range(4)]
    shown, withheld = reviewed.review.efforts(DESK)
    assert (sorted(shown), withheld) == ([0.0, pytest.approx(0.2), pytest.approx(0.4)], [pytest.approx(0.6)])
    assert reviewed.review.models(DESK) == ["v2", "v1"]


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({}, ["s5", "s4", "s3", "s2", "s1", "s0"]),
        ({"outcome": "edited"}, ["s1"]),
        ({"outcome": UNANSWERED}, ["s5"]),
        ({"group": "2101"}, ["s5", "s3", "s1"]),
        ({"model": "v2", "group": "2104"}, ["s4"]),
        ({"ticket": "3"}, ["s3"]),
        ({"size": 2}, ["s5", "s4", "s3"]),
        ({"size": 2, "page": 3}, ["s1", "s0"]),
    ],
)
def test_the_list_is_filtered(reviewed: Store, filters: dict[str, Any], ids: list[str]) -> None:
    found = reviewed.review.listed(DESK, **filters)
    assert [one.id for one in found] == ids
    assert {one.thumb for one in found if one.id == "s0"} <= {"thumb_up"}
    assert reviewed.review.listed("other", **filters) == []
