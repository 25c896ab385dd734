"""Find a tone that beeps regularly, whatever its frequency, its length and its period.

The lengths are read off the level of a spectral line over time: where it is near its usual level it is on.
Going back from the newest beep, all must have the same length, distance and level, be flat, and be silent
between. Notes and calls fail one of these: they fade, slide, vary or come in phrases. The first half of a
silence is left to the room.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from monitor.patterns.chunks import Again, Chunks, Line
from monitor.patterns.lines import FRAMES, Counts, Grid, Rows, joined, most_frequent
from monitor.patterns.spec import Regular

_LINES = 4
"""Number of spectral lines that are followed per chunk: the most frequent ones that are not always there."""

_DROP_DB = 8.0
"""A beep lasts while its level is less than so far below its usual one."""

_JITTER, _UNEQUAL = 1.0, 3
"""A beep may be so many frames early or late, and the longest so much longer than the shortest."""

_LEVELS_DB, _SLOPE_DB, _FADE_DB, _CONTRAST_DB = 3.5, 5.0, 2.5, 10.0
"""Most that beeps differ, that one rises or falls, that they fall on average, which notes do and rooms do
not; least that they are above the silence between."""

_TONAL = 0.7
"""Share of a beep's frames in which the line must be one."""

_DIP = 2
"""Frames of silence that do not end a beep, at most."""

_STEADY = 0.85
"""A line in a greater share of the frames is a hum."""


class RegularLook:
    """What is needed to look for regular beeps.

    Parameters
    ----------
    spec : bounds of the beeps
    grid : frames and columns

    Attributes
    ----------
    chunks : newest chunks that :meth:`score` wants
    hold : chunks for which a match counts
    again : what first looks see of it
    """

    def __init__(self, spec: Regular, grid: Grid) -> None:
        self._spec, self._frame_s = spec, grid.frame_s
        self._mask = grid.mask(spec.bands)
        self.chunks = ceil(spec.span_s / grid.chunk_s) + 1
        self.hold = ceil(spec.hold_s / grid.chunk_s)
        # The first of the beeps begins so many chunks before the last one ends; the shortest may lie
        # between the frames of a first look, but not all of them.
        looks = spec.count * (spec.beep_s[0] - grid.frame_s / 2) / grid.step_s
        self.again = Again(floor(spec.lasting_s / grid.chunk_s), 1, floor(looks))

    def score(self, newest: Chunks, counts: Counts) -> float:
        """Return the best score of the lines that may be beeps, the most frequent first; 0 if none is.

        counts : of :meth:`Chunks.counts`
        """
        frames = self.chunks * FRAMES
        total, recent = joined(counts[-self.chunks :].sum(axis=0)), joined(counts[-2:].sum(axis=0))
        least = self._spec.count * self._spec.beep_s[0] / self._frame_s * _TONAL
        likely = np.where(
            self._mask & (recent > 1) & (total >= least) & (total <= _STEADY * frames), total, 0
        )
        best = 0.0
        for column in most_frequent(likely, _LINES):
            best = max(best, self._regular(newest.line(column, frames)))
        return best

    def _regular(self, line: Line) -> float:
        runs = self._chain(_runs(line))
        if runs is None:
            return 0.0
        inner = [line.level[begin + 1 : max(stop - 1, begin + 2)] for begin, stop in runs]
        levels = np.array([part.mean() for part in inner])
        slopes = np.array([_slope(part) for part in inner])
        begins = runs[1:, 0] - 1
        stops = (runs[:-1, 1] + begins) // 2
        between = np.concatenate([np.arange(stop, begin) for stop, begin in zip(stops, begins, strict=True)])
        within = np.concatenate([np.arange(begin, stop) for begin, stop in runs])
        quiet = line.level[between]
        if (
            levels.max() - levels.min() > _LEVELS_DB
            or np.abs(slopes).max() > _SLOPE_DB
            or slopes.mean() < -_FADE_DB
            or levels.mean() - quiet.mean() < _CONTRAST_DB
            or line.marks[within].mean() < _TONAL
        ):
            return 0.0
        return 1.0

    def _chain(self, runs: NDArray[np.intp]) -> NDArray[np.intp] | None:
        """Return the newest beeps that suffice if they are equal and at equal distances."""
        spec, frame_s = self._spec, self._frame_s
        for count in range(spec.count, len(runs) + 1):
            chain = runs[-count:]
            lasting_s = float(chain[-1, 0] - chain[0, 0]) * frame_s
            if lasting_s >= spec.lasting_s:
                break
        else:
            return None
        lengths = chain[:, 1] - chain[:, 0]
        silences = chain[1:, 0] - chain[:-1, 1]
        period = (chain[-1, 0] - chain[0, 0]) / (count - 1)
        late = chain[:, 0] - chain[0, 0] - period * np.arange(count)
        usual = float(np.median(lengths)) * frame_s
        good = (
            np.ptp(late) <= 2 * _JITTER
            and np.ptp(lengths) <= _UNEQUAL
            and silences.min() > _DIP
            and spec.period_s[0] <= period * frame_s <= spec.period_s[1]
            and spec.beep_s[0] - frame_s / 2 <= usual <= spec.beep_s[1] + 2 * frame_s
        )
        return chain if good else None


def _runs(line: Line) -> NDArray[np.intp]:
    """Return first frame and frame after the last of every complete beep, shape (beeps, 2)."""
    top = float(np.quantile(line.level[line.marks], 0.75))
    on = line.level > top - _DROP_DB
    steps = np.diff(np.concatenate([[False], on]).astype(np.int8))
    stops = np.flatnonzero(steps == -1)
    if not len(stops):
        return np.zeros((0, 2), np.intp)
    begins = np.flatnonzero(steps == 1)[: len(stops)]
    # A room makes dips in a beep and echoes after it.
    apart = begins[1:] - stops[:-1] > _DIP
    begins, stops = begins[np.append(True, apart)], stops[np.append(apart, True)]
    longer = stops - begins > 1
    return np.stack([begins[longer], stops[longer]], axis=1)


def _slope(level: Rows) -> float:
    """How much the second half is above the first, dB."""
    half = len(level) // 2
    return float(level[-half:].mean() - level[:half].mean()) if half else 0.0
