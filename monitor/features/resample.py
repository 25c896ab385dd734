"""Stateful resampling to the model's rate, and what makes raw samples safe to use."""

from __future__ import annotations

import numpy as np
import soxr

from monitor.records import Samples

_LOUDEST = 4.0
"""Float files and drivers may exceed full scale; beyond 12 dB over it a sample is noise of the format."""


def mono(samples: Samples) -> Samples:
    """Mix channels down to one and replace what is not a number by zero; shape (n,)."""
    # Not a number compares false, so it takes the second way too.
    if not np.abs(samples).max(initial=0.0) <= _LOUDEST:
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).clip(-_LOUDEST, _LOUDEST)
    return samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)


class Resampler:
    """Resamples a mono stream; block sizes do not change a bit of the joined output.

    Output is bursty: soxr keeps up to 40 ms back and then gives several blocks at once.
    """

    def __init__(self, source_rate: int, rate: int) -> None:
        self._rates = (source_rate, rate)
        self._stream = None if source_rate == rate else soxr.ResampleStream(source_rate, rate, 1, "float32")

    def push(self, samples: Samples) -> Samples:
        if self._stream is None:
            return samples
        resampled: Samples = self._stream.resample_chunk(np.ascontiguousarray(samples))
        return resampled

    def flush(self) -> Samples:
        """Return what the filter still holds; the stream is over."""
        empty = np.empty(0, np.float32)
        if self._stream is None:
            return empty
        rest: Samples = self._stream.resample_chunk(empty, last=True)
        return rest
