"""Figures as plots, placed in percent by the evaluation's axes and drawn by its macros."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np

from connectors.store.review import Figures
from trainer.evaluation.axes import Axis, Curve, shares, span
from trainer.evaluation.calibration import calibration_of
from trainer.evaluation.scores import Calibration

_MOST_TICKS = 5
Series = tuple[str, Callable[[Figures], float | None]]


def over_time(title: str, note: str, figures: Sequence[Figures], series: Sequence[Series]) -> Curve | None:
    """Shares over days, weeks or months; None where there is nothing to draw a line through.

    Args:
        series: (name, which share), each a line; steps without the figure are left out of it.
    """
    lines = [(name, _points(figures, of)) for name, of in series]
    values = [value for _, points in lines for _, value in points]
    if len(figures) < 2 or not values:
        return None
    across, up = _days([one.key for one in figures]), span(values)
    return Curve(
        title,
        note,
        across,
        up,
        tuple(
            (
                name,
                tuple(
                    # The last one is what people want to know; a text at each would hide the line.
                    (across.place(at), up.place(value), f"{value:.0%}" if at == points[-1][0] else "")
                    for at, value in points
                ),
            )
            for name, points in lines
            if points
        ),
    )


def _points(figures: Sequence[Figures], of: Callable[[Figures], float | None]) -> list[tuple[int, float]]:
    """(day number, value) of each step that has the figure."""
    return [(_day(one.key), value) for one in figures if (value := of(one)) is not None]


def _day(key: str) -> int:
    return date.fromisoformat(key).toordinal()


def _days(keys: Sequence[str]) -> Axis:
    """From the first day to the last, some of those that have figures named."""
    first, last = _day(keys[0]), _day(keys[-1])
    every = -(-len(keys) // _MOST_TICKS)
    room = 0.04 * (last - first)
    named = keys[::-1][::every][::-1]
    years = len({key[:4] for key in keys}) > 1
    return Axis(first - room, last + room, tuple((float(_day(key)), key[:7] if years else key[5:]) for key in named))


def calibration(pairs: Sequence[tuple[float, float]]) -> tuple[Calibration, Axis] | None:
    """Predicted against real effort in groups of equal size, and the scale of both; None for fewer than ten pairs."""
    if not pairs:
        return None
    predicted, real = np.asarray(pairs, np.float64).T
    found = calibration_of(predicted, real)
    return (found, span([end for one in found.bins for end in one[:2]])) if found else None


WHOLE = shares(0, 1, 0.25)
"""The scale of bars."""
