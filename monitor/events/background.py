"""The level without events: what a sound stands out from."""

from __future__ import annotations

from monitor.level.running import RunningQuantile
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
        self._levels = RunningQuantile(QUANTILE, max(1, round(SPAN_S / hop_s)))

    def reset(self) -> None:
        self._levels.reset()

    def push(self, rms_dbfs: float) -> float:
        """Take a hop's level and return the background, dBFS: the first level heard is its own."""
        if rms_dbfs > SILENCE_DBFS:
            self._levels.push(rms_dbfs)
        value = self._levels.value
        return SILENCE_DBFS if value is None else value
