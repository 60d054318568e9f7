"""Label errors: planted ones are doubted, and clean groups are left alone."""

from __future__ import annotations

import random

import pytest

from trainer.curation import labels
from trainer.curation.labels import doubted

TOPICS = {
    "1": ["parcel", "tracking", "late", "depot", "scan", "driver", "window", "delivery"],
    "2": ["invoice", "payment", "refund", "debit", "reminder", "fee", "vat", "amount"],
    "3": ["customs", "duties", "declaration", "clearance", "import", "export", "form", "border"],
}


def desk(count: int, wrong: set[int], seed: int = 1) -> tuple[list[str], list[str]]:
    rng = random.Random(seed)
    texts, groups = [], []
    for number in range(count):
        topic = rng.choice(sorted(TOPICS))
        common = ["hello", "please", "help", "me", "with", "this", "thanks", "anna"]
        texts.append(" ".join(rng.choices(TOPICS[topic], k=12) + rng.choices(common, k=8)))
        groups.append(rng.choice([one for one in sorted(TOPICS) if one != topic]) if number in wrong else topic)
    return texts, groups


def test_planted_errors_are_doubted_and_little_else() -> None:
    wrong = {7, 40, 77, 120, 141, 180}
    flags = doubted(*desk(200, wrong))
    assert {index for index, flag in enumerate(flags) if flag} == wrong


def test_the_same_data_is_doubted_the_same_way() -> None:
    data = desk(150, {3, 30})
    assert doubted(*data, seed=5) == doubted(*data, seed=5)


def test_older_tickets_than_are_fitted_are_judged_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MAX_FITTED", 150)
    monkeypatch.setattr(labels, "_BATCH", 40)
    wrong = {7, 40, 180, 290}
    found = {index for index, flag in enumerate(doubted(*desk(300, wrong))) if flag}
    assert found <= wrong
    assert found & {7, 40}, "of those before the newest 150"
    assert found >= {180, 290}


@pytest.mark.parametrize("count", [0, 1, 60])
def test_a_small_desk_is_not_judged(count: int) -> None:
    assert doubted(*desk(count, {1})) == [False] * count


def test_a_group_of_a_few_tickets_is_not_judged() -> None:
    texts, groups = desk(150, set())
    few = doubted([*texts, *["parcel scan driver depot"] * 5], [*groups, *["9"] * 5])
    assert few == [False] * 155
    assert doubted(texts, ["1"] * 150) == [False] * 150
