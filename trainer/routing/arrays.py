"""Types and small functions that all routers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Embed = Callable[[Sequence[str]], Matrix]
"""Texts to a float32 matrix, a row a text."""


def softmax(logits: Any) -> Matrix:
    """Rows that sum to 1."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)


def one_hot(targets: Indices, classes: int) -> Matrix:
    """Float32 of shape (len(targets), classes), 1 at each row's class."""
    return np.eye(classes, dtype=np.float32)[targets]


def unit_rows(matrix: Matrix) -> Matrix:
    """Rows scaled to length 1; rows of zeros stay as they are."""
    return np.asarray(matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12), np.float32)
