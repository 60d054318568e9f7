"""Scores with figures that mean nothing by themselves; a test gives those that it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trainer.evaluation.scores import Calibration, Cost, CurvePoint, ReplyScore, RouteScore, Sample, StaleScore
from trainer.routing.heads import HeadScore

BEST = (0.0, 0.0)


def make_route(arm: str, accuracy: float = 0.7, versus_best: tuple[float, float] = BEST, **changes: Any) -> RouteScore:
    values: dict[str, Any] = {
        "tickets": 60, "macro_f1": accuracy - 0.05, "top3": 0.93, "calibration_error": 0.05, "coverage": 0.3,
        "routed": 0.25, "routed_accuracy": 0.96,
    }  # fmt: skip
    return RouteScore(arm=arm, accuracy=accuracy, versus_best=versus_best, **(values | changes))


def make_reply(arm: str, effort: float = 0.5, versus_best: tuple[float, float] = BEST, **changes: Any) -> ReplyScore:
    values: dict[str, Any] = {
        "tickets": 48, "effort_interval": (effort - 0.05, effort + 0.05), "chrf": 40.0, "rouge_l": 0.5,
        "effort_cut": effort - 0.02, "chrf_cut": 42.0, "similarity": 0.61, "similarity_control": 0.32,
        "length_ratio": 0.9, "bits_per_word": None if arm == "nearest" else 4.25, "style_auc": 0.72,
        "unsupported_share": 0.0, "leak_share": 0.0, "silent_share": 0.04, "blanks": 0.5,
        "seconds": 0.0 if arm == "nearest" else 1.9, "tokens": 64.0,
    }  # fmt: skip
    return ReplyScore(arm=arm, effort=effort, versus_best=versus_best, **(values | changes))


def make_sample(number: int, **efforts: float) -> Sample:
    """A turn whose drafts need that much effort, by arm."""
    return Sample(
        ticket_id=str(number),
        question=f"Subject: Question {number}\n\nCustomer: Where is my parcel {number}?",
        sent="Hi {{first_name}}, it is in Tilburg.",
        drafts={arm: f"Hi {{{{first_name}}}}, {arm} {number}." for arm in efforts},
        efforts=efforts,
    )


@pytest.fixture(scope="session")
def route() -> Callable[..., RouteScore]:
    return make_route


@pytest.fixture(scope="session")
def reply() -> Callable[..., ReplyScore]:
    return make_reply


@pytest.fixture(scope="session")
def sample() -> Callable[..., Sample]:
    return make_sample


@pytest.fixture(scope="session")
def extras() -> dict[str, Any]:
    """What a report may hold beside its scores."""
    return {
        "calibration": Calibration(0.034, ((0.3, 0.35, 12), (0.5, 0.45, 12), (0.7, 0.75, 12)), 0.35, 0.51),
        "curve": tuple(
            CurvePoint(tickets, 2 * tickets, "tuned_retrieval", effort, bits, 0.8, 60.0)
            for tickets, effort, bits in ((50, 0.6, 5.1), (100, 0.55, 4.8), (400, 0.48, 4.1))
        ),
        "stale": (StaleScore("retrieval", 12, 9, 0, 8), StaleScore("tuned", 12, 7, 6, 0)),
        "heads": (
            HeadScore("priority", 55, "accuracy", 0.764, 0.618, 0.4, 0.91, 0.36),
            HeadScore("tags", 58, "micro-F1", 0.523, 0.214, 0.0, 0.0, 0.0),
        ),
        "cost": Cost(1900.0, 1380.0, 412, 190_000, 1_200_000, (5.2, 4.4, 4.1), 2900.0),
    }
