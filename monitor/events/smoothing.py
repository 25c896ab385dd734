"""Trailing mean of the newest scores."""

from __future__ import annotations

from collections import deque


class TrailingMean:
    """Mean over the rows whose position is above ``now − span``; with span 0, the row itself.

    The sum is recomputed at each row: windows hold only a few rows, and a running sum would make the
    last bits of a score depend on all earlier ones.

    Parameters
    ----------
    span
        Length of the mean in samples.
    """

    __slots__ = ("_positions", "_scores", "_span")

    def __init__(self, span: int) -> None:
        self._span = span
        self._positions: deque[int] = deque()
        self._scores: deque[float] = deque()

    def push(self, position: int, score: float) -> float:
        """Add one row and return the mean that ends with it."""
        if not self._span:
            return score
        positions, scores = self._positions, self._scores
        positions.append(position)
        scores.append(score)
        oldest = position - self._span
        while positions[0] <= oldest:
            positions.popleft()
            scores.popleft()
        return sum(scores) / len(scores)

    def reset(self) -> None:
        self._positions.clear()
        self._scores.clear()
