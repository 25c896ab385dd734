"""Confidence intervals of figures and of paired differences, by a bootstrap over recordings.

The independent unit is the recording, not the clip: one Freesound recording yields up to a hundred
slices whose errors are correlated. Each draw therefore resamples recordings, and a difference uses
the same draw for both models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError
from training.scoring.statistics import Numbers, Rows

DRAWS = 2000
LEVEL = 0.95

Measure = Callable[[Numbers], Numbers]
"""Maps confusion matrices, shape (…, labels, labels), to a figure each, shape (…)."""


def accuracy(matrices: Numbers) -> Numbers:
    """Return the share of clips on the diagonal."""
    right: Numbers = np.einsum("...ii->...", matrices) / matrices.sum(axis=(-2, -1))
    return right


def macro_f1(matrices: Numbers) -> Numbers:
    """Return the mean F1 over the classes that occur; equals scikit-learn's on the same clips."""
    right = np.einsum("...ii->...i", matrices)
    held = matrices.sum(axis=-1) > 0
    both = matrices.sum(axis=-1) + matrices.sum(axis=-2)
    f1 = 2 * right / np.where(both > 0, both, 1)
    mean: Numbers = (f1 * held).sum(axis=-1) / held.sum(axis=-1)
    return mean


@dataclass(frozen=True)
class Interval:
    """A figure and its bootstrap interval, which covers ``LEVEL`` of the draws."""

    value: float
    low: float
    high: float
    clips: int
    recordings: int

    def __neg__(self) -> Interval:
        return Interval(-self.value, -self.high, -self.low, self.clips, self.recordings)

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def interval(scored: Rows, measure: Measure = accuracy, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Return the figure of one model and its bootstrap interval over recordings."""
    names = np.unique(scored.recording)
    matrices = _by_recording(scored, names)
    sampled = measure(_drawn(matrices, draws, seed))
    return _interval(float(measure(matrices.sum(axis=0))), sampled, scored)


def difference(
    first: Rows, second: Rows, measure: Measure = accuracy, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Return first − second on the clips scored by both, with paired draws of recordings.

    Raises
    ------
    DataError
        If the models share no clip, or a clip differs in recording or class.
    """
    common = set(first.key) & set(second.key)
    if not common:
        raise DataError("the two models were tested on no common clip; run both on the same folds")
    first, second = (s.where(np.array([key in common for key in s.key])) for s in (first, second))
    _check_same(first, second)
    names = np.unique(first.recording)
    one, two = _by_recording(first, names), _by_recording(second, names)
    sampled = measure(_drawn(one, draws, seed)) - measure(_drawn(two, draws, seed))
    return _interval(float(measure(one.sum(axis=0)) - measure(two.sum(axis=0))), sampled, first)


def _check_same(first: Rows, second: Rows) -> None:
    facts = [dict(zip(s.key, zip(s.recording, s.truth, strict=True), strict=True)) for s in (first, second)]
    if facts[0] != facts[1]:
        raise DataError(
            "the two models' records disagree on a clip's recording or class; run one of them again"
        )


def _by_recording(scored: Rows, names: NDArray[np.str_]) -> Numbers:
    """Return confusion matrices per recording, shape (recordings, labels, labels)."""
    labels = scored.probability.shape[1]
    matrices = np.zeros((len(names), labels, labels))
    at = np.searchsorted(names, scored.recording)
    np.add.at(matrices, (at, scored.truth, scored.prediction), scored.weight)
    return matrices


def _drawn(matrices: Numbers, draws: int, seed: int) -> Numbers:
    """Return confusion matrices of ``draws`` bootstrap samples of the recordings."""
    count, labels, _ = matrices.shape
    drawn: Numbers = (_times(count, draws, seed) @ matrices.reshape(count, -1)).reshape(draws, labels, labels)
    return drawn


@lru_cache(maxsize=8)
def _times(count: int, draws: int, seed: int) -> Numbers:
    """Return how often each of ``count`` recordings occurs in each sample; cached, as many pairs share it."""
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    return drawn.astype(float)


def _interval(value: float, sampled: Numbers, scored: Rows) -> Interval:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(sampled, (tail, 1 - tail))
    return Interval(value, float(low), float(high), len(set(scored.key)), len(np.unique(scored.recording)))
