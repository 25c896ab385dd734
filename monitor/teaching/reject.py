"""Fits a head that rejects one's false alarms: "never this sound again"; pure numpy.

False alarms of one class may be of several kinds: each of them gets a direction of its own, that
of linear discriminant analysis between it and everything that is to stay, and a window is
rejected where one of them fires. What is to stay is the background and the other moments: alarms
that nobody called false, and sounds that were marked. The threshold of a direction lies between the two:
nearer to the false alarm, and so high that almost none of the moments that are to stay is rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.teaching.fit import Rows, Spread, Values

MOST_DIRECTIONS = 20
NEARNESS = 0.6
"""Where the threshold lies between the mean of what is to stay (0) and the false alarm (1)."""

MOST_LOST = 0.02
"""Share of the rows that are to stay that a direction may reject."""

_SAFE, _LOW = 5, 0.1
"""With so many moments that are to stay, the false alarm's weakest tenth of rows counts, else its mean."""


@dataclass(frozen=True)
class Rejecting:
    """A fitted head; it rejects a window where one of its logits is positive.

    weights : float32, shape (directions, n)
    bias : float32, shape (directions,)
    examples, found : false alarms, and how many of them heads fitted without them reject
    lost : share of the other moments that heads fitted without them reject
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
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
    alarms = alarms[-MOST_DIRECTIONS:]
    spread = Spread.of(np.concatenate([background, *others]))
    weights, bias = _directions(spread, alarms, others)
    return Rejecting(
        weights=weights.astype(np.float32),
        bias=bias.astype(np.float32),
        examples=len(alarms),
        found=_found(weights, bias, alarms),
        lost=_lost(spread, alarms, others),
        background_hours=hours,
    )


def _directions(spread: Spread, alarms: Sequence[Rows], others: Sequence[Rows]) -> tuple[Values, Values]:
    """Return weights and biases, a row for each false alarm."""
    stay = np.concatenate(others) if others else None
    weights, bias = [], []
    for rows in alarms:
        direction = spread.direction([rows])
        scores = direction.score(rows)
        height = np.quantile(scores, _LOW) if len(others) >= _SAFE else scores.mean()
        threshold = NEARNESS * float(height)
        if stay is not None:
            threshold = max(threshold, float(np.quantile(direction.score(stay), 1.0 - MOST_LOST)) + 1e-3)
        weights.append(direction.weights)
        bias.append(direction.bias - threshold)
    return np.stack(weights), np.array(bias)


def _rejected(weights: Values, bias: Values, rows: Rows) -> bool:
    """Return whether at least half of a moment's rows are rejected."""
    fires = (rows @ weights.T + bias > 0).any(1)
    return bool(fires.mean() >= 0.5)


def _found(weights: Values, bias: Values, alarms: Sequence[Rows]) -> int:
    """Return how many false alarms the directions of the others reject."""
    count = 0
    for index, rows in enumerate(alarms):
        rest = np.arange(len(alarms)) != index
        count += bool(rest.any()) and _rejected(weights[rest], bias[rest], rows)
    return count


def _lost(spread: Spread, alarms: Sequence[Rows], others: Sequence[Rows]) -> float:
    """Return the share of the other moments that is rejected, cross-fitted in two halves."""
    if len(others) < 2:
        return 0.0
    lost = 0
    for half in (0, 1):
        weights, bias = _directions(spread, alarms, others[half::2])
        lost += sum(_rejected(weights, bias, rows) for rows in others[1 - half :: 2])
    return lost / len(others)
