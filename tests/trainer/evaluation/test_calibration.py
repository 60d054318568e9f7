"""Calibration: what is predicted against what was so, in bins that are not too small."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation.calibration import calibration_of


def test_the_error_is_the_gap_between_what_is_said_and_what_is_so() -> None:
    predicted = np.repeat([0.2, 0.8], 10)
    real = np.concatenate([np.tile([0.1, 0.5], 5), np.full(10, 0.7)])
    found = calibration_of(predicted, real)
    assert found is not None
    assert found.bins == (pytest.approx((0.2, 0.3, 10)), pytest.approx((0.8, 0.7, 10)))
    assert found.error == pytest.approx(0.1)
    assert found.overall == pytest.approx(0.5)
    assert found.surest_quarter == pytest.approx(0.3)


def test_a_perfect_prediction_has_no_error_and_finds_the_best_quarter() -> None:
    real = np.linspace(0, 1, 200)
    shuffled = np.random.default_rng(5).permutation(real)
    found = calibration_of(shuffled, shuffled)
    assert found is not None
    assert found.error < 1e-3
    assert found.surest_quarter == pytest.approx(real[:50].mean(), abs=0.005)
    assert [said for said, _, _ in found.bins] == sorted(said for said, _, _ in found.bins)


def test_larger_bins_weigh_more() -> None:
    """105 turns in ten bins: five of eleven, five of ten."""
    found = calibration_of(np.linspace(0, 1, 105), np.zeros(105))
    assert found is not None
    assert sorted(count for _, _, count in found.bins) == [10] * 5 + [11] * 5
    assert found.error == pytest.approx(0.5)


@pytest.mark.parametrize(("turns", "bins"), [(10, 1), (19, 1), (60, 6), (99, 9), (100, 10), (5000, 10)])
def test_no_bin_has_fewer_than_ten_turns(turns: int, bins: int) -> None:
    found = calibration_of(np.linspace(0, 1, turns), np.linspace(0, 1, turns))
    assert found is not None
    assert len(found.bins) == bins
    assert sum(count for _, _, count in found.bins) == turns
    assert min(count for _, _, count in found.bins) >= 10


@pytest.mark.parametrize("turns", [0, 1, 9])
def test_there_are_no_figures_for_a_few_turns(turns: int) -> None:
    assert calibration_of(np.zeros(turns), np.zeros(turns)) is None


def test_a_prediction_that_never_varies_finds_no_better_quarter() -> None:
    """In the order of the turns the first quarter would look better; what differs by less than a percent is a tie."""
    real = np.linspace(0, 1, 80)
    for predicted in (np.full(80, 0.5), 0.5 + np.linspace(0, 0.004, 80)):
        found = calibration_of(predicted, real)
        assert found is not None
        assert found.surest_quarter == pytest.approx(0.5)
        assert found.error < 0.01
