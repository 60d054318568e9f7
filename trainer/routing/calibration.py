"""Probabilities that mean what they say, and the confidence from which a ticket is routed at all.

Everything here is fitted on held-out tickets: a classifier is always surer of what it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from trainer.routing.arrays import Flags, Indices, Matrix, softmax

FOLDS = 5
PRECISION = 0.95
# A group's own curve counts as many tickets as it has, the curve of all groups as many as these.
_POOLED = 10.0
_NEVER = 1.0
_UNKNOWN = -20.0


def held_out_logits(
    fit: Callable[[Indices], Callable[[Indices], Matrix]], targets: Indices, seed: int, folds: int = FOLDS
) -> Matrix | None:
    """Logits of every ticket by a classifier that has not seen it; None where a fold has one group only.

    Args:
        fit: From the rows to train on to a function from the rows to judge to their logits of shape (rows, classes).
        targets: Class of each row.
    """
    count = int(targets.max()) + 1
    logits = np.full((len(targets), count), _UNKNOWN, np.float32)
    for train, held_out in split_folds(targets, seed, folds):
        if len(set(targets[train])) < 2:
            return None
        logits[held_out] = fit(train)(held_out)
        # A group that the fold did not train on has no logit that means anything.
        unseen = np.setdiff1d(np.arange(count), targets[train])
        logits[np.ix_(held_out, unseen)] = _UNKNOWN
    return logits


def split_folds(targets: Indices, seed: int, folds: int = FOLDS) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of rows to train on and rows to judge, each group spread evenly where it is large enough."""
    from sklearn.model_selection import KFold, StratifiedKFold

    smallest = int(np.bincount(targets).min())
    splitter = (
        StratifiedKFold(folds, shuffle=True, random_state=seed)
        if smallest >= folds
        else KFold(min(folds, len(targets)), shuffle=True, random_state=seed)
    )
    yield from splitter.split(np.zeros((len(targets), 1)), targets)


def fit_temperature(logits: Matrix, targets: Indices) -> float:
    """The divisor of the logits with the lowest log loss (Guo et al., ICML 2017)."""
    grid = np.geomspace(0.2, 8.0, 60)
    rows = np.arange(len(targets))
    losses = [-np.log(softmax(logits / t)[rows, targets] + 1e-9).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def fit_thresholds(
    probabilities: Matrix, targets: Indices, precision: float = PRECISION, *, confidence: Matrix | None = None
) -> Matrix:
    """For each class, the least confidence from which at least `precision` of what is routed to it is right.

    A risk-coverage curve (Geifman and El-Yaniv, NIPS 2017) for each class, drawn towards the curve of all classes where
    the class has few held-out tickets. 1 where no confidence is enough: such a class is never routed to by itself.

    Args:
        probabilities: Float32 of shape (rows, classes), of held-out tickets.
        targets: Class of each row.
        confidence: Float32 of shape (rows,), 0 to 1; each row's largest probability without it.

    Returns:
        Float32 of shape (classes,).
    """
    guesses = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1) if confidence is None else confidence
    hits = guesses == targets
    grid = np.unique(np.concatenate([[0.0], confidence]))
    if len(grid) > 500:
        grid = np.quantile(confidence, np.linspace(0, 1, 500))
    above, right = _tail_counts(confidence, hits, grid)
    pooled = right / above
    thresholds = np.full(probabilities.shape[1], _NEVER, np.float32)
    for group in range(len(thresholds)):
        of_group = guesses == group
        n, k = _tail_counts(confidence[of_group], hits[of_group], grid)
        shrunk = (k + _POOLED * pooled) / (n + _POOLED)
        enough = np.flatnonzero(shrunk >= precision)
        if len(enough):
            thresholds[group] = grid[enough[0]]
    return thresholds


def _tail_counts(confidence: Matrix, hits: Flags, grid: Any) -> tuple[Any, Any]:
    """For each threshold of the grid, how many rows are at or above it, and how many of those are right."""
    order = np.argsort(confidence)
    first = np.searchsorted(confidence[order], grid, side="left")
    cumulated = np.concatenate([[0], np.cumsum(hits[order])])
    return len(confidence) - first, cumulated[-1] - cumulated[first]


def coverage_at_precision(
    scores: Any, correct: Flags, precision: float = PRECISION, *, counted: Flags | None = None
) -> float:
    """The largest share of tickets that can be routed, surest first, with this precision; 0 to 1.

    Args:
        scores: How sure the router is of each ticket.
        correct: Whether its group is the right one; False for tickets that belong to none.
        counted: The tickets that the share is of, such as those in scope; all without it.
    """
    counted = np.ones(len(correct), bool) if counted is None else counted
    order = np.argsort(-np.asarray(scores), kind="stable")
    precisions = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precisions >= precision)
    return float(counted[order[: enough[-1] + 1]].sum() / counted.sum()) if len(enough) else 0.0


def expected_calibration_error(probabilities: Matrix, correct: Flags, bins: int = 10) -> float:
    """Mean gap between stated confidence and accuracy, weighted by bin size (Naeini et al., AAAI 2015)."""
    confidence = probabilities.max(axis=1)
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (index == b).mean() * abs(correct[index == b].mean() - confidence[index == b].mean())
        for b in range(bins)
        if (index == b).any()
    ]
    return float(sum(gaps))
