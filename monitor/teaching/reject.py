"""Fits a head that rejects one's false alarms: "never this sound again"; pure numpy.

A window is rejected where its embedding points in nearly the same direction as one of a false alarm, seen
from the mean of the background: where the cosine of the angle is over a threshold. A half-space, as linear
discriminant analysis gives it, would also reject what goes as far in that direction and further in another,
as the class's real sounds do, which have much in common with its false alarms.

What is to stay is the background and the other moments: alarms that nobody called false, and sounds that
were marked. Each window of a false alarm has a threshold of its own, raised until it rejects almost none
of those moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.teaching.fit import Rows, Values

MOST_ALARMS = 20
NEARNESS = 0.75
"""Least cosine between a window that is rejected and one of a false alarm; benchmarks/teach.py says where it
was tuned."""

MOST_LOST = 0.02
"""Share of the rows that are to stay that a window of a false alarm may reject."""


@dataclass(frozen=True)
class Rejecting:
    """A fitted head; it rejects a window where a logit is over the distance from the centre.

    weights : float32, shape (rows of the false alarms, n)
    bias : float32, shape (rows of the false alarms,)
    centre : mean of the background, float32, shape (n,)
    examples, found : false alarms, and how many of them heads fitted without them reject
    lost : share of the other moments that heads fitted without them reject
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    centre: NDArray[np.float32]
    examples: int
    found: int
    lost: float
    background_hours: float


def reject(alarms: Sequence[Rows], others: Sequence[Rows], background: Rows, *, hop_s: float) -> Rejecting:
    """Fit a head.

    Parameters
    ----------
    alarms : embeddings of each false alarm, newest last; shapes (rows, n)
    others : embeddings of each moment that is to stay
    background : embeddings of anything else, shape (hops, n)
    hop_s : seconds between rows of the background

    Raises
    ------
    ValueError : no false alarm, or less than a minute of background
    """
    hours = len(background) * hop_s / 3600.0
    if not alarms or hours < 1 / 60:
        raise ValueError("a rejecting head needs a false alarm and a minute of background")
    alarms = alarms[-MOST_ALARMS:]
    centre: Values = background.mean(0, dtype=np.float64)
    false, stay = ([_directions(centre, rows) for rows in moments] for moments in (alarms, others))
    shown = np.concatenate(false)
    weights = shown / _thresholds(shown, stay)[:, None]
    return Rejecting(
        weights=weights.astype(np.float32),
        bias=(-weights @ centre).astype(np.float32),
        centre=centre.astype(np.float32),
        examples=len(alarms),
        found=_found(false, stay),
        lost=_lost(shown, stay),
        background_hours=hours,
    )


def _directions(centre: Values, rows: Rows) -> Values:
    """Return the unit vectors from the centre to the rows."""
    apart = rows - centre
    directions: Values = apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-12)
    return directions


def _thresholds(shown: Values, stay: Sequence[Values]) -> Values:
    """Return the least cosine to each direction at which a window is rejected."""
    least = np.full(len(shown), NEARNESS)
    if not stay:
        return least
    raised: Values = np.maximum(
        least, np.quantile(np.concatenate(stay) @ shown.T, 1.0 - MOST_LOST, axis=0) + 1e-3
    )
    return raised


def _rejected(shown: Values, thresholds: Values, moment: Values) -> bool:
    """Return whether at least half of a moment's rows are rejected."""
    return bool((moment @ shown.T > thresholds).any(1).mean() >= 0.5)


def _found(false: Sequence[Values], stay: Sequence[Values]) -> int:
    """Return how many false alarms the directions of the others reject."""
    count = 0
    for index, moment in enumerate(false):
        rest = [other for at, other in enumerate(false) if at != index]
        if rest:
            shown = np.concatenate(rest)
            count += _rejected(shown, _thresholds(shown, stay), moment)
    return count


def _lost(shown: Values, stay: Sequence[Values]) -> float:
    """Return the share of the other moments that is rejected, cross-fitted in two halves."""
    if len(stay) < 2:
        return 0.0
    lost = 0
    for half in (0, 1):
        thresholds = _thresholds(shown, stay[half::2])
        lost += sum(_rejected(shown, thresholds, moment) for moment in stay[1 - half :: 2])
    return lost / len(stay)
