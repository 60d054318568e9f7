"""Where things lie in the plots of an evaluation, in percent of the width and height that a screen gives them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trainer.evaluation.scores import CurvePoint


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from `low` to `high`, with a label at each tick; places on it are in percent of its length."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """Where a value lies, 0 to 100; what is off the scale lies at its end."""
        return round(100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low))), 2)


def shares(low: float, high: float, step: float) -> Axis:
    """A scale of shares, with a tick at every step."""
    count = round((high - low) / step)
    return Axis(low, high, tuple((low + n * step, f"{low + n * step:.0%}") for n in range(count + 1)))


def span(values: Sequence[float]) -> Axis:
    """A scale of shares around the values, in tens of percent, at least 30% long."""
    low = max(0, math.floor(10 * min(values)))
    high = min(10, max(math.ceil(10 * max(values)), low + 3))
    return shares(min(low, high - 3) / 10, high / 10, 0.1)


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure over the number of training tickets: places in percent, and the text of each point."""

    title: str
    note: str
    across: Axis
    up: Axis
    lines: tuple[tuple[str, tuple[tuple[float, float, str], ...]], ...]


def curves(points: Sequence[CurvePoint]) -> list[Curve]:
    """Edit effort and bits per word; the number of tickets on a scale where doubling it is one step."""
    if not points:
        return []
    counts = sorted({point.tickets for point in points})
    logs = [math.log2(max(1, count)) for count in counts]
    room = 0.08 * max(1.0, logs[-1] - logs[0])
    across = Axis(
        logs[0] - room,
        logs[-1] + room,
        tuple((log, f"{count:,}") for log, count in zip(logs, counts, strict=True)),
    )
    arms = list(dict.fromkeys(point.arm for point in points))
    bits = [point.bits_per_word for point in points]
    low, high = math.floor(2 * min(bits)) / 2, math.ceil(2 * max(bits) + 0.01) / 2
    ticks = [low + n * 0.5 for n in range(round(2 * (high - low)) + 1)]
    figures: list[tuple[str, str, Axis, Callable[[CurvePoint], float], str]] = [
        (
            "Edit effort",
            "Share of a reply to be changed.",
            span([point.effort for point in points]),
            lambda point: point.effort,
            "{:.1%}",
        ),
        (
            "Bits per word",
            "How much the team's words surprise the model.",
            Axis(low, high, tuple((tick, f"{tick:.1f}") for tick in ticks)),
            lambda point: point.bits_per_word,
            "{:.2f}",
        ),
    ]
    return [
        Curve(
            title,
            note,
            across,
            up,
            tuple(
                (
                    arm,
                    tuple(
                        (across.place(math.log2(max(1, point.tickets))), up.place(of(point)), form.format(of(point)))
                        for point in points
                        if point.arm == arm
                    ),
                )
                for arm in arms
            ),
        )
        for title, note, up, of, form in figures
    ]
