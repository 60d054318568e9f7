"""A point of the learning curve: the same turns at each point, however many were drafted for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from connectors.store.examples import Example
from trainer.evaluation.curve import MOST_TURNS, curve_point
from trainer.evaluation.replies import Trial
from trainer.replies.drafting import Drafted
from trainer.replies.lora import TrainingResult

TURNS = 3 * MOST_TURNS


def point(example: Callable[..., Example], turns: int) -> Any:
    """Of turns whose efforts, and bits per word, are the squares of their numbers."""
    efforts = np.arange(turns, dtype=np.float64) ** 2
    judged = [example(number, reply="one two") for number in range(turns)]
    trial = Trial(
        "tuned_retrieval",
        tuple(Drafted("one two", ()) for _ in judged),
        efforts,
        2 * efforts,
    )
    return curve_point(judged[:3], 3, trial, judged, TrainingResult((1.0,), 2.0, 10, 1))


def test_of_many_turns_a_spread_is_taken(example: Callable[..., Example]) -> None:
    rows = np.linspace(0, TURNS - 1, MOST_TURNS).astype(int)
    found = point(example, TURNS)
    assert found.effort == found.bits_per_word == (rows**2).mean()


def test_of_few_turns_all_are(example: Callable[..., Example]) -> None:
    found = point(example, MOST_TURNS)
    assert found.effort == found.bits_per_word == (np.arange(MOST_TURNS) ** 2).mean()
    assert (found.tickets, found.examples) == (3, 3)
