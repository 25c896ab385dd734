"""The sound level meter: from samples to readings four times a second.

Frequency weightings A and C, time weightings F and S and the C-weighted peak follow IEC 61672-1:2013.
All quantities are linear (mean squares and magnitudes, full scale ±1); :func:`decibels` turns them into
levels. A full-scale sine has a mean square of ½, which is −3.0 dBFS.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from monitor.level.blocks import GROUP, ChunkFilter
from monitor.level.weighting import design
from monitor.records import SILENCE_DBFS, Reading, Samples

CHUNK_S = 0.25
"""Time between readings, seconds; a chunk is the nearest whole number of groups of blocks to it."""


FAST_S, SLOW_S = 0.125, 1.0
"""Time constants of the time weightings F and S (IEC 61672-1:2013, 5.8.1), seconds."""

FULL_SCALE = 32767 / 32768
"""Samples of at least this magnitude count as overload: the highest that 16 bits reach upwards."""


class LevelMeter:
    """Measures one stream; block sizes do not change a bit of the readings.

    After a start or a gap the filters are at rest for the first sample, and F and S begin at the mean
    square of the first chunk, so that a steady sound is shown at its level at once.

    Parameters
    ----------
    rate : int
        Of the samples, Hz.
    """

    def __init__(self, rate: int) -> None:
        # Half a millisecond to one; of these sizes the cheapest to filter.
        self._block = 8 * max(2, round(rate / 16000))
        groups = max(1, round(CHUNK_S * rate / self._block / GROUP))
        self._filter = ChunkFilter(design(rate), self._block, groups)
        self._time = _TimeWeighting(self._block / rate, groups * GROUP)
        self._pending = np.zeros(groups * GROUP * self._block, np.float32)
        self.chunk_s = len(self._pending) / rate
        """Time between readings, seconds."""
        self.begin(0)

    def begin(self, position: int) -> None:
        """Forget everything: the next sample is at ``position``, after a gap or at the start."""
        self._position = position
        self._filled = 0
        self._fresh = True

    def push(self, samples: Samples) -> Iterator[Reading]:
        """Yield a reading for every chunk that the samples complete.

        Parameters
        ----------
        samples : ndarray, shape (n,), float32
            Finite, full scale ±1.
        """
        start = 0
        while start < len(samples):
            take = min(len(self._pending) - self._filled, len(samples) - start)
            self._pending[self._filled : self._filled + take] = samples[start : start + take]
            self._filled += take
            start += take
            if self._filled == len(self._pending):
                yield self._measure()

    def flush(self) -> Iterator[Reading]:
        """Yield a last reading of the samples that fill no chunk; the stream is over, or has a gap."""
        if self._filled:
            self._pending[self._filled :] = self._pending[self._filled - 1]
            yield self._measure()
            self._fresh = True

    def _measure(self) -> Reading:
        if self._fresh:
            self._filter.reset(float(self._pending[0]))
        a_weighted, c_weighted = self._filter.push(self._pending)
        count, self._filled = self._filled, 0
        whole, rest = divmod(count, self._block)
        powers = np.einsum("ij,ij->i", a_weighted, a_weighted)[: whole + (rest > 0)]
        powers *= np.float32(1 / self._block)
        if rest:
            last = a_weighted[whole, :rest]
            powers[-1] = last.dot(last) / rest
        mean_square = float(np.add.reduce(powers)) / len(powers)
        if self._fresh:
            self._time.begin(mean_square)
            self._fresh = False
        fast, fast_max, slow_max = self._time.push(powers)
        self._position += count
        return Reading(
            end=self._position,
            samples=count,
            mean_square=mean_square,
            fast=fast,
            fast_max=fast_max,
            slow_max=slow_max,
            peak=magnitude(c_weighted.reshape(-1)[:count]),
            overload=magnitude(self._pending[:count]) >= FULL_SCALE,
        )


class _TimeWeighting:
    """F and S of block powers: exponential means, exact for powers that are constant in a block.

    ``y[k] = d y[k−1] + (1 − d) p[k]`` is ``d^k (y₀ + Σ (1 − d) d^−j p[j])``: a cumulative sum, whose
    terms grow by e² over a chunk at most.
    """

    def __init__(self, block_s: float, blocks: int) -> None:
        tau_s = np.array([[FAST_S], [SLOW_S]])
        steps = np.arange(1, blocks + 1)
        self._decay = np.exp(-steps * block_s / tau_s)
        self._gain = (1 - self._decay[:, :1]) / self._decay
        self.begin(0.0)

    def begin(self, mean_square: float) -> None:
        self._last = np.full((2, 1), mean_square)

    def push(self, powers: Samples) -> tuple[float, float, float]:
        """Return F at the end, and the highest of F and of S."""
        count = len(powers)
        means = (powers * self._gain[:, :count]).cumsum(axis=1)
        means += self._last
        means *= self._decay[:, :count]
        self._last = means[:, -1:].copy()
        highest = np.maximum.reduce(means, axis=1)
        return float(means[0, -1]), float(highest[0]), float(highest[1])


def magnitude(samples: Samples) -> float:
    """Return the largest magnitude of one or more samples."""
    return max(float(np.maximum.reduce(samples)), -float(np.minimum.reduce(samples)))


def decibels(mean_square: float) -> float:
    """Return a level in dBFS, at least −120.

    The upper end is open: a weighting may lift a full-scale sound above full scale.
    """
    floor = 10 ** (SILENCE_DBFS / 10)
    return SILENCE_DBFS if mean_square <= floor else 10 * math.log10(mean_square)
