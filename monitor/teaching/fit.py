"""Fit the linear head of one label on embeddings and estimate its performance; pure numpy.

A few recordings of the sound stand against a background of one's own. The direction is that of
linear discriminant analysis with a shrunk covariance, the threshold that at which the background
raises the stated number of alarms a day.

Three things keep the figures honest. The background that sets the threshold is scored by heads
that were fitted on other parts of it. Recall is by leave-one-out: each recording is scored by a
head that was fitted without it. And the alarms a day come with the exact Poisson interval of the
hours that were there; beyond them the tail of the background's peaks is continued as an exponential.

Reference: Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices,
Journal of Multivariate Analysis 88, 2004.
"""

from __future__ import annotations

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
"""Rows above the threshold within this time count as one alarm."""

_TAIL = 0.02
_LEAST_TAIL = 10
"""Share and number of the background's highest peaks from which its tail is extrapolated."""

_LEAST_EXAMPLES = 2


@dataclass(frozen=True)
class Taught:
    """A fitted head: its logit is 0 at the threshold, and 1 a deviation of the background above it.

    weights : float32, shape (n,)
    recall : share of the examples that are found by heads fitted without them
    alarms_a_day : that the background raised, cross-fitted
    low, high : 95 % interval of it
    examples, background_hours : what it was fitted on
    """

    weights: NDArray[np.float32]
    bias: np.float32
    recall: float
    alarms_a_day: float
    low: float
    high: float
    examples: int
    background_hours: float


@dataclass(frozen=True)
class Direction:
    """An unscaled head: scores of the background have mean 0 and deviation 1."""

    weights: Values
    bias: float

    def score(self, rows: Rows) -> Values:
        scores: Values = rows @ self.weights + self.bias
        return scores


def teach(
    examples: Sequence[Rows], background: Sequence[Rows], *, hop_s: float, alarms_a_day: float
) -> Taught:
    """Fit a head.

    Parameters
    ----------
    examples : embeddings of each recording of the sound, where it sounds; shapes (rows, n)
    background : embeddings of each recording without it, hop by hop
    hop_s : seconds between rows of the background
    alarms_a_day : that the threshold may raise on the background

    Raises
    ------
    ValueError : fewer than two examples, or less than a minute of background
    """
    hours = sum(map(len, background)) * hop_s / 3600.0
    if len(examples) < _LEAST_EXAMPLES or hours < 1 / 60:
        raise ValueError("a head needs two examples and a minute of background")
    spread = Spread.of(np.concatenate(background))
    parts = _parts(background, hop_s)
    peaks = np.concatenate([
        _peaks(Spread.of(np.concatenate(rest)).direction(examples).score(held), hop_s)
        for rest, held in parts
    ])  # fmt: skip
    threshold = threshold_for(peaks, alarms_a_day * hours / 24.0)
    direction = spread.direction(examples)
    alarms = int((peaks >= threshold).sum())
    low, high = interval(alarms)
    day = 24.0 / hours
    return Taught(
        weights=direction.weights.astype(np.float32),
        bias=np.float32(direction.bias - threshold),
        recall=_recall(spread, examples, threshold),
        alarms_a_day=alarms * day,
        low=low * day,
        high=high * day,
        examples=len(examples),
        background_hours=hours,
    )


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


def threshold_for(peaks: Values, alarms: float) -> float:
    """Return the score that about ``alarms`` of the peaks reach; below 1, extrapolated from the tail."""
    descending = np.sort(peaks)[::-1]
    count = min(len(descending), max(_LEAST_TAIL, round(_TAIL * len(descending))))
    whole = int(alarms)
    if whole >= len(descending):
        return float(descending[-1])
    if whole >= 1:
        # Between two peaks: neither rounding nor the next runtime tips it.
        return float((descending[whole - 1] + descending[whole]) / 2)
    base = float(descending[count - 1])
    mean_excess = float((descending[:count] - base).mean())
    tail = base + mean_excess * float(np.log(count / max(alarms, 1e-9)))
    return max(tail, float(descending[0]) + 1e-3)


def _peaks(scores: Values, hop_s: float) -> Values:
    """Return the highest score of each interval of :data:`MERGE_S`, since neighbours are one alarm."""
    length = max(1, round(MERGE_S / hop_s))
    starts = np.arange(0, len(scores), length)
    peaks: Values = np.maximum.reduceat(scores, starts)
    return peaks


def _parts(background: Sequence[Rows], hop_s: float) -> list[tuple[list[Rows], Rows]]:
    """Return (fitted, held-out) rows for each part; parts are recordings if there are enough."""
    if len(background) >= PARTS:
        groups = [list(background[first::PARTS]) for first in range(PARTS)]
    else:
        joined = np.concatenate(background)
        groups = [[piece] for piece in np.array_split(joined, PARTS)]
    return [
        (
            [rows for other in range(PARTS) if other != held for rows in groups[other]],
            np.concatenate(groups[held]),
        )
        for held in range(PARTS)
    ]


def _recall(spread: Spread, examples: Sequence[Rows], threshold: float) -> float:
    """Return the share of examples detected by heads that were fitted without them."""
    found = 0
    for index, held in enumerate(examples):
        rest = [rows for other, rows in enumerate(examples) if other != index]
        found += bool(spread.direction(rest).score(held).max() >= threshold)
    return found / len(examples)
