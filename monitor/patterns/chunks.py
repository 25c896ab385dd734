"""The newest chunks of a stream: a first look at each, and all frames where a tone comes again.

A pattern repeats its tone, and most tones in everyday sound do not come again at the same frequency. So a
beep alone costs nothing more than the first look. Once it comes again, all chunks with that tone are analysed
in full, and those beside them: a group of beeps may reach over the edge by one that lies between the
frames of a first look.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from monitor.patterns.lines import FRAMES, Counts, Grid, Marks, Rows, Spectra, joined, level_of
from monitor.records import Samples

_NO_LINE = np.zeros(FRAMES, np.bool_)


@dataclass(frozen=True)
class Again:
    """What a tone that comes again looks like to first looks.

    Parameters
    ----------
    apart : it was there so many chunks before the newest, or earlier
    seen : frames in which it is seen then, and again in the newest two chunks
    total : frames in which it is seen in all
    steady : whether it may stay throughout a chunk, as a beep longer than a chunk does
    """

    apart: int
    seen: int
    total: int
    steady: bool = False


@dataclass
class _Chunk:
    """Powers and lines of a chunk's frames; without lines, only the powers of a first look."""

    samples: Samples
    power: Rows
    beeps: Counts | None = None
    lines: Marks | None = None
    counts: Counts | None = None


@dataclass(frozen=True)
class Line:
    """A spectral line over time.

    Parameters
    ----------
    level : of the line and what of it lies in the bins beside it, dB, shape (frames,)
    marks : whether it was a line, shape (frames,)
    """

    level: Rows
    marks: Marks


class Chunks:
    """The newest chunks of one stream.

    Parameters
    ----------
    grid : frames and columns
    keep : chunks that are kept
    wanted : when a tone comes again; one of these suffices
    """

    def __init__(self, grid: Grid, keep: int, wanted: Sequence[Again]) -> None:
        self._spectra = Spectra(grid)
        self._grid, self._keep, self._wanted = grid, keep, wanted
        self._steady = any(one.steady for one in wanted)
        self.reset()

    def reset(self) -> None:
        """Forget everything: before the stream there was silence."""
        rows = np.zeros((FRAMES // self._grid.step, self._grid.last - self._grid.first), np.float32)
        self._chunks = deque(
            (_Chunk(np.zeros(self._grid.chunk, np.float32), rows) for _ in range(self._keep)), self._keep
        )
        self._pending = np.zeros(self._grid.chunk, np.float32)
        self._filled = 0

    def fill(self, samples: Samples) -> int:
        """Take samples up to the end of a chunk; return how many.

        :attr:`full` says whether that was a chunk's last one.
        """
        take = min(len(self._pending) - self._filled, len(samples))
        self._pending[self._filled : self._filled + take] = samples[:take]
        self._filled += take
        return take

    @property
    def full(self) -> bool:
        """Whether a chunk is complete, for :meth:`take`."""
        return self._filled == len(self._pending)

    def take(self) -> bool:
        """Add the complete chunk; return whether a tone came again, or did in the chunk before."""
        power, beeps = self._spectra.first_look(self._pending, self._steady)
        # The oldest chunk's samples make room for the next.
        oldest = self._chunks.popleft()
        self._chunks.append(_Chunk(self._pending, power, beeps))
        self._pending, self._filled = oldest.samples, 0
        self._tones = self._again()
        return bool(self._tones.any())

    def counts(self) -> Counts:
        """Return the frames with a line of each chunk, where a tone came again, shape (chunks, columns)."""
        chunks = list(self._chunks)
        tones = joined(self._tones) > 0
        having = [chunk.beeps is not None and bool(chunk.beeps[tones].any()) for chunk in chunks]
        for at, chunk in enumerate(chunks):
            if chunk.lines is None and any(having[max(0, at - 1) : at + 2]):
                chunk.power, chunk.lines = self._spectra.every_row(chunk.samples)
                chunk.counts = chunk.lines.sum(axis=0)
        nothing = np.zeros(self._grid.last - self._grid.first, np.intp)
        return np.stack([nothing if one.counts is None else one.counts for one in chunks])

    def line(self, column: int, frames: int) -> Line:
        """Return a line over the newest frames."""
        around = slice(max(0, column - 1), column + 2)
        chunks = list(self._chunks)[-ceil(frames / FRAMES) :]
        levels = [level_of(chunk.power[:, around]) for chunk in chunks]
        levels = [np.repeat(level, FRAMES // len(level)) for level in levels]
        marks = [_NO_LINE if one.lines is None else one.lines[:, around].any(axis=1) for one in chunks]
        return Line(np.concatenate(levels)[-frames:], np.concatenate(marks)[-frames:])

    def _again(self) -> Counts:
        """Return what is not zero in the columns of tones that came again."""
        # A group that has just ended has a beep in this chunk or in the one before.
        chunks = list(self._chunks)
        recent, every = _seen(chunks[-2:]), _seen(chunks)
        again = np.zeros_like(recent)
        for one in self._wanted if recent.any() else ():
            found = (recent >= one.seen) & (every >= one.total)
            if found.any():
                again += found & (_seen(chunks[: len(chunks) - one.apart]) >= one.seen)
        return again


def _seen(chunks: list[_Chunk]) -> Counts:
    """Frames of first looks with a line, by column and in those beside it."""
    counts = [chunk.beeps for chunk in chunks if chunk.beeps is not None]
    if not counts:
        return np.zeros(chunks[0].power.shape[1], np.intp)
    return joined(np.add.reduce(counts))
