"""Find repetitions within a recording: ambience collections often contain short takes, looped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.features.logmel import log_mel, matrix_sha256, mel_matrix
from monitor.features.spec import LogMelSpec
from training.data.audio import Waveform

BLOCK_S = 5.0
ALIKE = 0.9
"""Correlation from which a block counts as a copy. Re-encoded copies reach 0.9 to 0.99 in log-mel;
different segments of the same sound (hum, waves, voices) stay below 0.88."""
_HOP = 80
_FRAMES_PER_CALL = 200
_FLOOR_DB = 80.0

Decibels = NDArray[np.float64]


def repeated(samples: Waveform, rate: int) -> list[tuple[float, float]]:
    """Return the segments (start, end) in seconds that repeat an earlier one of the same recording."""
    decibels = _decibels(samples, rate)
    size = round(BLOCK_S * rate / _HOP)
    earlier = _Earlier(decibels, size)
    starts = [at for at in range(size, len(decibels) - size + 1, size) if earlier.alike(at) >= ALIKE]
    return [(at * _HOP / rate, (at + size) * _HOP / rate) for at in starts]


class _Earlier:
    """Correlates blocks of ``size`` frames with all earlier segments, with the mean of each band removed."""

    def __init__(self, decibels: Decibels, size: int) -> None:
        self._decibels, self._size = decibels, size
        self._length = 1 << (len(decibels) + size).bit_length()
        self._spectrum = np.fft.rfft(decibels, self._length, axis=0)
        sums = np.cumsum(np.pad(decibels, ((1, 0), (0, 0))), axis=0)
        squares = np.cumsum(np.pad(np.square(decibels).sum(axis=1), (1, 0)))
        means = (sums[size:] - sums[:-size]) / size
        self._energy = (squares[size:] - squares[:-size]) - size * np.square(means).sum(axis=1)

    def alike(self, at: int) -> float:
        """Return the highest correlation of the block at frame ``at`` with a segment that ends before it."""
        block = self._decibels[at : at + self._size]
        block = block - block.mean(axis=0)
        spectrum = np.conj(np.fft.rfft(block, self._length, axis=0))
        count = at - self._size + 1
        products = np.fft.irfft((self._spectrum * spectrum).sum(axis=1), self._length)[:count]
        energy = self._energy[:count] * np.square(block).sum()
        return float((products / np.sqrt(np.maximum(energy, 1e-9))).max())


def _decibels(samples: Waveform, rate: int) -> Decibels:
    """Return log-mel with a 5 ms hop at 16 kHz: copies seldom align with a coarser grid of frames."""
    spec = LogMelSpec(
        n_fft=512, win_length=512, hop=_HOP, frames=_FRAMES_PER_CALL, n_mels=32, fmin=50.0, fmax=rate / 2
    )
    hashed = spec.model_copy(update={"matrix_sha256": matrix_sha256(mel_matrix(spec, rate))})
    decibels = log_mel(samples, hashed, rate, _FRAMES_PER_CALL).astype(np.float64)
    floored: Decibels = np.maximum(decibels, decibels.max() - _FLOOR_DB)
    return floored
