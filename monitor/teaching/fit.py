"""Fit the linear head of one label on embeddings and estimate its performance; pure numpy.

A few recordings of the sound stand against a background of one's own. The direction is that of
linear discriminant analysis with a shrunk covariance, the threshold that at which the background
raises the stated number of alarms a day.

Three things keep the figures honest. The background that sets the threshold is scored by heads
that were fitted on other parts of it. Recall is by leave-one-out: each recording is scored by a
head that was fitted without it. And the alarms a day come with the exact Poisson interval of the
hours that were there.

Alarms are counted as the monitor raises them: its score is averaged over a few hops, and one alarm lasts
for as long as that mean stays up. A single hop of anything then raises none. The threshold
comes from the exponential tail of the highest of them: the few that a background of an hour or two
has at the threshold itself would move it by chance.

Reference: Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices,
Journal of Multivariate Analysis 88, 2004.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.tuning.poisson import interval

Rows = NDArray[np.float32]
Values = NDArray[np.float64]

PARTS = 4
"""Number of parts of the background; each is scored by a head fitted on the others."""

MERGE_S = 2.0
"""An alarm ends when the score has been down for so long."""

EXIT_LOGIT = -0.85
"""A deviation of the background so far below the threshold, an alarm ends: score 0.3."""

_LEAST_TAIL = 20
"""Alarms whose heights give the tail; twice as many as are allowed, if that is more."""

_LEAST_EXAMPLES = 2

SHORTEST_S = 0.5
"""The shortest sound that is to be taught."""

MOST_HOPS = 32
"""Hops over which scores are averaged at most: fitting takes time and memory with each."""

_HALVINGS = 20


@dataclass(frozen=True)
class Taught:
    """A fitted head: its logit is 0 at the threshold, and 1 a deviation of the background above it.

    weights : float32, shape (n,)
    recall : share of the examples that are found by heads fitted without them
    alarms_a_day : that the background raised, cross-fitted
    low, high : 95 % interval of it
    examples, background_hours : what it was fitted on
    smoothing_s : over which scores are averaged
    """

    weights: NDArray[np.float32]
    bias: np.float32
    recall: float
    alarms_a_day: float
    low: float
    high: float
    examples: int
    background_hours: float
    smoothing_s: float = 0.0


@dataclass(frozen=True)
class Direction:
    """An unscaled head: scores of the background have mean 0 and deviation 1."""

    weights: Values
    bias: float

    def score(self, rows: Rows) -> Values:
        scores: Values = rows @ self.weights + self.bias
        return scores


def averaged_hops(window_s: float, hop_s: float) -> int:
    """Return over how many hops a taught sound's score is averaged: those that its shortest touches."""
    return min(MOST_HOPS, math.ceil((window_s + SHORTEST_S) / hop_s - 1e-9))


def averaged(scores: Values, hops: int) -> Values:
    """Return, for each span of so many hops, the threshold at which its mean score is just 0.5.

    The monitor averages scores, not logits: one hop far above the threshold counts no more than one
    that is well above it. Shorter scores are one span.

    Parameters
    ----------
    scores : logits at threshold 0, shape (rows,)
    """
    spans = np.lib.stride_tricks.sliding_window_view(scores, min(hops, len(scores)))
    low, high = spans.min(1), spans.max(1)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = np.tanh((spans - middle[:, None]) / 2).sum(1) >= 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(low, np.float64)


def teach(
    examples: Sequence[Rows],
    background: Sequence[Rows],
    *,
    hop_s: float,
    hops: int = 1,
    alarms_a_day: float,
    fitted: Background | None = None,
) -> Taught:
    """Fit a head.

    Parameters
    ----------
    examples : embeddings of each recording of the sound, where it sounds; shapes (rows, n)
    background : embeddings of each recording without it, hop by hop
    hop_s : seconds between rows of the background
    hops : over how many the monitor is to average scores, see :func:`averaged_hops`
    alarms_a_day : that the threshold may raise on the background
    fitted : what does not depend on the examples, if several sounds are taught on one background

    Raises
    ------
    ValueError : fewer than two examples, or less than a minute of background
    """
    hours = sum(map(len, background)) * hop_s / 3600.0
    if len(examples) < _LEAST_EXAMPLES or hours < 1 / 60:
        raise ValueError("a head needs two examples and a minute of background")
    fitted = fitted or Background.of(background)
    scores = [
        averaged(spread.direction(examples).score(rows), hops)
        for spread, held in zip(fitted.without, fitted.parts, strict=True)
        for rows in held
    ]
    gap = max(1, round(MERGE_S / hop_s))
    threshold = threshold_for(scores, alarms_a_day * hours / 24.0, gap)
    direction = fitted.whole.direction(examples)
    alarms = len(alarms_at(scores, threshold, gap))
    low, high = interval(alarms)
    day = 24.0 / hours
    return Taught(
        weights=direction.weights.astype(np.float32),
        bias=np.float32(direction.bias - threshold),
        recall=_recall(fitted.whole, examples, threshold, hops),
        alarms_a_day=alarms * day,
        low=low * day,
        high=high * day,
        examples=len(examples),
        background_hours=hours,
        smoothing_s=round(hops * hop_s, 4) if hops > 1 else 0.0,
    )


