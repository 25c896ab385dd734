"""The background level above which sounds are measured."""

from __future__ import annotations

from monitor.level.running import RunningQuantile
from monitor.records import SILENCE_DBFS

SPAN_S = 60.0
QUANTILE = 0.2
"""Low enough that sounds filling most of the minute do not lift it, high enough that
one unusually quiet moment does not pull it down."""


class BackgroundLevel:
    """The 20 % quantile (nearest rank below) of the levels of the last minute's hops.

    Digital silence is not treated as a level: the microphone is muted or not ready yet. It is neither
    added to the minute nor does it age it; otherwise everything would be 80 dB above the background
    when sound returns.

    Parameters
    ----------
    hop_s
        Time between hops, seconds.
    """

    def __init__(self, hop_s: float) -> None:
        self._levels = RunningQuantile(QUANTILE, max(1, round(SPAN_S / hop_s)))

    def reset(self) -> None:
        self._levels.reset()

    def push(self, rms_dbfs: float) -> float:
        """Add a hop's level, dBFS, and return the background, dBFS; for the first hop they are equal."""
        if rms_dbfs > SILENCE_DBFS:
            self._levels.push(rms_dbfs)
        value = self._levels.value
        return SILENCE_DBFS if value is None else value
