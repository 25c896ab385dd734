"""Look for one pattern in the lines of the newest frames."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor

import numpy as np

from monitor.patterns.chunks import Again, Chunks
from monitor.patterns.lines import FRAMES, STEP, Counts, Grid, joined
from monitor.patterns.match import Match, Matcher
from monitor.patterns.spec import Pattern

_LINES = 4
"""Number of spectral lines compared with a pattern per chunk: the most frequent ones."""

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
        self.hold = ceil(pattern.hold_s * grid.rate / grid.chunk)
        self._mask = grid.mask(pattern.bands)
        chunk_s = grid.chunk / grid.rate
        # The newest group ends in the newest chunk; with what rings on it takes so many chunks.
        self._recent = ceil(pattern.group_s * (1.0 + pattern.tolerance) / chunk_s) + 1
        on_s = pattern.count * pattern.beep_s
        silent_s = (pattern.groups - 1) * pattern.pause_s + pattern.quiet_s
        # The first of the groups that are needed ends so many chunks before the last at least.
        apart = floor((pattern.groups - 1) * pattern.cycle_s * (1.0 - pattern.tolerance) / chunk_s)
        # The newest two chunks hold a chunk's length of the last group: so many beeps at least, and
        # so many frames of a first look in each; one that is half on counts.
        beat_s = (pattern.beep_s + pattern.gap_s) * (1.0 + pattern.tolerance)
        beeps = min(pattern.count, max(1, floor((chunk_s + pattern.gap_s) / beat_s)))
        step_s = STEP * grid.frame_s
        seen = floor(beeps * (pattern.beep_s * (1.0 - pattern.tolerance) - grid.frame_s / 2) / step_s)
        # A beep that fills a chunk is no beep to its first look, only where it begins or ends.
        seen = 1 if pattern.beep_s * (1.0 + pattern.tolerance) > chunk_s - step_s else max(1, seen)
        self.again = Again(apart, seen, pattern.groups * seen)
        self._least = _MIN_TONAL * on_s / grid.frame_s
        self._most = (pattern.groups * pattern.group_s + 0.4 * silent_s) / grid.frame_s + FRAMES
        self._groups = pattern.groups

    def score(self, newest: Chunks, counts: Counts) -> float:
        """Hold the lines that may be the pattern against it, the most frequent first; 0 if none is.

        counts : of :meth:`Chunks.counts`
        """
        frames = self._matcher.frames
        likely = self._likely(counts[-self.chunks :])
        found = 0.0
        for _ in range(_LINES):
            column = int(likely.argmax())
            if not likely[column]:
                break
            likely[max(0, column - 2) : column + 3] = 0
            line = newest.line(column, frames)
            match = self._matcher.best(line.level, line.marks)
            if match is not None and accepted(match):
                found = max(found, match.score)
        return found

    def _likely(self, counts: Counts) -> Counts:
        """Frames with a line, or 0 where these are too few, too many or not in two groups."""
        total, recent = joined(counts.sum(axis=0)), joined(counts[-self._recent :].sum(axis=0))
        likely = self._mask & (recent >= self._least) & (total <= self._most)
        likely &= total - recent >= (self._groups - 1) * self._least
        return np.where(likely, total, 0)


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
