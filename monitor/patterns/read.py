"""Derive a pattern from a recording: tone, beeps, gaps, pause."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from monitor.patterns.lines import Grid, Spectra, level_of
from monitor.records import Samples

_LOWEST_HZ, _HIGHEST_HZ = 180.0, 8000.0
_DROP_DB = 8.0
"""A beep lasts while its level is less than so far below its usual one."""

_SHIFTS = 4
"""Frames begin at so many places within a frame, so that an edge is known to a fraction of it."""

_APART, _ENDED = 1.3, 3.0
"""Pauses are so many times as long as gaps at least; regular beeps are over after so many silences."""


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
    grid = Grid(rate, ((_LOWEST_HZ, min(_HIGHEST_HZ, 0.47 * rate)),))
    if not len(samples):
        raise ValueError("no tone stands out; the recording is empty")
    power, lines = _rows(samples, grid)
    frame_s = grid.frame_s / _SHIFTS
    column = _busiest(lines, power)
    level = level_of(power[:, max(0, column - 1) : column + 2])
    top = float(np.quantile(level[lines[:, column]], 0.6))
    edges = _edges(level > top - _DROP_DB)
    lengths = (edges[:, 1] - edges[:, 0]).astype(np.float64) * frame_s
    silences = (edges[1:, 0] - edges[:-1, 1]).astype(np.float64) * frame_s
    after_s = len(samples) / rate - edges[-1, 1] * frame_s if len(edges) else 0.0
    hz = _frequency(power[level > top - _DROP_DB / 2], column) * grid.bin_hz + grid.first * grid.bin_hz
    return _reading(hz, lengths, silences, after_s)


def _rows(samples: Samples, grid: Grid) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Powers and lines of frames that overlap, in their order."""
    spectra = Spectra(grid)
    chunks = -(-len(samples) // grid.chunk)
    power, lines = [], []
    for shift in range(_SHIFTS):
        # A frame counts from its middle: half of the first lies before the recording.
        early = grid.frame // 2 - shift * grid.frame // _SHIFTS
        late = chunks * grid.chunk - early - len(samples)
        moved = np.pad(samples[max(0, -early) :], (max(0, early), max(0, late)))[: chunks * grid.chunk]
        rows = [spectra.every_row(chunk) for chunk in moved.reshape(chunks, grid.chunk)]
        power.append(np.concatenate([one for one, _ in rows]))
        lines.append(np.concatenate([one for _, one in rows]))
    shape = (-1, power[0].shape[1])
    return np.stack(power, axis=1).reshape(shape), np.stack(lines, axis=1).reshape(shape)


def _busiest(lines: NDArray[np.bool_], power: NDArray[np.float32]) -> int:
    """The column whose line is there often enough and stands out the most."""
    counts = lines.sum(axis=0)
    least = 6 * _SHIFTS
    if counts.max(initial=0) < least:
        raise ValueError("no tone stands out; record it closer, without other sounds")
    loudness = (power * lines).sum(axis=0)
    return int(np.argmax(np.where(counts >= least, loudness, 0.0)))


def _edges(on: NDArray[np.bool_]) -> NDArray[np.intp]:
    """First frame and frame after the last of every beep, shape (beeps, 2).

    What is shorter than a whole frame is no beep, and no gap either.
    """
    steps = np.diff(np.concatenate([[False], on, [False]]).astype(np.int8))
    begins, stops = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    apart = begins[1:] - stops[:-1] > _SHIFTS
    begins, stops = begins[np.append(True, apart)], stops[np.append(apart, True)]
    edges: NDArray[np.intp] = np.stack([begins, stops], axis=1)
    return edges[edges[:, 1] - edges[:, 0] >= _SHIFTS]


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
    in_order = np.sort(silences)
    jumps = np.flatnonzero(in_order[1:] > _APART * in_order[:-1])
    pauses = silences > in_order[jumps[0] if len(jumps) else -1]
    if not pauses.any():
        if after_s > _ENDED * silences.max():
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
