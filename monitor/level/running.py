"""A quantile of the newest values of a stream."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque


class RunningQuantile:
    """The quantile, nearest rank below, of the last ``length`` values.

    Parameters
    ----------
    quantile : float
        0…1.
    length : int
        Values that count, at least 1.
    """

    def __init__(self, quantile: float, length: int) -> None:
        self._quantile = quantile
        self._length = length
        self.reset()

    def reset(self) -> None:
        """Forget all values."""
        self._newest: deque[float] = deque()
        self._sorted: list[float] = []

    def push(self, value: float) -> None:
        """Take a value; the oldest goes when there are more than ``length``."""
        if len(self._newest) == self._length:
            del self._sorted[bisect_left(self._sorted, self._newest.popleft())]
        self._newest.append(value)
        insort(self._sorted, value)

    @property
    def value(self) -> float | None:
        """The quantile; None before the first value."""
        if not self._sorted:
            return None
        return self._sorted[int(self._quantile * (len(self._sorted) - 1))]
