"""Logistic regression on soft targets, which scikit-learn's does not take: every row is a distribution over classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.routing.arrays import Matrix, softmax

ITERATIONS = 150


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear classifier: float32 `weights` of shape (classes, features) and `bias` of shape (classes,)."""

    weights: Matrix
    bias: Matrix

    def logits(self, features: Any) -> Matrix:
        """Float32 of shape (rows, classes)."""
        if not hasattr(features, "indices"):
            return np.asarray(features @ self.weights.T + self.bias, np.float32)
        # A sparse matrix: a ticket has a few hundred words of 32,768, and the others' weights need not be copied.
        columns = np.unique(features.indices)
        return np.asarray(features[:, columns] @ self.weights[:, columns].T + self.bias, np.float32)

    def probabilities(self, features: Any) -> Matrix:
        """Softmax of the logits."""
        return softmax(self.logits(features))


def fit_linear(
    features: Any,
    targets: Matrix,
    weights: Matrix,
    *,
    c: float,
    start: Linear | None = None,
    iterations: int = ITERATIONS,
) -> Linear:
    """Multinomial logistic regression by L-BFGS.

    Args:
        features: Float32 of shape (rows, features), dense or a sparse matrix.
        targets: Float32 of shape (rows, classes), each row a distribution.
        weights: Float32 of shape (rows,): how much each row counts.
        c: Inverse strength of the L2 penalty, as in scikit-learn.
        start: Where the search begins: the solution of a similar problem saves half of the steps.
    """
    from scipy.optimize import minimize

    classes, width = targets.shape[1], features.shape[1]
    total = float(weights.sum()) * c
    scale = np.asarray(weights * c / total, np.float32)[:, None]

    def loss(flat: Any) -> tuple[float, Any]:
        theta = flat.reshape(width + 1, classes).astype(np.float32)
        logits = features @ theta[:-1] + theta[-1]
        logits -= logits.max(axis=1, keepdims=True)
        exponents = np.exp(logits)
        sums = exponents.sum(axis=1, keepdims=True)
        value = float((scale * targets * (np.log(sums) - logits)).sum(dtype=np.float64))
        residual = scale * (exponents / sums - targets)
        # The last row is the bias, which is not penalised.
        gradient = np.vstack([features.T @ residual + theta[:-1] / total, residual.sum(axis=0)])
        value += float((theta[:-1] ** 2).sum(dtype=np.float64)) / (2 * total)
        return value, gradient.ravel().astype(np.float64)

    first = np.zeros((width + 1, classes)) if start is None else np.vstack([start.weights.T, start.bias])
    found = minimize(
        loss, first.ravel().astype(np.float64), jac=True, method="L-BFGS-B",
        options={"maxiter": iterations, "ftol": 1e-7, "gtol": 1e-6},
    )  # fmt: skip
    theta = found.x.reshape(width + 1, classes).astype(np.float32)
    return Linear(np.ascontiguousarray(theta[:-1].T), theta[-1])
