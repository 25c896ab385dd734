"""The newest chunks of a stream: a first look at each, and all frames where a tone comes again.

A pattern repeats its tone, and most tones in everyday sound do not come again at the same frequency. So a
beep alone costs nothing more than the first look. Once it comes again, all chunks with beeps are analysed in
full, and those beside them: a group of beeps may reach over the edge by one that lies between the
frames of a first look.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from monitor.patterns.lines import FRAMES, STEP, Counts, Grid, Marks, Rows, Spectra, joined
from monitor.records import Samples


@dataclass
class _Chunk:
    """Powers and lines of a chunk's frames; without lines, only every :data:`STEP`-th power."""

    samples: Samples
    power: Rows
    beeps: Counts | None = None
    lines: Marks | None = None


class Chunks:
    """The newest chunks of one stream.

    Parameters
    ----------
    grid : frames and columns
    keep : chunks that are kept
    apart : a tone comes again if it was there so many chunks before the newest, or earlier
    seen : frames of a first look in which it must be seen, now and then
    """

    def __init__(self, grid: Grid, keep: int, apart: int, seen: int) -> None:
        self._spectra = Spectra(grid)
        self._grid, self._keep, self._apart, self._seen = grid, keep, apart, seen
        self.reset()

    def reset(self) -> None:
        """Forget everything: before the stream there was silence."""
        rows = np.zeros((FRAMES // STEP, self._grid.last - self._grid.first), np.float32)
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
        power, beeps = self._spectra.first_look(self._pending)
        # The oldest chunk's samples make room for the next.
        oldest = self._chunks.popleft()
        self._chunks.append(_Chunk(self._pending, power, beeps))
        self._pending, self._filled = oldest.samples, 0
        return self._again()

    def frames(self) -> tuple[Rows, Marks]:
        """Return powers and lines of all frames that are kept, both of shape (frames, columns)."""
        chunks = list(self._chunks)
        for at, chunk in enumerate(chunks):
            if chunk.lines is None and any(one.beeps is not None for one in chunks[max(0, at - 1) : at + 2]):
                chunk.power, chunk.lines = self._spectra.every_row(chunk.samples)
        nothing = np.zeros((FRAMES, self._grid.last - self._grid.first), np.bool_)
        powers = [np.repeat(one.power, STEP, axis=0) if one.lines is None else one.power for one in chunks]
        return np.concatenate(powers), np.concatenate(
            [nothing if one.lines is None else one.lines for one in chunks]
        )

    def _again(self) -> bool:
        # A group that has just ended has a beep in this chunk or in the one before.
        chunks = list(self._chunks)
        recent = _total(chunks[-2:])
        if recent is None or not self._apart:
            return recent is not None
        before = _total(chunks[: -self._apart])
        return before is not None and bool(
            ((joined(recent) >= self._seen) & (joined(before) >= self._seen)).any()
        )


def _total(chunks: list[_Chunk]) -> Counts | None:
    counts = [chunk.beeps for chunk in chunks if chunk.beeps is not None]
    return np.add.reduce(counts) if counts else None
