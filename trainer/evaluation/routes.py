"""Scoring the routing arms on held-out tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trainer.evaluation.judgement import interval
from trainer.evaluation.scores import RouteScore
from trainer.routing.calibration import coverage_at_precision, expected_calibration_error
from trainer.routing.router import Embed, Router


def score_routes(
    routers: Mapping[str, Router],
    texts: Sequence[str],
    labels: Sequence[str],
    embed: Mapping[str, Embed],
    *,
    train_s: Mapping[str, float] | None = None,
) -> list[RouteScore]:
    """Scores routers, cheapest first, on held-out tickets; a group unknown to a router counts as wrong.

    Args:
        labels: The groups that the tickets ended in.
        embed: Features by arm, for the arms that take them from outside.
        train_s: Seconds that training each arm took.
    """
    from sklearn.metrics import f1_score

    truth = np.asarray(labels)
    probabilities = {arm: router.probabilities(texts, embed.get(arm)) for arm, router in routers.items()}
    guesses = {arm: np.asarray(routers[arm].classes)[found.argmax(axis=1)] for arm, found in probabilities.items()}
    hits = {arm: (guess == truth).astype(np.float64) for arm, guess in guesses.items()}
    best = max(hits, key=lambda arm: float(hits[arm].mean()))
    scores = []
    for arm, router in routers.items():
        right = hits[arm] == 1.0
        top = np.asarray(router.classes)[np.argsort(-probabilities[arm], axis=1)[:, :3]]
        decisions = router.decide(texts, embed.get(arm))
        routed = np.asarray([not decision.abstain for decision in decisions])
        scores.append(
            RouteScore(
                arm=arm,
                tickets=len(truth),
                accuracy=float(right.mean()),
                macro_f1=float(f1_score(truth, guesses[arm], average="macro", zero_division=0)),
                top3=float((top == truth[:, None]).any(axis=1).mean()),
                calibration_error=expected_calibration_error(probabilities[arm], right),
                coverage=coverage_at_precision(router.confidence(texts, embed.get(arm)), right),
                routed=float(routed.mean()),
                routed_accuracy=float(right[routed].mean()) if routed.any() else 0.0,
                versus_best=interval(hits[arm] - hits[best]),
                train_s=(train_s or {}).get(arm, 0.0),
            )
        )
    return scores
