"""Routers pooled: the better one counts more, and what adds nothing counts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from trainer.routing.arrays import unit_rows
from trainer.routing.neighbours import neighbour_logits
from trainer.routing.router import Router, train_router
from trainer.routing.stack import agreement, fit_shares, log_softmax, pool


def opinions(targets: Any, strength: float, seed: int) -> Any:
    """Logits of a router that is right as often as its strength makes it."""
    noise = np.random.default_rng(seed).normal(size=(len(targets), 4))
    return (strength * np.eye(4)[targets] + noise).astype(np.float32)


def test_two_views_together_are_better_than_either() -> None:
    targets, judged = np.random.default_rng(0).integers(0, 4, (2, 2000))
    shares = fit_shares([opinions(targets, 1.5, 1), opinions(targets, 1.5, 2)], targets)
    views = [opinions(judged, 1.5, 3), opinions(judged, 1.5, 4)]

    def accuracy(logits: Any) -> float:
        return float((logits.argmax(axis=1) == judged).mean())

    assert accuracy(pool(views, shares)) > max(map(accuracy, views)) + 0.05
    assert shares[0] == pytest.approx(shares[1], rel=0.15)


def test_a_router_that_knows_nothing_counts_nothing() -> None:
    targets = np.random.default_rng(0).integers(0, 4, 2000)
    knowing, guessing = fit_shares([opinions(targets, 2.0, 1), opinions(targets, 0.0, 2)], targets)
    assert guessing < 0.1 * knowing


def test_shares_are_the_ones_with_the_lowest_log_loss() -> None:
    targets = np.arange(500) % 4
    views = [opinions(targets, 1.0, 1), opinions(targets, 2.0, 2)]

    def loss(shares: Any) -> float:
        return float(-log_softmax(pool(views, shares))[np.arange(500), targets].mean())

    best = fit_shares(views, targets)
    for step in ((0.05, 0), (-0.05, 0), (0, 0.05), (0, -0.05)):
        assert loss(best) < loss(best + np.asarray(step, np.float32))


def test_a_large_group_counts_no_more_than_a_small_one() -> None:
    past = unit_rows(np.asarray([[1.0, 0.1]] * 9 + [[0.1, 1.0]], np.float32))
    question = unit_rows(np.asarray([[1.0, 1.0]], np.float32))
    small = neighbour_logits(question, past, np.asarray([0] * 9 + [1]), 2)[0]
    assert small[0] == pytest.approx(small[1], abs=0.01)


def test_neighbours_count_by_how_near_they_are() -> None:
    past = np.asarray([[1.0, 0.0], [0.0, 1.0]], np.float32)
    question = np.asarray([[0.8, 0.6]], np.float32)
    shares = np.exp(neighbour_logits(question, past, np.asarray([0, 1]), 3))[0]
    assert shares[0] / (shares[0] + shares[1]) == pytest.approx(1 / (1 + np.exp(20 * -0.2)), abs=0.01)
    assert shares[2] < 0.01


def test_a_ticket_is_not_its_own_neighbour() -> None:
    past = np.asarray([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], np.float32)
    groups = np.asarray([0, 1, 1])
    assert neighbour_logits(past, past, groups, 2)[0].argmax() == 0
    assert neighbour_logits(past, past, groups, 2, own=True)[0].argmax() == 1


def test_many_tickets_are_compared_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    points = unit_rows(np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32))
    groups = np.random.default_rng(1).integers(0, 3, 90)
    whole = neighbour_logits(points, points, groups, 3, own=True)
    monkeypatch.setattr("trainer.routing.neighbours._BLOCK", 40)
    np.testing.assert_allclose(neighbour_logits(points, points, groups, 3, own=True), whole, atol=1e-5)


def test_a_stack_embeds_each_text_once() -> None:
    asked: list[int] = []

    def embed(texts: Sequence[str]) -> Any:
        asked.append(len(texts))
        rows = np.asarray([[float("late" in text), float("refund" in text), 0.1] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    texts = ["it is late", "a refund please"] * 20
    router = train_router("stacked", texts, ["1", "2"] * 20, embed=embed)
    assert [part.arm for part in router.parts] == ["tfidf", "neighbours", "encoder"]
    asked.clear()
    assert router.decide(["late again"], embed)[0].top[0][0] == "1"
    assert asked == [1]


def test_agreement_is_low_where_one_router_alone_is_sure() -> None:
    sure, unsure = np.asarray([[9.0, 0.0, 0.0]], np.float32), np.zeros((1, 3), np.float32)
    one, all_of_them = agreement([sure, unsure], np.asarray([0])), agreement([sure, sure], np.asarray([0]))
    assert one[0] == pytest.approx((1 + 1 / 3) / 2, abs=1e-3)
    assert all_of_them[0] == pytest.approx(1.0, abs=1e-3)
    # The product is as sure as the surest.
    assert np.exp(log_softmax(pool([sure, unsure], np.ones(2, np.float32))))[0, 0] > 0.99


def test_a_stack_routes_by_itself_where_its_parts_agree() -> None:
    routers = [
        Router(arm, ("1", "2"), weights, np.zeros(2, np.float32), 1.0, np.zeros(0, np.float32))
        for arm, weights in (("tuned", np.asarray([[5.0, 0.0], [0.0, 5.0]], np.float32)), ("encoder", np.eye(2, 2)))
    ]
    thresholds = np.asarray([0.9, 0.9], np.float32)
    stack = Router(
        "stacked", ("1", "2"), np.ones(2, np.float32), np.zeros(0), 1.0, np.zeros(0), thresholds, parts=tuple(routers)
    )

    def embed(texts: Sequence[str]) -> Any:
        return np.asarray([[1.0, 0.0] if text == "late" else [9.0, 0.0] for text in texts], np.float32)

    little, much = stack.decide(["late", "very late"], embed)
    # The product of the parts is 0.998 sure of both; their mean is 0.86 of the first.
    assert little.top[0][1] > 0.99
    assert little.abstain
    assert not much.abstain
    assert stack.confidence(["late"], embed)[0] == pytest.approx((1 / (1 + np.exp(-5)) + 1 / (1 + np.exp(-1))) / 2)
