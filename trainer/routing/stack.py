"""Several routers' opinions made one: a weighted product of their probabilities.

A logarithmic opinion pool (Genest and Zidek, Statistical Science 1986). The weights are the ones with the lowest log
loss on held-out tickets, as in stacking (Wolpert, Neural Networks 1992): a router that adds nothing gets none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainer.routing.arrays import Indices, Matrix, softmax

_MAX_SHARE = 3.0


def pool(logits: Sequence[Matrix], shares: Matrix) -> Matrix:
    """Logits of all routers together, float32 of shape (rows, classes).

    Args:
        logits: Each router's, of shape (rows, classes).
        shares: How much each counts, float32 of shape (routers,).
    """
    return np.asarray(sum(share * log_softmax(one) for share, one in zip(shares, logits, strict=True)), np.float32)


def agreement(logits: Sequence[Matrix], groups: Indices) -> Matrix:
    """How likely a group is to the routers on average, float32 of shape (rows,).

    A linear opinion pool (Stone, Annals of Mathematical Statistics 1961). The weighted product knows best which group
    it is, but is as sure as its surest router; of a ticket that belongs to no group, one is often sure, all are seldom.

    Args:
        logits: Each router's, of shape (rows, classes).
        groups: A class for each row.
    """
    rows = np.arange(len(groups))
    return np.asarray(np.mean([softmax(one)[rows, groups] for one in logits], axis=0), np.float32)


def fit_shares(held_out: Sequence[Matrix], targets: Indices) -> Matrix:
    """The shares with the lowest log loss, averaged over groups, each at least 0; float32 of shape (routers,).

    Args:
        held_out: Each router's logits of tickets it was not trained on, of shape (rows, classes).
        targets: Class of each row.
    """
    from scipy.optimize import minimize

    logs = np.stack([log_softmax(one) for one in held_out])
    rows = np.arange(len(targets))
    # Every group counts the same, as in the routers themselves.
    weights = 1.0 / np.bincount(targets)[targets]
    weights /= weights.sum()

    def loss(shares: Matrix) -> tuple[float, Matrix]:
        mixed = log_softmax(np.tensordot(shares, logs, axes=1))
        # The gradient: what each router expects on average, less what it says of the right class.
        gaps = (np.exp(mixed) * logs).sum(axis=2) - logs[:, rows, targets]
        return -float(weights @ mixed[rows, targets]), (gaps @ weights).astype(np.float64)

    first = np.full(len(logs), 1.0 / len(logs))
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=[(0.0, _MAX_SHARE)] * len(logs))
    return np.asarray(found.x, np.float32)


def log_softmax(logits: Matrix) -> Matrix:
    """Logarithms of each row's softmax."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
