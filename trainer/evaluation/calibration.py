"""How far predicted edit effort can be trusted: a reliability diagram in figures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trainer.evaluation.scores import Calibration

BINS = 10
# The mean of fewer efforts is off by more than the error that is looked for: with a standard deviation of 0.15 within
# a bin, ten turns miss their own mean by 0.04 on average.
BIN_TURNS = 10
# People see whole percents.
_DIGITS = 2

Floats = npt.NDArray[np.float64]


def calibration_of(predicted: Floats, real: Floats) -> Calibration | None:
    """Compares predicted with real effort over bins of equal size, after the expected calibration error.

    There are ten bins, fewer where these would hold less than ten turns each: 60 turns make six bins. Even a perfect
    prediction has an error then, by the luck of the turns in a bin, and it grows as they become fewer.

    Predictions that are the same to the percent count as ties in random order, so that a prediction which never varies
    finds no quarter that is better than the rest.

    Args:
        predicted: Effort predicted by models that have not seen the turn, 0 to 1, of shape (turns,).
        real: Edit effort, of the same shape.

    Returns:
        None where there are fewer than `BIN_TURNS` turns.
    """
    turns = len(real)
    if turns < BIN_TURNS:
        return None
    _, tie = np.unique(np.round(predicted, _DIGITS), return_inverse=True)
    expected = (np.bincount(tie, real) / np.bincount(tie))[tie]
    order = np.argsort(predicted, kind="stable")
    bins = tuple(
        (float(predicted[rows].mean()), float(expected[rows].mean()), len(rows))
        for rows in np.array_split(order, min(BINS, turns // BIN_TURNS))
    )
    return Calibration(
        error=sum(count * abs(said - was) for said, was, count in bins) / turns,
        bins=bins,
        surest_quarter=float(expected[order[: max(1, turns // 4)]].mean()),
        overall=float(real.mean()),
    )
