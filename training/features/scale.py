"""Standardise feature columns by the statistics of the training folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Half = NDArray[np.float16]

_CLIPS_AT_ONCE = 64


@dataclass(frozen=True)
class Scaler:
    """Mean and deviation of each column, shape (columns,), over all frames of the fitted clips."""

    mean: Floats
    deviation: Floats

    @classmethod
    def fit(cls, values: Floats | Half, rows: NDArray[np.int64] | None = None) -> Scaler:
        """Fit on ``values``, shape (clips, frames, columns), or on its ``rows``, in one pass.

        Clips are read in small groups, so the file may be larger than the memory.
        """
        chosen = np.arange(len(values)) if rows is None else rows
        if not len(chosen):
            raise ValueError("a scaler cannot be fitted on no clips")
        count, mean, squares = 0, np.zeros(values.shape[2]), np.zeros(values.shape[2])
        for i in range(0, len(chosen), _CLIPS_AT_ONCE):
            frames = np.asarray(values[chosen[i : i + _CLIPS_AT_ONCE]], np.float64)
            frames = frames.reshape(-1, values.shape[2])
            # Chan et al. 1979: merging by differences of means is more accurate than sums of squares.
            step = frames.mean(axis=0) - mean
            total = count + len(frames)
            squares += ((frames - frames.mean(axis=0)) ** 2).sum(axis=0)
            squares += step**2 * count * len(frames) / total
            mean += step * len(frames) / total
            count = total
        deviation = np.sqrt(squares / count)
        # A constant column (a band above every recording's cut-off) becomes 0, as in scikit-learn.
        deviation[deviation < 1e-6] = 1.0
        return cls(mean.astype(np.float32), deviation.astype(np.float32))

    def apply(self, values: Floats | Half) -> Floats:
        """Return ``(values − mean) / deviation`` as float32; any shape that ends in columns."""
        scaled: Floats = (np.asarray(values, np.float32) - self.mean) / self.deviation
        return scaled
