"""Aggregates the levels of many hops into one; pure."""

from __future__ import annotations

import math
from dataclasses import replace

from monitor.records import SILENCE_DBFS, Level


class LevelSpan:
    """Aggregates the levels of hops of equal length for a single message.

    ``rms_dbfs`` and ``laeq_1s_dbfs`` are power averages, ``peak_dbfs`` and ``lafmax_dbfs`` maxima,
    ``clipped`` is the sum, and ``background_dbfs`` and ``l90_dbfs`` are the newest values.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._newest: Level | None = None
        self._power = self._weighted_power = 0.0
        self._peak = self._loudest = SILENCE_DBFS
        self._clipped = self._count = 0

    def push(self, level: Level) -> None:
        """Add the level of one hop."""
        self._newest = level
        self._power += _power(level.rms_dbfs)
        self._weighted_power += _power(level.laeq_1s_dbfs)
        self._peak = max(self._peak, level.peak_dbfs)
        self._loudest = max(self._loudest, level.lafmax_dbfs)
        self._clipped += level.clipped
        self._count += 1

    def take(self) -> Level:
        """Return the aggregated level of the hops added since the last call.

        Raises
        ------
        ValueError
            There were no hops.
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
