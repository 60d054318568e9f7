"""Labels reach unlabelled tickets over similar ones, and names stand in for examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from trainer.routing.arrays import one_hot, unit_rows
from trainer.routing.linear import fit_linear
from trainer.routing.propagation import neighbour_graph, propagate
from trainer.routing.router import train_router


def arcs(count: int, seed: int) -> tuple[Any, Any]:
    """Two groups, each an eighth of a circle and more, with a gap between them."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 2, count)
    angles = np.radians(rng.uniform(0, 75, count) + 105 * groups)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32), groups


def test_unlabelled_tickets_make_up_for_labels() -> None:
    points, groups = arcs(60, 0)
    judged, truth = arcs(400, 1)
    # Three labelled points of each group, all from where its arc begins: halfway between them is not the gap.
    first = np.concatenate(
        [np.flatnonzero(groups == group)[np.argsort(-points[groups == group, 0])[:3]] for group in (0, 1)]
    )
    rest = np.setdiff1d(np.arange(60), first)
    targets, weights = one_hot(groups[first], 2), np.ones(6, np.float32)
    no_words = sparse.csr_matrix((60, 1), dtype=np.float32)
    alone = propagate(points[first], no_words[:6], targets, weights)
    helped = propagate(np.vstack([points[first], points[rest]]), no_words, targets, weights)

    def accuracy(linear: Any) -> float:
        return float((linear.logits(judged).argmax(axis=1) == truth).mean())

    assert accuracy(helped.linear) > accuracy(alone.linear) + 0.05
    assert (helped.targets.argmax(axis=1) == groups[rest]).mean() > 0.9
    np.testing.assert_allclose(helped.targets.sum(axis=1), 1, atol=1e-5)
    assert alone.targets.shape == (0, 2)


def test_the_graph_joins_each_row_to_its_nearest_both_ways() -> None:
    rows = unit_rows(np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32))
    graph = neighbour_graph(rows, 3)
    similar = rows @ rows.T - 3 * np.eye(50)
    for row in range(50):
        nearest = [int(index) for index in np.argsort(-similar[row])[:3] if similar[row, index] > 0]
        assert set(nearest) <= set(graph[row].indices.tolist())
    assert abs(graph - graph.T).max() < 1e-6
    assert graph.diagonal().max() == 0


def test_soft_targets_of_one_class_give_what_scikit_learn_gives() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 6)).astype(np.float32)
    classes = (features[:, :3] + rng.normal(0, 0.5, (200, 3))).argmax(axis=1)
    ours = fit_linear(features, one_hot(classes, 3), np.ones(200, np.float32), c=2.0)
    theirs = LogisticRegression(C=2.0, max_iter=1000).fit(features, classes)
    np.testing.assert_allclose(ours.probabilities(features), theirs.predict_proba(features), atol=0.01)


def test_a_row_counts_as_much_as_its_weight() -> None:
    features = np.asarray([[1.0], [1.0], [-1.0]], np.float32)
    targets = one_hot(np.asarray([0, 1, 1]), 2)
    for weight, likelier in ((5.0, 0), (0.2, 1)):
        found = fit_linear(features, targets, np.asarray([weight, 1.0, 1.0], np.float32), c=10.0)
        assert found.probabilities(features[:1]).argmax() == likelier


WORDS = ("parcel", "late", "invoice", "refund", "shoes", "colour")


def embed(texts: Sequence[str]) -> Any:
    rows = np.asarray([[1e-3, *(float(word in text) for word in WORDS)] for text in texts], np.float32)
    return unit_rows(rows)


def test_a_groups_name_is_an_example_of_it() -> None:
    texts, groups = ["late", "late", "refund", "refund"], ["1", "1", "2", "2"]
    names = {"1": "parcel", "2": "invoice", "3": "a group that nobody routed to"}
    without, named = (
        train_router("stacked", texts, groups, embed=embed, descriptions=known) for known in (None, names)
    )
    question = ["my parcel is here"]
    assert without.probabilities(question, embed)[0, 0] == pytest.approx(0.5, abs=0.02)
    assert named.probabilities(question, embed)[0, 0] > 0.6
    assert named.classes == ("1", "2")


def test_unlabelled_tickets_are_used_by_the_router() -> None:
    texts, groups = ["late", "late", "refund", "refund"], ["1", "1", "2", "2"]
    unlabelled = ["late parcel", "parcel", "refund invoice", "invoice"] * 4
    alone, helped = (train_router("stacked", texts, groups, embed=embed, unlabelled=more) for more in ((), unlabelled))
    question = ["where is the parcel"]
    assert alone.probabilities(question, embed)[0, 0] == pytest.approx(0.5, abs=0.02)
    assert helped.probabilities(question, embed)[0, 0] > 0.6
