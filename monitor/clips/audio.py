"""The newest audio of a stream, in memory, from which clips are cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.features.resample import mono
from monitor.records import AudioBlock

Pcm = NDArray[np.int16]
Piece = tuple[int, Pcm]
"""Position of the first sample, and the samples."""

_FULL_SCALE = 32768.0


class RecentAudio:
    """Keeps the blocks of a stream as mono 16 bits: exactly what a mono source of 16 bits delivered."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self.end = 0
        """Position after the newest sample."""

    def push(self, block: AudioBlock) -> None:
        scaled = np.rint(mono(block.samples) * np.float32(_FULL_SCALE))
        samples = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
        self._pieces.append((block.position, samples))
        self.end = block.position + len(samples)

    def forget(self, before: int) -> None:
        """Drop the pieces that end at or before a position."""
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1]) <= before:
            self._pieces.popleft()

    def pieces(self, start: int, end: int) -> tuple[Piece, ...]:
        """Return the pieces that hold something of [start, end)."""
        return tuple(one for one in self._pieces if one[0] < end and one[0] + len(one[1]) > start)


def joined(pieces: Sequence[Piece], start: int, end: int) -> Pcm:
    """Return the samples of [start, end); audio that was lost is silence, so that all positions hold."""
    samples = np.zeros(end - start, np.int16)
    for position, piece in pieces:
        first, last = max(start, position), min(end, position + len(piece))
        samples[first - start : last - start] = piece[first - position : last - position]
    return samples
