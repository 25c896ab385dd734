"""Look for one pattern in the lines of the newest frames."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import ceil, floor

import numpy as np

from monitor.patterns.chunks import Again, Chunks
from monitor.patterns.lines import FRAMES, STEP, Counts, Grid, joined, most_frequent
from monitor.patterns.match import Match, Matcher
from monitor.patterns.spec import Pattern

_LINES = 4
"""Number of spectral lines compared with a pattern per chunk: the most frequent ones."""

_EDGES = 0.4
"""Share of a frame that a beep's edges take from the frames in which a first look shows it."""

_MIN_CONTRAST_DB = 4.0
_MIN_TONAL = 0.6
_MIN_GAPS = 0.5
_MAX_OCCUPIED = 0.25
_MIN_BEYOND_DB = 3.0
"""Minimum values of a match besides its score; see :class:`Match`."""


@lru_cache(maxsize=32)
def _matcher(pattern: Pattern, frame_s: float) -> Matcher:
    """Templates have no state; every stream uses the same."""
    return Matcher(pattern, frame_s)


class PatternLook:
    """What is needed to look for one pattern of known lengths.

    Parameters
    ----------
    pattern : what to look for
    grid : frames and columns

    Attributes
    ----------
    chunks : newest chunks that :meth:`score` wants
    hold : chunks for which a match counts
    again : what first looks see of it
    """

    def __init__(self, pattern: Pattern, grid: Grid) -> None:
        self._matcher = _matcher(pattern, grid.frame_s)
        self.chunks = ceil(self._matcher.frames / FRAMES)
        self.hold = ceil(pattern.hold_s / grid.chunk_s)
        self._mask = grid.mask(pattern.bands)
        # The newest group ends in the newest chunk; with what rings on it takes so many chunks.
        self._recent = ceil(pattern.group_s * (1.0 + pattern.tolerance) / grid.chunk_s) + 1
        on_s = pattern.count * pattern.beep_s
        silent_s = (pattern.groups - 1) * pattern.pause_s + pattern.quiet_s
        # The first of the groups that are needed ends so many chunks before the last at least.
        apart = floor((pattern.groups - 1) * pattern.cycle_s * (1.0 - pattern.tolerance) / grid.chunk_s)
        seen = surely_seen(pattern, grid)
        self.again = Again(apart, seen, pattern.groups * seen, _may_be_steady(pattern, grid))
        self._least = _MIN_TONAL * on_s / grid.frame_s
        self._most = (pattern.groups * pattern.group_s + 0.4 * silent_s) / grid.frame_s + FRAMES
        self._groups = pattern.groups
        # So many groups end before these chunks begin; quick ones do not.
        ends = np.arange(1, pattern.groups) * pattern.cycle_s * (1.0 - pattern.tolerance)
        self._older = int((ends >= self._recent * grid.chunk_s).sum())

    def score(self, newest: Chunks, counts: Counts) -> float:
        """Hold the lines that may be the pattern against it, the most frequent first; 0 if none is.

        counts : of :meth:`Chunks.counts`
        """
        frames = self._matcher.frames
        likely = self._likely(counts[-self.chunks :])
        found = 0.0
        for column in most_frequent(likely, _LINES):
            line = newest.line(column, frames)
            match = self._matcher.best(line.level, line.marks)
            if match is not None and accepted(match):
                found = max(found, match.score)
        return found

    def _likely(self, counts: Counts) -> Counts:
        """Frames with a line, or 0 where these are too few, too many or not in two groups."""
        total, recent = joined(counts.sum(axis=0)), joined(counts[-self._recent :].sum(axis=0))
        likely = self._mask & (recent >= self._least) & (total <= self._most)
        likely &= (total >= self._groups * self._least) & (total - recent >= self._older * self._least)
        return np.where(likely, total, 0)


def step_for(pattern: Pattern, grid: Grid) -> int:
    """Return the largest step of the first look at which no group goes unseen."""
    step = STEP
    while step > 1 and not surely_seen(pattern, replace(grid, step=step)):
        step //= 2
    return step


def surely_seen(pattern: Pattern, grid: Grid) -> int:
    """Return in how many frames of first looks the newest two chunks show a group, whenever it began.

    They hold the last chunk's length of it at least.
    """
    scale = np.linspace(1.0 - pattern.tolerance, 1.0 + pattern.tolerance, 41)[:, None, None]
    begins = np.arange(pattern.count) * (pattern.beep_s + pattern.gap_s) * scale
    stops = np.minimum(begins + pattern.beep_s * scale - _EDGES * grid.frame_s, grid.chunk_s)
    phases = np.arange(0.0, grid.step_s, grid.frame_s / 16)[:, None]
    frames = np.floor((stops - phases) / grid.step_s) - np.floor((begins - phases) / grid.step_s)
    return int(np.maximum(frames, 0.0).sum(axis=2).min())


def _may_be_steady(pattern: Pattern, grid: Grid) -> bool:
    """Return whether all frames of a first look may lie within a beep, or within several and in no gap."""
    on_s = pattern.beep_s
    if pattern.silence_s * (1.0 - pattern.tolerance) < grid.step_s + grid.frame_s:
        on_s = pattern.group_s if pattern.count > 1 else pattern.span_s
    return on_s * (1.0 + pattern.tolerance) > grid.chunk_s - grid.step_s


def accepted(match: Match) -> bool:
    """Return whether each part of the pattern matches, not only the average."""
    return (
        match.contrast_db >= _MIN_CONTRAST_DB
        and match.weakest_db > 0.0
        and match.gaps >= _MIN_GAPS
        and match.occupied <= _MAX_OCCUPIED
        and match.beyond_db >= _MIN_BEYOND_DB
        and match.tonal >= _MIN_TONAL
    )
