"""Combine readings of the meter into minutes of UTC, the unit that is published and stored."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from monitor.level.meter import decibels
from monitor.records import ClockState, Reading

MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Minute:
    """The noise of a minute, A-weighted; levels in dBFS.

    Parameters
    ----------
    minute : int
        Whole minutes since 1970, UTC.
    duration_s : float
        What was measured of it, seconds.
    laeq_dbfs, lafmax_dbfs : float
        Equivalent level, and highest level with time weighting F.
    lcpeak_dbfs : float
        C-weighted peak.
    l10_dbfs, l50_dbfs, l90_dbfs : float
        Exceeded 10, 50 and 90 % of the time, by the level with time weighting F.
    overload_s : float
        Time in which samples reached full scale, in steps of a reading.
    offset_db : float or None
        What makes dBFS sound pressure levels in dB; None when not calibrated.
    distribution : bytes
        How often each decibel was read, see :func:`distribution`.
    clock : str
        As in event records; ``unsynced``: ``minute`` is wrong.
    """

    minute: int
    duration_s: float
    laeq_dbfs: float
    lafmax_dbfs: float
    lcpeak_dbfs: float
    l10_dbfs: float
    l50_dbfs: float
    l90_dbfs: float
    overload_s: float = 0.0
    offset_db: float | None = None
    distribution: bytes = b""
    clock: ClockState = "synced"


@dataclass
class _Open:
    """The minute under way."""

    minute: int
    clock: ClockState
    samples: int = 0
    energy: float = 0.0
    fast_max: float = 0.0
    peak: float = 0.0
    overload: int = 0
    levels: list[float] = field(default_factory=list)


class Minutes:
    """Puts one stream's readings into minutes.

    Parameters
    ----------
    rate : int
        Of the readings' positions, Hz.
    offset_db : float or None
        As in :class:`Minute`.
    """

    def __init__(self, rate: int, offset_db: float | None = None) -> None:
        self._rate = rate
        self._offset_db = offset_db
        self._open: _Open | None = None

    def push(self, reading: Reading, utc: float, clock: ClockState = "synced") -> Minute | None:
        """Take a reading; return the minute that it leaves behind, mostly none.

        Parameters
        ----------
        utc : float
            When the middle of the reading was recorded, seconds since 1970.
        clock : str
            As in :class:`Minute`.
        """
        minute, done = int(utc // MINUTE_S), None
        # A refitted clock goes back by milliseconds: that reopens no minute. A clock that was set does.
        if self._open is None or minute > self._open.minute or minute < self._open.minute - 1:
            done = self.flush()
            self._open = _Open(minute, clock)
        self._add(self._open, reading)
        return done

    def flush(self) -> Minute | None:
        """Return the minute under way, if any: the stream is over."""
        under_way, self._open = self._open, None
        if under_way is None:
            return None
        l10, l50, l90 = exceeded(np.array(under_way.levels))
        return Minute(
            minute=under_way.minute,
            duration_s=under_way.samples / self._rate,
            laeq_dbfs=decibels(under_way.energy / under_way.samples),
            lafmax_dbfs=decibels(under_way.fast_max),
            lcpeak_dbfs=decibels(under_way.peak**2),
            l10_dbfs=l10,
            l50_dbfs=l50,
            l90_dbfs=l90,
            overload_s=under_way.overload / self._rate,
            offset_db=self._offset_db,
            distribution=distribution(under_way.levels),
            clock=under_way.clock,
        )

    def _add(self, to: _Open, reading: Reading) -> None:
        to.samples += reading.samples
        to.energy += reading.mean_square * reading.samples
        to.fast_max = max(to.fast_max, reading.fast_max)
        to.peak = max(to.peak, reading.peak)
        to.overload += reading.samples if reading.overload else 0
        to.levels.append(decibels(reading.fast))


def exceeded(levels: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float, float]:
    """Return the levels exceeded 10, 50 and 90 % of the time."""
    l90, l50, l10 = np.quantile(levels, (0.1, 0.5, 0.9)).tolist()
    return l10, l50, l90


def distribution(levels: list[float]) -> bytes:
    """Return the counts of levels in classes of 1 dB: the lowest class as a signed byte, then a byte each.

    A minute holds 250 readings; where a class holds more than 255, all counts are scaled down.
    """
    classes = np.floor(levels).astype(np.int64)
    lowest = int(classes.min())
    counts = np.bincount(classes - lowest)
    if counts.max() > 255:
        counts = -(-counts * 255 // counts.max())  # rounded up: what was read stays
    return lowest.to_bytes(1, "big", signed=True) + counts.astype(np.uint8).tobytes()


def spread(packed: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return levels with a given distribution, spread evenly over their classes; the inverse of it."""
    counts = np.frombuffer(packed, np.uint8, offset=1)
    lowest = int.from_bytes(packed[:1], "big", signed=True)
    classes = np.repeat(np.arange(len(counts)) + lowest, counts)
    order = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    levels: np.ndarray[tuple[int], np.dtype[np.float64]] = classes + (order + 0.5) / np.repeat(counts, counts)
    return levels
