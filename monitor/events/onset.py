"""Estimate the onset of a sound with finer resolution than the hop."""

from __future__ import annotations

import math
from collections import deque

RISE_SHARE = 0.4
"""How far up its rise, in log-odds, the score of a sound's first windows stands for the sound's onset."""
LEAST = 0.01
"""Scores nearer to 0 or 1 are all alike: as log-odds they would outweigh the rest."""


class Rise:
    """The recent scores of a class, used to locate the rise that led to an attack run.

    A sound fills the first windows only in part, so its score climbs over several hops, at varying speed.
    When it passes the threshold depends on how clear the sound is: several hops late for a faint one.
    The point at a fixed fraction of the way from minimum to peak does not depend on that.

    Parameters
    ----------
    span
        Number of samples before the first row of the run in which the rise may begin.
    """

    __slots__ = ("_rows", "_span")

    def __init__(self, span: int) -> None:
        self._span = span
        self._rows: deque[tuple[int, float]] = deque()

    def reset(self) -> None:
        """Discard all state; the next row begins a stream."""
        self._rows.clear()

    def push(self, position: int, score: float, first: int) -> None:
        """Process a row; ``first`` is where the attack run began, or would begin, at or before it."""
        self._rows.append((position, score))
        while self._rows[0][0] < first - self._span:
            self._rows.popleft()

    def position(self, first: int) -> int:
        """Return where the score of the run that began at ``first`` had risen; ``first`` if it did not rise.

        Log-odds are interpolated linearly between two rows.
        """
        rows = [(position, log_odds(score)) for position, score in self._rows]
        earlier = [odds for position, odds in rows if position <= first]
        peak = max(odds for position, odds in rows if position >= first)
        least = min(earlier)
        level = least + RISE_SHARE * (peak - least)
        lowest = earlier.index(least)
        for (before, low), (after, high) in zip(rows[lowest:], rows[lowest + 1 :], strict=False):
            if high >= level:
                share = (level - low) / (high - low) if high > low else 0.0
                return before + round(share * (after - before))
        return first


def log_odds(score: float) -> float:
    """Log-odds of a score, of scores very near 0 or 1 those of :data:`LEAST` from there."""
    held = min(max(score, LEAST), 1.0 - LEAST)
    return math.log(held / (1.0 - held))
