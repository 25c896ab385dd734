"""Notice channels that make a recording sound other than it is: inverted, dead, or far over full scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.records import LOUDEST, Samples

_CANCELLED = 0.01
"""Share of the channels' power that is left in their mean; independent channels leave 1 / channels."""
_DEAD = 1e-6
"""Power of a dead channel relative to the loudest: 60 dB below it."""
_AUDIBLE = 1e-7
"""Mean power below which nothing can be said: -70 dBFS."""


class ChannelCheck:
    """Accumulates the power of each channel of one stream, and of their mean."""

    def __init__(self) -> None:
        self._power: NDArray[np.float64] = np.zeros(1)
        self._mixed = 0.0
        self._frames = 0
        self._peak = 0.0

    @property
    def frames(self) -> int:
        """Number of frames seen."""
        return self._frames

    def push(self, samples: Samples) -> None:
        """Take a block, shape (n,) or (n, channels)."""
        if not len(samples):
            return
        peak = float(np.fmax.reduce(np.abs(samples), axis=None))  # unlike max(), passes over NaN
        self._peak = max(self._peak, peak)
        if samples.ndim == 1 or not peak <= LOUDEST or np.isnan(samples).any():
            return
        if self._power.shape != samples.shape[1:]:
            self._power = np.zeros(samples.shape[1])
        self._power += np.einsum("ij,ij->j", samples, samples, dtype=np.float64)
        mixed = samples.mean(axis=1)
        self._mixed += float(mixed @ mixed)
        self._frames += len(samples)

    def findings(self) -> tuple[str, ...]:
        """Return what is odd about the stream so far, each in one line."""
        found = []
        if self._peak > LOUDEST:
            found.append(
                f"samples reach {self._peak:.3g} times full scale and are cut at {LOUDEST:g}; "
                "scale the recording to ±1 (integers stored as float?)"
            )
        loudest = float(self._power.max())
        if len(self._power) < 2 or loudest < _AUDIBLE * self._frames:
            return tuple(found)
        dead = [str(i) for i, power in enumerate(self._power, 1) if power < _DEAD * loudest]
        if dead:
            found.append(
                f"channel {', '.join(dead)} of {len(self._power)} is silent, which makes the mean softer; "
                "record or convert the others alone"
            )
        elif self._mixed < _CANCELLED * float(self._power.mean()):
            found.append(
                "the channels cancel each other and nearly nothing is left in their mean: one is inverted; "
                "swap its wires, or use one channel alone (ffmpeg -i OLD -af 'pan=mono|c0=c0' NEW)"
            )
        return tuple(found)
