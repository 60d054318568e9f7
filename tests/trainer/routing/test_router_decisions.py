"""A router says how sure it is, leaves to a person what it is not sure of, and knows what it has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from trainer.routing.calibration import coverage_at_precision, fit_thresholds, held_out_logits
from trainer.routing.router import Router, train_router

GROUPS = ("parcels", "invoices", "returns", "claims")


def embed(texts: Sequence[str]) -> Any:
    """Each text is the name of a group and a seed: a point near the group's corner, elsewhere for other names."""
    rows = []
    for text in texts:
        name, seed = text.split()
        noise = np.random.default_rng(int(seed)).normal(0, 0.45, 6)
        corner = np.eye(6)[GROUPS.index(name)] if name in GROUPS else np.eye(6)[5]
        rows.append(corner + noise)
    matrix = np.asarray(rows, np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def desk(count: int, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    groups = [str(rng.choice(GROUPS)) for _ in range(count)]
    return [f"{group} {rng.integers(10**6)}" for group in groups], groups


@pytest.fixture(scope="module")
def router() -> Router:
    return train_router("encoder", *desk(400, 1), embed=embed)


def test_the_three_likeliest_groups_come_best_first(router: Router) -> None:
    texts = desk(20, 2)[0]
    probabilities = router.probabilities(texts, embed)
    for decision, row in zip(router.decide(texts, embed), probabilities, strict=True):
        assert [share for _, share in decision.top] == sorted(row.tolist(), reverse=True)[:3]
        assert decision.top[0][0] == router.classes[int(row.argmax())]


def test_two_groups_are_all_there_is_to_choose_from() -> None:
    texts, groups = desk(200, 1)
    kept = [(text, group) for text, group in zip(texts, groups, strict=True) if group in GROUPS[:2]]
    router = train_router("encoder", [text for text, _ in kept], [group for _, group in kept], embed=embed)
    assert len(router.decide(["parcels 1"], embed)[0].top) == 2


@pytest.mark.parametrize("precision", [0.9, 0.97])
def test_what_is_not_abstained_from_is_right_as_often_as_was_wanted(precision: float) -> None:
    router = train_router("encoder", *desk(800, 1), embed=embed, precision=precision)
    texts, groups = desk(3000, 3)
    decisions = router.decide(texts, embed)
    right = [one.top[0][0] == group for one, group in zip(decisions, groups, strict=True) if not one.abstain]
    everything = [one.top[0][0] == group for one, group in zip(decisions, groups, strict=True)]
    assert np.mean(everything) < precision - 0.02
    assert np.mean(right) == pytest.approx(precision, abs=0.035)
    assert len(right) > 0.4 * len(texts)


def test_a_higher_precision_routes_fewer(router: Router) -> None:
    texts = desk(500, 3)[0]
    strict = train_router("encoder", *desk(400, 1), embed=embed, precision=0.99)
    routed = [sum(not one.abstain for one in which.decide(texts, embed)) for which in (strict, router)]
    assert routed[0] < routed[1]


def test_a_ticket_of_a_kind_never_routed_is_out_of_scope(router: Router) -> None:
    known = [one.out_of_scope for one in router.decide(desk(300, 4)[0], embed)]
    strange = [one.out_of_scope for one in router.decide([f"poems {seed}" for seed in range(300)], embed)]
    assert np.mean(known) == pytest.approx(0.5, abs=0.1)
    assert np.mean(strange) > 0.75
    assert 0 <= min(known + strange) <= max(known + strange) <= 1


def test_thresholds_and_scores_are_saved(router: Router, tmp_path: Path) -> None:
    router.save(tmp_path)
    texts = desk(50, 5)[0]
    assert Router.load(tmp_path).decide(texts, embed) == router.decide(texts, embed)


def test_a_router_from_before_there_were_thresholds_routes_everything(router: Router, tmp_path: Path) -> None:
    router.save(tmp_path)
    arrays = load_file(tmp_path / "route.safetensors")
    save_file({name: arrays[name] for name in ("weights", "bias", "idf")}, tmp_path / "route.safetensors")
    decisions = Router.load(tmp_path).decide(desk(50, 5)[0], embed)
    assert not any(one.abstain for one in decisions)
    assert {one.out_of_scope for one in decisions} == {0.0}


def certain(groups: Sequence[int], confidence: Sequence[float], classes: int = 2) -> Any:
    rows = np.zeros((len(groups), classes), np.float32)
    for row, (group, value) in enumerate(zip(groups, confidence, strict=True)):
        rows[row] = (1 - value) / (classes - 1)
        rows[row, group] = value
    return rows


def test_a_group_that_is_often_mistaken_has_a_higher_threshold() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 500)
    confidence = rng.uniform(0.5, 1.0, 1000)
    # The first group is right where it says so; the second is right only from 0.8 on.
    right = np.where(groups == 0, True, confidence > 0.8)
    targets = np.where(right, groups, 1 - groups)
    first, second = fit_thresholds(certain(groups.tolist(), confidence.tolist()), targets)
    assert first < 0.55
    assert 0.75 < second < 0.82


def test_a_group_with_no_held_out_tickets_takes_the_threshold_of_all() -> None:
    groups, confidence = [0] * 200, np.linspace(0.51, 1.0, 200)
    targets = np.asarray([0 if value > 0.7 else 1 for value in confidence])
    thresholds = fit_thresholds(certain(groups, confidence.tolist(), 3), targets)
    assert thresholds[2] == pytest.approx(thresholds[0], abs=0.02)


def test_where_nothing_is_right_often_enough_nothing_is_routed() -> None:
    thresholds = fit_thresholds(certain([0] * 100, [0.9] * 100), np.asarray([0, 1] * 50))
    np.testing.assert_array_equal(thresholds, [1.0, 1.0])


@pytest.mark.parametrize(
    ("scores", "correct", "share"),
    [
        ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], 0.5),
        ([0.9, 0.8], [0, 1], 0.0),
        ([0.5, 0.9], [1, 1], 1.0),
    ],
)
def test_coverage_is_the_largest_share_with_the_precision(
    scores: list[float], correct: list[int], share: float
) -> None:
    assert coverage_at_precision(scores, np.asarray(correct, bool)) == share


def test_coverage_can_be_that_of_the_tickets_in_scope() -> None:
    correct, inside = np.asarray([True, True, False, False]), np.asarray([True, True, True, False])
    assert coverage_at_precision([4.0, 3.0, 1.0, 2.0], correct, counted=inside) == pytest.approx(2 / 3)


def test_no_ticket_is_judged_by_a_classifier_that_saw_it() -> None:
    targets = np.asarray([0, 1, 2] * 10)
    seen: list[int] = []

    def fit(rows: Any) -> Any:
        def logits(judged: Any) -> Any:
            assert not set(rows.tolist()) & set(judged.tolist())
            seen.extend(judged.tolist())
            return np.zeros((len(judged), 3), np.float32)

        return logits

    held_out_logits(fit, targets, 0)
    assert sorted(seen) == list(range(30))
