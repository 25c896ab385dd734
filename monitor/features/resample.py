"""Mix to mono, clean up samples, and resample to the model's rate with state."""

from __future__ import annotations

import numpy as np
import soxr

from monitor.records import LOUDEST, Samples


def mono(samples: Samples) -> Samples:
    """Mix channels to one and replace NaN by zero; shape (n,)."""
    # NaN compares false and takes the second branch too.
    if not np.abs(samples).max(initial=0.0) <= LOUDEST:
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).clip(-LOUDEST, LOUDEST)
    return samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)


class Resampler:
    """Resamples a mono stream; the output does not depend on block sizes, to the bit.

    Output is bursty: soxr holds back up to 40 ms and then returns several blocks at once.
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
        """Return the rest of the filter's output at the end of the stream."""
        empty = np.empty(0, np.float32)
        if self._stream is None:
            return empty
        rest: Samples = self._stream.resample_chunk(empty, last=True)
        return rest
