"""Map stream positions to UTC, for live streams and for files.

All logic runs on sample positions; UTC is added when a record is made. A live clock maps
position → monotonic → UTC. Both mappings are updated while audio arrives: sound cards drift by
minutes a month, and a board without a battery-backed clock boots in the past.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Protocol

from monitor.records import AudioBlock, ClockState

log = logging.getLogger(__name__)

REFIT_S = 60.0
"""Seconds between two fits of the mapping from position to monotonic time."""

LATE_S, LOST_S = 5.0, 1.0
"""If all blocks of LATE_S are later than LOST_S, they are not late: the driver lost audio before them."""

STEP_S = 0.5
"""A jump of UTC against the monotonic clock larger than this is a step, not drift."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_PLAUSIBLE_FROM = datetime(2025, 1, 1, tzinfo=timezone.utc).timestamp()


class Clock(Protocol):
    """Returns when a position of the stream was captured, in UTC seconds since 1970."""

    def utc_at(self, seconds: float) -> float: ...

    @property
    def state(self) -> ClockState: ...


class FileClock:
    """The clock of a recording whose start time is known."""

    def __init__(self, start_utc: float, state: ClockState = "file") -> None:
        self._start = start_utc
        self.state: ClockState = state

    def utc_at(self, seconds: float) -> float:
        return self._start + seconds


class LiveClock:
    """The clock of one live stream.

    Parameters
    ----------
    rate : int
        Sample rate of the blocks given to :meth:`observe`, Hz.
    monotonic, utc : Callable[[], float]
        Clocks, seconds.
    """

    def __init__(
        self,
        rate: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._utc = utc
        self._utc_offset = utc() - monotonic()
        self._stream_offset: float | None = None
        self._fit_offset = self._late_offset = float("inf")
        self._fit_until = self._late_until = 0.0

    def observe(self, block: AudioBlock) -> None:
        """Update the mapping from a block's arrival time.

        A block can only arrive late, so the earliest arrival of each minute is the best estimate;
        the current minute may only improve on it. A driver that loses audio without a word, as when the
        process was stopped, makes all that follow late.
        """
        if block.arrived is None:
            return
        end_s = (block.position + len(block.samples)) / self._rate
        offset = block.arrived - end_s
        if self._stream_offset is None:
            self._stream_offset = offset
            self._start_fit(block.arrived)
        self._fit_offset = min(self._fit_offset, offset)
        self._stream_offset = min(self._stream_offset, offset)
        if block.arrived >= self._fit_until:
            self._stream_offset = self._fit_offset
            self._start_fit(block.arrived)
        if block.arrived >= self._late_until:
            if LOST_S < self._late_offset - self._stream_offset < float("inf"):
                self._stream_offset = self._late_offset
                self._start_fit(block.arrived)
            self._late_offset, self._late_until = float("inf"), block.arrived + LATE_S
        self._late_offset = min(self._late_offset, offset)
        self._follow_utc()

    def _start_fit(self, arrived: float) -> None:
        self._fit_offset = float("inf")
        self._fit_until = arrived + REFIT_S

    def utc_at(self, seconds: float) -> float:
        stream_offset = self._stream_offset
        if stream_offset is None:
            return self._utc()
        return seconds + stream_offset + self._utc_offset

    @property
    def state(self) -> ClockState:
        return "synced" if self._utc() >= _PLAUSIBLE_FROM else "unsynced"

    def _follow_utc(self) -> None:
        offset = self._utc() - self._monotonic()
        step = offset - self._utc_offset
        if abs(step) > STEP_S:
            log.warning("the system clock was set by %+.1f s; event times follow it", step)
        self._utc_offset = offset


def iso_utc(seconds: float) -> str:
    """Format seconds since 1970 as UTC with milliseconds: ``2026-01-31T12:00:00.000Z``."""
    # Round to milliseconds first: a float may lie just below one and be truncated.
    moment = _EPOCH + timedelta(milliseconds=round(seconds * 1000))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_utc(text: str) -> float:
    """Return the seconds since 1970 of an ISO 8601 time; UTC if it has no offset.

    Raises
    ------
    ValueError
        If it is not ISO 8601, or outside the years 2 to 9998, where time arithmetic works.
    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    if not 2 <= moment.year <= 9998:
        raise ValueError(f"the year {moment.year} is outside 2…9998")
    return (moment - _EPOCH).total_seconds()
