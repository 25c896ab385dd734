"""Derive a pattern from a recording: tone, beeps, gaps, pause."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from monitor.patterns.lines import FRAMES, Grid, Spectra, level_of
from monitor.records import Samples

_LOWEST_HZ, _HIGHEST_HZ = 300.0, 8000.0
_DROP_DB = 8.0
"""A beep lasts while its level is less than so far below its usual one."""

_GROUP = 1.6
"""A silence is a pause if it is so many times as long as the shortest."""


@dataclass(frozen=True)
class PatternReading:
    """What a recording holds, as ``events.patterns.own`` takes it.

    hz : frequency of the tone
    beep_s, gap_s, pause_s : lengths, seconds; of regular beeps ``gap_s`` is the pause
    count : beeps in a group
    spread : the largest relative deviation of a beep or a silence from these
    """

    hz: float
    beep_s: float
    gap_s: float
    count: int
    pause_s: float
    spread: float


def read_pattern(samples: Samples, rate: int) -> PatternReading:
    """Return the pattern of the most frequent tone that comes and goes.

    samples : mono, shape (n,)

    Raises
    ------
    ValueError : no tone, no two equal groups, or a tone that does not stop
    """
    grid = Grid(rate, ((_LOWEST_HZ, min(_HIGHEST_HZ, 0.45 * rate)),))
    spectra = Spectra(grid)
    if not len(samples):
        raise ValueError("no tone stands out; the recording is empty")
    padded = np.pad(samples, (0, -len(samples) % grid.chunk))
    rows = [spectra.every_row(chunk) for chunk in padded.reshape(-1, FRAMES * grid.frame)]
    power = np.concatenate([power for power, _ in rows])
    lines = np.concatenate([lines for _, lines in rows])
    column = _busiest(lines, power)
    level = level_of(power[:, max(0, column - 1) : column + 2])
    top = float(np.quantile(level[lines[:, column]], 0.6))
    edges = _edges(level > top - _DROP_DB)
    lengths = (edges[:, 1] - edges[:, 0]).astype(np.float64) * grid.frame_s
    silences = (edges[1:, 0] - edges[:-1, 1]).astype(np.float64) * grid.frame_s
    after_s = len(samples) / rate - edges[-1, 1] * grid.frame_s if len(edges) else 0.0
    hz = _frequency(power[level > top - _DROP_DB / 2], column) * grid.bin_hz + grid.first * grid.bin_hz
    return _reading(hz, lengths, silences, after_s)


def _busiest(lines: NDArray[np.bool_], power: NDArray[np.float32]) -> int:
    """The column whose line is there often enough and stands out the most."""
    counts = lines.sum(axis=0)
    if counts.max(initial=0) < 6:
        raise ValueError("no tone stands out; record it closer, without other sounds")
    loudness = (power * lines).sum(axis=0)
    return int(np.argmax(np.where(counts >= 6, loudness, 0.0)))


def _edges(on: NDArray[np.bool_]) -> NDArray[np.intp]:
    """First frame and frame after the last of every beep, shape (beeps, 2); single frames are noise."""
    steps = np.diff(np.concatenate([[False], on, [False]]).astype(np.int8))
    edges = np.stack([np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)], axis=1)
    return edges[edges[:, 1] - edges[:, 0] >= 2]


def _frequency(power: NDArray[np.float32], column: int) -> float:
    """The line's column, to a fraction: the vertex of a parabola through its logarithm."""
    low, mid, high = np.log(power[:, column - 1 : column + 2].mean(axis=0) + 1e-16)
    bend = low - 2 * mid + high
    return float(column + (0.5 * (low - high) / bend if bend < 0 else 0.0))


def _reading(
    hz: float, lengths: NDArray[np.float64], silences: NDArray[np.float64], after_s: float
) -> PatternReading:
    """Sort silences into gaps and pauses; ``after_s`` follows the last beep."""
    if len(lengths) < 4:
        raise ValueError(f"holds {len(lengths)} beeps; four beeps in two groups at least are needed")
    beep_s = float(np.median(lengths))
    pauses = silences > _GROUP * silences.min()
    if not pauses.any():
        if after_s > _GROUP * 2 * silences.max():
            raise ValueError(f"one group of {len(lengths)} beeps; two equal groups at least are needed")
        pause_s = float(np.median(silences))
        spread = max(_spread(lengths, beep_s), _spread(silences, pause_s))
        return PatternReading(hz, beep_s, pause_s, 1, pause_s, spread)
    starts = np.concatenate([[0], np.flatnonzero(pauses) + 1, [len(lengths)]])
    sizes = [int(stop - start) for start, stop in pairwise(starts)]
    # The recording may begin or end within a group, so only the largest group is complete.
    count = max(sizes)
    if sizes.count(count) < 2 or any(size != count for size in sizes[1:-1]):
        raise ValueError(
            f"groups of {', '.join(map(str, sizes))} beeps; two equal groups at least are needed"
        )
    gap_s, pause_s = float(np.median(silences[~pauses])), float(np.median(silences[pauses]))
    spread = max(_spread(lengths[1:-1], beep_s), _spread(silences[~pauses], gap_s))
    return PatternReading(hz, beep_s, gap_s, count, pause_s, max(spread, _spread(silences[pauses], pause_s)))


def _spread(lengths: NDArray[np.float64], usual: float) -> float:
    return float(np.abs(lengths / usual - 1.0).max(initial=0.0))
