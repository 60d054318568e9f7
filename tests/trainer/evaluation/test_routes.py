"""Routing arms are scored on what the team did, not on what they say of themselves."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation.routes import score_routes
from trainer.routing.router import Router, train_router

WORDS = {"2101": "parcel late tracking scan", "2104": "invoice payment vat refund", "2105": "return label shop code"}


def tickets(count: int, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    labels = [str(rng.choice(list(WORDS))) for _ in range(count)]
    return [" ".join(rng.choice(WORDS[label].split(), 3)) + f" {seed} hello" for label in labels], labels


@pytest.fixture(scope="module")
def routers() -> dict[str, Router]:
    texts, labels = tickets(60, 1)
    return {arm: train_router(arm, texts, labels) for arm in ("majority", "tfidf")}


def test_routes_are_scored_on_what_the_team_did(routers: dict[str, Router]) -> None:
    texts, labels = tickets(40, 2)
    majority, tfidf = score_routes(routers, texts, labels, {}, train_s={"tfidf": 2.5})
    assert (majority.train_s, tfidf.train_s) == (0.0, 2.5)
    assert (majority.arm, tfidf.arm, tfidf.tickets) == ("majority", "tfidf", 40)
    assert tfidf.accuracy == tfidf.macro_f1 == 1.0
    most = max(set(labels), key=labels.count)
    guess = routers["majority"].classes[int(routers["majority"].probabilities(["x"])[0].argmax())]
    assert majority.accuracy == pytest.approx(labels.count(guess) / 40)
    assert guess in (most, *WORDS)
    assert majority.versus_best[1] < 0
    assert (tfidf.top3, tfidf.coverage, majority.top3) == (1.0, 1.0, 1.0)
    assert tfidf.routed_accuracy == 1.0
    assert majority.routed == 1.0  # it has no thresholds
    assert majority.routed_accuracy == majority.accuracy
    assert tfidf.versus_best == (0.0, 0.0)


def test_a_group_that_the_router_never_saw_counts_as_wrong(routers: dict[str, Router]) -> None:
    texts, labels = tickets(40, 2)
    scores = score_routes(routers, texts, ["2199" if label == "2104" else label for label in labels], {})
    assert scores[1].accuracy == pytest.approx(1 - labels.count("2104") / 40)
