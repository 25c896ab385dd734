"""The noise of a stream per minute of UTC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.clock import Clock
from monitor.level.minutes import Minute, Minutes
from monitor.records import Reading


class MinuteRecorder:
    """Turns the readings of a stream into minutes of UTC.

    Parameters
    ----------
    rate : int
        Of the source, Hz.
    clock : Clock
        The stream's.
    offset_db : float or None
        What makes dBFS sound pressure levels in dB; None when not calibrated.
    """

    def __init__(self, rate: int, clock: Clock, offset_db: float | None) -> None:
        self._rate = rate
        self._clock = clock
        self._minutes = Minutes(rate, offset_db)

    def push(self, readings: Iterable[Reading]) -> Iterator[Minute]:
        """Yield the minutes that these readings leave behind."""
        for reading in readings:
            middle_s = (reading.end - reading.samples / 2) / self._rate
            done = self._minutes.push(reading, self._clock.utc_at(middle_s), self._clock.state)
            if done is not None:
                yield done

    def close(self, readings: Iterable[Reading]) -> Iterator[Minute]:
        """Yield the last minutes: the stream is over after these readings."""
        yield from self.push(readings)
        last = self._minutes.flush()
        if last is not None:
            yield last
