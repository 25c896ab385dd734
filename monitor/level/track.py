"""The level meter of a stream: readings at the source's rate, returned per hop."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from monitor.level.meter import LevelMeter, decibels
from monitor.level.running import RunningQuantile
from monitor.records import SILENCE_DBFS, Reading, Samples

SPAN_S = 60.0
"""Length of the window of L90, seconds."""


@dataclass(frozen=True, slots=True)
class HopLevels:
    """The A-weighted levels of a hop; see :class:`monitor.records.Level`."""

    lafmax_dbfs: float
    laeq_1s_dbfs: float
    l90_dbfs: float
    readings: tuple[Reading, ...]


class LevelTrack:
    """Measures a stream and keeps the readings that no hop has taken yet.

    A reading belongs to the hop in which it ends. Which readings a hop gets depends on positions alone,
    so block sizes do not change it: the resampler gives a hop only after the meter had its samples.

    Parameters
    ----------
    source_rate : int
        Of the samples, Hz.
    rate : int
        Of the hops' positions, Hz.
    """

    def __init__(self, source_rate: int, rate: int) -> None:
        self._rates = (source_rate, rate)
        self._meter = LevelMeter(source_rate)
        self._waiting: deque[Reading] = deque()
        self._second: deque[Reading] = deque(maxlen=max(1, round(1.0 / self._meter.chunk_s)))
        self._l90 = RunningQuantile(0.1, max(1, round(SPAN_S / self._meter.chunk_s)))

    def push(self, samples: Samples) -> None:
        """Measure samples of one channel."""
        self._waiting.extend(self._meter.push(samples))

    def flush(self) -> None:
        """Measure the incomplete last chunk; the stream is over."""
        self._waiting.extend(self._meter.flush())

    def skip_to(self, position: int) -> None:
        """Continue at a position of the source; the audio in between was lost."""
        self.flush()
        self._meter.begin(position)

    def take(self, position: int | None) -> HopLevels:
        """Return the levels of the hop that ends at ``position``; None: of all remaining readings."""
        source_rate, rate = self._rates
        readings = []
        while self._waiting and (position is None or self._waiting[0].end * rate <= position * source_rate):
            readings.append(self._waiting.popleft())
            self._add(readings[-1])
        # A hop that is shorter than a reading may have none of its own.
        fast = [reading.fast_max for reading in readings] or [
            reading.fast for reading in [*self._second][-1:]
        ]
        samples = sum(reading.samples for reading in self._second)
        energy = sum(reading.mean_square * reading.samples for reading in self._second)
        l90 = self._l90.value
        return HopLevels(
            lafmax_dbfs=decibels(max(fast, default=0.0)),
            laeq_1s_dbfs=decibels(energy / samples) if samples else SILENCE_DBFS,
            l90_dbfs=SILENCE_DBFS if l90 is None else l90,
            readings=tuple(readings),
        )

    def _add(self, reading: Reading) -> None:
        self._second.append(reading)
        # Digital silence is a microphone that is muted: it neither enters L90 nor moves it on.
        if decibels(reading.mean_square) > SILENCE_DBFS:
            self._l90.push(decibels(reading.fast))
