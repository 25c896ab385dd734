"""One level out of those of many hops; pure."""

from __future__ import annotations

import math
from dataclasses import replace

from monitor.records import SILENCE_DBFS, Level


class LevelSpan:
    """Collects the levels of hops of equal length until one message tells them all.

    ``rms_dbfs`` and ``laeq_1s_dbfs`` are means of power, ``peak_dbfs`` and ``lafmax_dbfs`` the highest,
    ``clipped`` is the sum; ``background_dbfs`` and ``l90_dbfs`` are the newest.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._newest: Level | None = None
        self._power = self._weighted_power = 0.0
        self._peak = self._loudest = SILENCE_DBFS
        self._clipped = self._count = 0

    def push(self, level: Level) -> None:
        """Add one hop."""
        self._newest = level
        self._power += _power(level.rms_dbfs)
        self._weighted_power += _power(level.laeq_1s_dbfs)
        self._peak = max(self._peak, level.peak_dbfs)
        self._loudest = max(self._loudest, level.lafmax_dbfs)
        self._clipped += level.clipped
        self._count += 1

    def take(self) -> Level:
        """Return the level of all hops since the last call, of which there must be one.

        Raises
        ------
        ValueError
            There was none.
        """
        if self._newest is None:
            raise ValueError("no hop since the last level")
        level = replace(
            self._newest,
            rms_dbfs=_dbfs(self._power / self._count),
            laeq_1s_dbfs=_dbfs(self._weighted_power / self._count),
            peak_dbfs=self._peak,
            lafmax_dbfs=self._loudest,
            clipped=self._clipped,
        )
        self._clear()
        return level


def _power(level_dbfs: float) -> float:
    return math.pow(10.0, level_dbfs / 10.0)


def _dbfs(power: float) -> float:
    return max(SILENCE_DBFS, 10.0 * math.log10(power))
