"""The level without events: what a sound stands out from."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

from monitor.records import SILENCE_DBFS

SPAN_S = 60.0
QUANTILE = 0.2
"""Low enough that sounds filling most of the minute do not lift it, high enough that
one unusually quiet moment does not pull it down."""


class BackgroundLevel:
    """The 20 % quantile (nearest rank below) of the hops' levels over the last minute.

    hop_s : seconds between hops

    Digital silence is no level but a microphone that is muted or not yet there: it neither
    enters the minute nor moves it on. Otherwise everything would stand 80 dB over the
    background when sound comes back.
    """

    def __init__(self, hop_s: float) -> None:
        self._rows = max(1, round(SPAN_S / hop_s))
        self.reset()

    def reset(self) -> None:
        self._newest: deque[float] = deque()
        self._sorted: list[float] = []

    def push(self, rms_dbfs: float) -> float:
        """Take a hop's level and return the background, dBFS: the first level heard is its own."""
        if rms_dbfs > SILENCE_DBFS:
            self._add(rms_dbfs)
        elif not self._sorted:
            return SILENCE_DBFS
        return self._sorted[int(QUANTILE * (len(self._sorted) - 1))]

    def _add(self, rms_dbfs: float) -> None:
        if len(self._newest) == self._rows:
            del self._sorted[bisect_left(self._sorted, self._newest.popleft())]
        self._newest.append(rms_dbfs)
        insort(self._sorted, rms_dbfs)
