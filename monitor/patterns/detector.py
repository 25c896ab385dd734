"""Score alarm patterns on streamed samples, timed by the sample clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from monitor.patterns.chunks import Chunks
from monitor.patterns.lines import FRAMES, STEP, Counts, Grid, Marks, Rows, joined, level_of
from monitor.patterns.match import Match, Matcher
from monitor.patterns.spec import Pattern
from monitor.records import Samples

_LINES = 4
"""Number of spectral lines compared with a pattern per chunk: the most frequent ones."""

_MIN_CONTRAST_DB = 4.0
_MIN_TONAL = 0.6
_MIN_GAPS = 0.5
_MAX_OCCUPIED = 0.25
_MIN_BEYOND_DB = 3.0
"""Minimum values of a match besides its score; see :class:`Match`."""


class PatternScores:
    """Scores of patterns over one stream.

    A match counts until the next group should have been matched, so the score of an alarm that
    goes on does not drop between two groups. The state is bounded: the samples and the rows
    of the longest pattern's window.

    Parameters
    ----------
    patterns : at least one
    rate : Hz of the samples
    """

    def __init__(self, patterns: Sequence[Pattern], rate: int) -> None:
        self.labels = tuple(pattern.label for pattern in patterns)
        grid = Grid(rate, tuple(band for pattern in patterns for band in pattern.bands))
        self._looks = [_Look(pattern, grid) for pattern in patterns]
        self._keep = max(ceil(look.matcher.frames / FRAMES) for look in self._looks)
        self._chunks = Chunks(
            grid, self._keep, min(look.apart for look in self._looks), min(look.seen for look in self._looks)
        )
        self.reset()

    def reset(self) -> None:
        """Reset the state, because audio was lost or a new stream begins."""
        self._chunks.reset()
        self._scores = np.zeros(len(self._looks), np.float32)
        for look in self._looks:
            look.held.clear()

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """Take samples; return the score of each pattern at their end, 0 … 1, as of the last full chunk."""
        start = 0
        while start < len(samples):
            start += self._chunks.fill(samples[start:])
            if self._chunks.full:
                self._analyse()
        return self._scores

    def _analyse(self) -> None:
        if self._chunks.take():
            self._match(*self._chunks.frames())
        else:
            for look in self._looks:
                look.held.append(0.0)
        self._scores = np.array([max(look.held) for look in self._looks], np.float32)

    def _match(self, power: Rows, lines: Marks) -> None:
        counts = lines.reshape(self._keep, FRAMES, -1).sum(axis=1)
        for look in self._looks:
            matches = look.matches(power, lines, counts)
            look.held.append(max((match.score for match in matches if accepted(match)), default=0.0))


@lru_cache(maxsize=32)
def _matcher(pattern: Pattern, frame_s: float) -> Matcher:
    """Templates have no state; every stream uses the same."""
    return Matcher(pattern, frame_s)


class _Look:
    """What is needed to look for one pattern; ``held`` has the newest scores, one a chunk."""

    def __init__(self, pattern: Pattern, grid: Grid) -> None:
        self.matcher = _matcher(pattern, grid.frame_s)
        self.held: deque[float] = deque(maxlen=ceil(pattern.hold_s * grid.rate / grid.chunk))
        self._mask = grid.mask(pattern.bands)
        chunk_s = grid.chunk / grid.rate
        # The newest group ends in the newest chunk; with what rings on it takes so many chunks.
        self._recent = ceil(pattern.group_s * (1.0 + pattern.tolerance) / chunk_s) + 1
        self._chunks = ceil(self.matcher.frames / FRAMES)
        on_s = pattern.count * pattern.beep_s
        silent_s = (pattern.groups - 1) * pattern.pause_s + pattern.quiet_s
        # The first of the groups that are needed ends so many chunks before the last at least.
        self.apart = floor((pattern.groups - 1) * pattern.cycle_s * (1.0 - pattern.tolerance) / chunk_s)
        # The newest two chunks hold a chunk's length of the last group: so many beeps at least, and
        # so many frames of a first look in each; one that is half on counts.
        beat_s = (pattern.beep_s + pattern.gap_s) * (1.0 + pattern.tolerance)
        beeps = min(pattern.count, max(1, floor((chunk_s + pattern.gap_s) / beat_s)))
        looked_s = min(pattern.beep_s, chunk_s) * (1.0 - pattern.tolerance) - grid.frame_s / 2
        self.seen = max(1, floor(beeps * looked_s / (STEP * grid.frame_s)))
        self._least = _MIN_TONAL * on_s / grid.frame_s
        self._most = (pattern.groups * pattern.group_s + 0.4 * silent_s) / grid.frame_s + FRAMES
        self._groups = pattern.groups

    def matches(self, power: NDArray[np.float32], lines: Marks, counts: Counts) -> list[Match]:
        """Hold the lines that may be the pattern against it, the most frequent first.

        power, lines : the newest frames, shape (frames, columns)
        counts : lines in each of the newest chunks, shape (chunks, columns)
        """
        frames = self.matcher.frames
        likely = self._likely(counts[-self._chunks :])
        found = []
        for _ in range(_LINES):
            column = int(likely.argmax())
            if not likely[column]:
                break
            likely[max(0, column - 2) : column + 3] = 0
            around = slice(max(0, column - 1), column + 2)
            match = self.matcher.best(
                level_of(power[-frames:], column), np.any(lines[-frames:, around], axis=1)
            )
            if match is not None:
                found.append(match)
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