@dataclass(frozen=True)
class Background:
    """What is computed of a background alone.

    whole : spread of all of it
    parts : the parts into which it is divided, each of several recordings
    without : spread of all but one part
    """

    whole: Spread
    parts: list[list[Rows]]
    without: list[Spread]

    @classmethod
    def of(cls, background: Sequence[Rows]) -> Background:
        if len(background) >= PARTS:
            parts = [list(background[first::PARTS]) for first in range(PARTS)]
        else:
            parts = [[piece] for piece in np.array_split(np.concatenate(background), PARTS)]
        without = [
            Spread.of(np.concatenate([rows for other in parts if other is not held for rows in other]))
            for held in parts
        ]
        return cls(Spread.of(np.concatenate(background)), parts, without)


class Spread:
    """Mean and shrunk, inverted covariance of a background."""

    def __init__(self, mean: Values, inverse: Values, covariance: Values) -> None:
        self._mean = mean
        self._inverse = inverse
        self._covariance = covariance

    @classmethod
    def of(cls, rows: Rows) -> Spread:
        mean: Values = rows.mean(0, dtype=np.float64)
        covariance = shrunk_covariance(rows - mean)
        inverse = np.asarray(np.linalg.inv(covariance), np.float64)
        return cls(mean, inverse, covariance)

    def direction(self, examples: Sequence[Rows]) -> Direction:
        """Return the discriminant between the background and the examples, each of which counts alike."""
        centre = np.mean([rows.mean(0, dtype=np.float64) for rows in examples], 0)
        weights = self._inverse @ (centre - self._mean)
        deviation = max(float(np.sqrt(weights @ self._covariance @ weights)), 1e-12)
        weights = weights / deviation
        return Direction(weights, -float(weights @ self._mean))


def shrunk_covariance(centred: NDArray[np.floating]) -> Values:
    """Return the covariance of rows with mean 0, shrunk towards a multiple of the identity.

    Raises
    ------
    ValueError : no rows
    """
    count, size = centred.shape
    if not count:
        raise ValueError("no rows")
    rows = centred.astype(np.float64)
    sample = rows.T @ rows / count
    scale = np.trace(sample) / size
    distance = ((sample - scale * np.eye(size)) ** 2).sum()
    # Mean squared error of the sample covariance, from the fourth moments of the rows.
    error = ((rows**2).sum(1) ** 2).sum() / count**2 - (sample**2).sum() / count
    share = min(1.0, max(0.0, error / distance)) if distance > 0 else 1.0
    shrunk: Values = (1.0 - share) * sample + (share * scale + 1e-9) * np.eye(size)
    return shrunk


def alarms_at(scores: Sequence[Values], threshold: float, gap: int) -> Values:
    """Return the highest score of each alarm that a threshold raises.

    Parameters
    ----------
    scores : of each recording, hop by hop
    gap : hops for which the score is down before an alarm ends
    """
    peaks = []
    for one in scores:
        up = np.flatnonzero(one >= threshold + EXIT_LOGIT)
        if len(up):
            starts = np.flatnonzero(np.diff(up, prepend=-gap - 1) > gap)
            peaks.append(np.maximum.reduceat(one[up], starts))
    found = np.concatenate(peaks) if peaks else np.empty(0)
    raised: Values = found[found >= threshold]
    return raised


def threshold_for(scores: Sequence[Values], alarms: float, gap: int) -> float:
    """Return the threshold that is expected to raise so many alarms.

    Parameters
    ----------
    scores, gap : see :func:`alarms_at`
    """
    levels = np.unique(np.concatenate(scores))
    wanted = max(_LEAST_TAIL, round(2 * alarms))
    low, high = 0, len(levels) - 1
    while low < high:  # the highest level with that many alarms
        middle = (low + high + 1) // 2
        enough = len(alarms_at(scores, float(levels[middle]), gap)) >= wanted
        low, high = (middle, high) if enough else (low, middle - 1)
    peaks = alarms_at(scores, float(levels[low]), gap)
    base = float(levels[low])
    return base + float((peaks - base).mean()) * float(np.log(len(peaks) / max(alarms, 1e-9)))


def _recall(spread: Spread, examples: Sequence[Rows], threshold: float, hops: int) -> float:
    """Return the share of examples detected by heads that were fitted without them."""
    found = 0
    for index, held in enumerate(examples):
        rest = [rows for other, rows in enumerate(examples) if other != index]
        found += bool(averaged(spread.direction(rest).score(held), hops).max() >= threshold)
    return found / len(examples)
