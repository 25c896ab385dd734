"""Level measurement of a hop."""

from __future__ import annotations

import math

import numpy as np

from monitor.level.meter import FULL_SCALE
from monitor.records import SILENCE_DBFS, Samples


def measure(samples: Samples) -> tuple[float, float, int]:
    """Return RMS and peak level in dBFS and the number of clipped samples.

    Both levels lie in −120 … 0 and exclude the mean (DC). A full-scale sine has an RMS of −3.01 dBFS,
    digital silence −120.

    Parameters
    ----------
    samples
        float32, shape (n,), n ≥ 1, finite, full scale ±1.
    """
    mean = np.add.reduce(samples) / np.float32(len(samples))
    # Subtracted before squaring: E[x²] − E[x]² loses a quiet sound on a large offset.
    varying = samples - mean
    power = float(varying.dot(varying)) / len(samples)
    highest, lowest = float(samples.max()), float(samples.min())
    peak = max(highest - float(mean), float(mean) - lowest)
    clipped = 0
    if max(highest, -lowest) >= FULL_SCALE:
        clipped = int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
    return _decibels(power), _decibels(peak * peak), clipped


def _decibels(power: float) -> float:
    if power <= 1e-12:
        return SILENCE_DBFS
    return min(0.0, 10.0 * math.log10(power))
