"""Statistics of an attack run and of the event it becomes."""

from __future__ import annotations

import math

from monitor.records import SILENCE_DBFS, Level


class Tally:
    """Running peak and mean of scores, and maximum levels, over a number of rows."""

    __slots__ = ("lafmax_dbfs", "level_dbfs", "over_db", "over_l90_db", "peak", "rows", "total")

    def __init__(self) -> None:
        self.rows = 0
        self.total = 0.0
        self.peak = 0.0
        self.level_dbfs = SILENCE_DBFS
        self.over_db = -math.inf
        self.lafmax_dbfs = SILENCE_DBFS
        self.over_l90_db = -math.inf

    def add(self, score: float, level: Level) -> None:
        self.rows += 1
        self.total += score
        self.peak = max(self.peak, score)
        self.level_dbfs = max(self.level_dbfs, level.rms_dbfs)
        self.over_db = max(self.over_db, level.over_background_db)
        self.lafmax_dbfs = max(self.lafmax_dbfs, level.lafmax_dbfs)
        self.over_l90_db = max(self.over_l90_db, level.over_l90_db)

    def merge(self, other: Tally) -> None:
        """Add the rows of a gap; their scores are below ``exit``, so the peak is unchanged."""
        self.rows += other.rows
        self.total += other.total
        self.level_dbfs = max(self.level_dbfs, other.level_dbfs)
        self.over_db = max(self.over_db, other.over_db)
        self.lafmax_dbfs = max(self.lafmax_dbfs, other.lafmax_dbfs)
        self.over_l90_db = max(self.over_l90_db, other.over_l90_db)


class Run:
    """An attack run, and the event that it becomes when confirmed.

    ``counted`` covers the rows from the first of the run to the last at or above ``exit``. ``pending``
    covers the rows below ``exit`` since then, which are merged if the score returns; ``below_pos`` is
    the first of them.
    """

    __slots__ = ("below_pos", "counted", "key", "opened_pos", "pending", "start_pos")

    def __init__(self, start_pos: int) -> None:
        self.start_pos = start_pos
        self.key = 0
        self.opened_pos = 0
        self.below_pos: int | None = None
        self.counted = Tally()
        self.pending = Tally()
