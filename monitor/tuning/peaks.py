"""Find the highest threshold at which each episode of a class would have been reported; pure.

An *episode* raises at most one alert: it begins at the first row at or above
:data:`FLOOR` and ends where the smoothed score stayed below it for ``release_s``. At a threshold
``t`` an event needs rows at or above ``t`` for ``attack_s`` without a break. So the episode is
reported exactly at the thresholds up to its *peak*, the largest over its runs of that length of
the smallest score in the run, and the alerts at ``t`` are the peaks at or above ``t``. Two
events that join only at a lower threshold count as one, so the number of alerts is a lower bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from monitor.events.limits import Limits
from monitor.events.smoothing import TrailingMean
from monitor.settings import ClassSettings

FLOOR = 0.1
"""Lowest threshold that is considered."""


class EpisodePeaks:
    """Tracks the episodes of one class in one stream.

    Parameters
    ----------
    settings : ClassSettings
        Smoothing, attack and release are used; the thresholds are not.
    rate : int
        Sample rate of all positions, Hz.
    """

    def __init__(self, settings: ClassSettings, rate: int) -> None:
        limits = Limits.of(settings, rate)
        self._attack, self._release = limits.attack, limits.release
        self._mean = TrailingMean(limits.smoothing)
        # The rows of the newest run, and those of them that may still be a run's smallest: a monotonic queue.
        self._rows: deque[int] = deque()
        self._least: deque[tuple[int, float]] = deque()
        self._below: int | None = None
        self._peak = 0.0
        self._open = False

    def push(self, position: int, score: float) -> float | None:
        """Add one row; return the peak of the episode that it ends, if any."""
        score = self._mean.push(position, score)
        if score >= FLOOR:
            if not self._open:
                self._open, self._peak = True, 0.0
                self._rows.clear()
                self._least.clear()
            self._below = None
        elif self._below is None:
            self._below = position
        if not self._open:
            return None
        self._add(position, score)
        released = self._below is not None and position - self._below >= self._release
        return self.close() if released else None

    def close(self) -> float | None:
        """End the open episode; return its peak, or None if no run was long enough."""
        peak = self._peak if self._open and self._peak >= FLOOR else None
        self._open = False
        return peak

    def _add(self, position: int, score: float) -> None:
        rows, least = self._rows, self._least
        while least and least[-1][1] >= score:
            least.pop()
        least.append((position, score))
        rows.append(position)
        # A run spans the attack when its first row lies so far back: the newest such row begins it.
        while len(rows) > 1 and rows[1] <= position - self._attack:
            rows.popleft()
        while least[0][0] < rows[0]:
            least.popleft()
        if rows[0] <= position - self._attack:
            self._peak = max(self._peak, least[0][1])


def alerts_at(peaks: Sequence[float], threshold: float) -> int:
    """Return how many of the episodes would have been reported."""
    return sum(peak >= threshold for peak in peaks)
