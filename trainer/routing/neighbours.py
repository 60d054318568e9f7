"""The groups of the most similar past tickets: what a router that learns nothing would say."""

from __future__ import annotations

import numpy as np

from trainer.routing.arrays import Indices, Matrix

NEIGHBOURS = 20
# A neighbour counts exp(20 (cosine - 1)): at 0.9 an eighth of one that is equal.
_SHARPNESS = 20.0
_FLOOR = 1e-3
_BLOCK = 1024


def neighbour_logits(features: Matrix, past: Matrix, groups: Indices, classes: int, *, own: bool = False) -> Matrix:
    """Logarithms of each class's share among the nearest past tickets, float32 of shape (rows, classes).

    Args:
        features: Float32 of shape (rows, dimensions), rows of unit length.
        past: Float32 of shape (past tickets, dimensions).
        groups: The class of each past ticket.
        own: The rows are the past tickets, and none is its own neighbour.
    """
    logits = np.zeros((len(features), classes), np.float32)
    count = min(NEIGHBOURS, len(past))
    # As in the other routers, every group counts the same, however many of the past tickets are its.
    rarity = 1.0 / np.bincount(groups)[groups]
    for start in range(0, len(features), _BLOCK):
        similar = features[start : start + _BLOCK] @ past.T
        rows = np.arange(len(similar))
        if own:
            similar[rows, start + rows] = -1.0
        nearest = np.argpartition(-similar, count - 1, axis=1)[:, :count]
        closeness = np.exp(_SHARPNESS * (np.take_along_axis(similar, nearest, axis=1) - 1)) * rarity[nearest]
        shares = np.zeros((len(similar), classes), np.float32)
        np.add.at(shares, (rows[:, None], groups[nearest]), closeness)
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
        logits[start : start + _BLOCK] = np.log(shares + _FLOOR)
    return logits
