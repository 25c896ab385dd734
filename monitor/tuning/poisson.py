"""Exact confidence interval of a Poisson count."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import log, sqrt

import numpy as np

LEVEL = 0.95


@cache
def interval(count: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact central confidence limits of the mean of a Poisson count.

    Reference: Garwood, Fiducial limits for the Poisson distribution, Biometrika 28, 1936.
    """
    tail = (1.0 - level) / 2
    low = 0.0
    if count:
        low = _root(lambda mean: 1.0 - _at_most(count - 1, mean) - tail, 0.0, float(count))
    high = _root(lambda mean: tail - _at_most(count, mean), float(count), count + 10.0 * sqrt(count + 1.0))
    return low, high


def _at_most(count: int, mean: float) -> float:
    """Return the probability of ``count`` or fewer, summed in logarithms to avoid overflow."""
    if mean <= 0:
        return 1.0
    numbers = np.arange(count + 1)
    factorials = np.cumsum(np.log(np.maximum(numbers, 1)))
    return float(np.exp(numbers * log(mean) - mean - factorials).sum())


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function crosses 0, by bisection."""
    while high - low > 1e-9 * max(1.0, high):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
