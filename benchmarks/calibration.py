"""Logistic regression, and how true the probabilities are that it gives."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RIDGE = 0.5
"""Some penalty on large coefficients: a feature that tells all questions apart for certain would grow for ever."""

STEPS = 50
BINS = 10

Floats = NDArray[np.float64]


def fit(features: Sequence[Sequence[float]], labels: Sequence[bool]) -> list[float]:
    """The bias, then a coefficient a feature: Newton's method on the penalised likelihood."""
    x = np.column_stack([np.ones(len(features)), np.asarray(features, np.float64)])
    y = np.asarray(labels, np.float64)
    penalty = np.diag([1e-6, *[RIDGE] * (x.shape[1] - 1)])
    weights = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p: Floats = 1 / (1 + np.exp(-(x @ weights)))
        gradient = x.T @ (p - y) + penalty @ weights
        weights -= np.linalg.solve((x.T * (p * (1 - p))) @ x + penalty, gradient)
    return [float(weight) for weight in weights]


def brier(probabilities: Sequence[float], labels: Sequence[bool]) -> float:
    """Mean squared error (Brier 1950): 0 is perfect, 0.25 is what always saying one half gets."""
    return float(np.mean((np.asarray(probabilities) - np.asarray(labels, np.float64)) ** 2))


def calibration_error(probabilities: Sequence[float], labels: Sequence[bool]) -> float:
    """How far what was said is from what was so, on average over tenths of what was said (ECE, Naeini et al. 2015)."""
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = [abs(float(p[bins == b].sum() - y[bins == b].sum())) for b in range(BINS)]
    return sum(gaps) / len(p)
