"""Fitting a curve, and judging probabilities."""

import math

import numpy as np
import pytest

from benchmarks.calibration import brier, calibration_error, fit


def test_a_fit_finds_the_curve_that_made_the_labels() -> None:
    random = np.random.default_rng(7)
    x = random.normal(size=(5000, 2))
    labels = random.random(5000) < 1 / (1 + np.exp(-(0.5 + 2 * x[:, 0] - x[:, 1])))
    assert fit(x.tolist(), labels.tolist()) == pytest.approx([0.5, 2, -1], abs=0.15)


def test_labels_that_are_told_apart_for_certain_do_not_run_away() -> None:
    weights = fit([[-1.0], [-2.0], [1.0], [2.0]], [False, False, True, True])
    assert all(math.isfinite(weight) for weight in weights)
    assert 0 < weights[1] < 10


def test_probabilities_that_come_true_have_no_error_and_bold_ones_have_one() -> None:
    assert calibration_error([0.75] * 4, [True, True, True, False]) == pytest.approx(0)
    assert calibration_error([1.0] * 4, [True, True, False, False]) == pytest.approx(0.5)
    assert brier([1.0, 0.0], [True, False]) == 0
    assert brier([0.5, 0.5], [True, False]) == 0.25
