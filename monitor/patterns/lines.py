"""Short-time spectra around tones: a row of powers per frame, and the spectral line in a row.

Most audio holds no tone, so it is looked at in two steps. A chunk of :data:`FRAMES` frames is first
looked at in every :data:`STEP`-th frame, or in more of them if beeps are short; only if one of these
shows a line are all frames analysed. Otherwise the few rows stand for their neighbours. Frames do not
overlap and lie on a fixed grid from the start of the stream, so nothing depends on how the samples arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, floor, log2

import numpy as np
from numpy.typing import NDArray

from monitor.patterns.spec import Band
from monitor.records import Samples

FRAMES = 32
"""Frames in a chunk: about a second."""

STEP = 4
"""One frame of so many is looked at first; more where a beep could lie between two."""

_FRAME_S = 0.032
"""Longest frame: a third of the shortest beep of the standards (0.1 s)."""

_RATE = 16000
"""Higher rates are averaged down to no less than this."""

_ASIDE, _LINE = 8, 1
"""A line is held against the bins up to ``_ASIDE`` away, without those up to ``_LINE`` away."""

_PROMINENCE = 10.0
"""Power ratio of a line to its surroundings: in white noise one bin of 20 000 exceeds it."""

_FIRST_LOOK = 1.6
"""The first look at a chunk asks for so many times the prominence, so that noise seldom costs a second."""

_STEADY = 2.0
"""A line whose power stays within such a ratio over a chunk is a hum and no beep."""

_FLOOR = 1e-16
"""Power that counts as silence, far below the last bit of 24."""

Rows = NDArray[np.float32]
Marks = NDArray[np.bool_]
Counts = NDArray[np.intp]


@dataclass(frozen=True)
class Grid:
    """Frames and bins at one sample rate.

    Parameters
    ----------
    rate : Hz of the samples
    bands : frequencies that matter, Hz; those at or above the Nyquist frequency are left out
    step : one frame of so many is looked at first; it divides :data:`FRAMES`
    """

    rate: int
    bands: tuple[Band, ...]
    step: int = STEP

    @property
    def decimation(self) -> int:
        """Samples that are averaged into one."""
        return max(1, self.rate // _RATE)

    @property
    def size(self) -> int:
        """Averaged samples in a frame, a power of two."""
        return 1 << floor(log2(_FRAME_S * self.rate / self.decimation))

    @property
    def frame(self) -> int:
        """Samples in a frame."""
        return self.size * self.decimation

    @property
    def chunk(self) -> int:
        """Samples in a chunk."""
        return self.frame * FRAMES

    @property
    def frame_s(self) -> float:
        return self.frame / self.rate

    @property
    def chunk_s(self) -> float:
        return self.chunk / self.rate

    @property
    def step_s(self) -> float:
        """From one frame that is looked at first to the next."""
        return self.step * self.frame_s

    @property
    def bin_hz(self) -> float:
        return self.rate / self.frame

    @property
    def first(self) -> int:
        """The bin of column 0; bins below 0 Hz mirror those above."""
        return self.bin(min(low for low, _ in self.bands)) - _ASIDE - _LINE

    @property
    def last(self) -> int:
        """The bin after the last column."""
        return min(self.size // 2, self.bin(max(high for _, high in self.bands)) + _ASIDE + _LINE + 1)

    def bin(self, hz: float) -> int:
        return round(hz / self.bin_hz)

    def mask(self, bands: Iterable[Band]) -> Marks:
        """Which columns lie in the bands, shape (columns,)."""
        hz = np.arange(self.first, self.last) * self.bin_hz
        inside = np.zeros(len(hz), np.bool_)
        for low, high in bands:
            inside |= (hz >= low) & (hz <= high)
        return inside


class Spectra:
    """Turns chunks into rows; without a state.

    Parameters
    ----------
    grid : frames and columns
    """

    def __init__(self, grid: Grid) -> None:
        # Kept here, because a grid computes them at every call.
        self._size, self._decimation, self._step = grid.size, grid.decimation, grid.step
        self._columns = np.abs(np.arange(grid.first, grid.last))
        # Scaled so that a sine of full scale has a power of about 1 in its bin.
        window = np.hanning(grid.size + 1)[:-1]
        self._window = (window * 2.0 / window.sum() / grid.decimation).astype(np.float32)
        self._mask = grid.mask(grid.bands)

    def first_look(self, chunk: Samples, steady: bool) -> tuple[Rows, Counts | None]:
        """Return the powers of every ``grid.step``-th frame, and how many show a beep, by column, or None.

        chunk : shape (grid.chunk,)
        steady : whether a line that stays alike throughout the chunk may be a beep
        """
        power = self._power(chunk.reshape(FRAMES, -1)[:: self._step])
        return power, self._beeps(power, steady)

    def every_row(self, chunk: Samples) -> tuple[Rows, Marks]:
        """Return powers and lines of a chunk's frames, both of shape (FRAMES, columns).

        chunk : shape (grid.chunk,)
        """
        power = self._power(chunk.reshape(FRAMES, -1))
        return power, self._lines(power, _PROMINENCE)

    def _power(self, frames: Samples) -> Rows:
        step = self._decimation
        averaged = frames[:, ::step]
        for at in range(1, step):
            averaged = averaged + frames[:, at::step]
        spectrum = np.fft.rfft(averaged * self._window, axis=1)[:, self._columns]
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        return power.astype(np.float32, copy=False)

    def _beeps(self, power: Rows, steady: bool) -> Counts | None:
        """How many of these few rows have a line, unless all have it alike; None if there is no other."""
        prominence = _PROMINENCE * _FIRST_LOOK
        if not self._prominent(power, prominence).any():
            return None
        counts = self._lines(power, prominence).sum(axis=0)
        if not steady:
            counts *= power.max(axis=0) > _STEADY * power.min(axis=0)
        return counts if counts.any() else None

    def _prominent(self, power: Rows, prominence: float) -> Marks:
        """Where a bin stands out of its surroundings; of the columns that are no margin."""
        # The outermost columns are there to be held against; they are never lines themselves.
        total = np.cumsum(power, axis=1, dtype=np.float64)
        edge, inner = _ASIDE + 1, _LINE + 1
        stop = power.shape[1] - _ASIDE
        around = total[:, edge + _ASIDE : stop + _ASIDE] - total[:, : stop - edge]
        around -= total[:, edge + _LINE : stop + _LINE]
        around += total[:, edge - inner : stop - inner]
        around *= prominence / (2 * (_ASIDE - _LINE))
        np.maximum(around, _FLOOR, out=around)
        return np.greater(power[:, edge:stop], around) & self._mask[edge:stop]

    def _lines(self, power: Rows, prominence: float) -> Marks:
        """Where a prominent bin is a local maximum, shape (rows, columns)."""
        edge, stop = _ASIDE + 1, power.shape[1] - _ASIDE
        middle = power[:, edge:stop]
        found = self._prominent(power, prominence)
        found &= (middle >= power[:, edge - 1 : stop - 1]) & (middle >= power[:, edge + 1 : stop + 1])
        lines = np.zeros(power.shape, np.bool_)
        lines[:, edge:stop] = found
        return lines


def level_of(power: Rows) -> Rows:
    """Return the level over time of a line and what of it lies in the bins beside it, dB."""
    return np.asarray(10.0 * np.log10(power.sum(axis=1) + 1e-12), np.float32)


def frames_of(seconds: float, frame_s: float) -> int:
    """Frames that cover so many seconds."""
    return ceil(seconds / frame_s)


def joined(counts: Counts) -> Counts:
    """Add the neighbours to each column: a tone between two bins is a line in either."""
    total: Counts = counts.copy()
    total[1:] += counts[:-1]
    total[:-1] += counts[1:]
    return total


def most_frequent(likely: Counts, most: int) -> Iterator[int]:
    """Yield the columns with the highest counts, at most so many, none beside another.

    Parameters
    ----------
    likely
        Counts as :func:`joined` returns them, 0 where no line is wanted; not changed.
    """
    left = likely.copy()
    for _ in range(most):
        column = int(left.argmax())
        if not left[column]:
            return
        yield column
        left[max(0, column - 2) : column + 3] = 0
