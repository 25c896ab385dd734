"""From samples to a score for each pattern: the streaming part, on the sample clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.patterns.lines import FRAMES, Grid, Spectra
from monitor.patterns.match import Match, Matcher
from monitor.patterns.spec import Pattern
from monitor.records import Samples

_LINES = 4
"""Lines that are held against a pattern in a chunk: the most frequent ones."""

MIN_CONTRAST_DB = 4.0
MIN_TONAL = 0.5
MAX_OCCUPIED = 0.25
MIN_GAPS = 0.5


class PatternScores:
    """Scores of patterns over one stream; a score holds until the next cycle should have come.

    Parameters
    ----------
    patterns : at least one
    rate : Hz of the samples
    """

    def __init__(self, patterns: Sequence[Pattern], rate: int) -> None:
        self._grid = Grid(rate, tuple(band for pattern in patterns for band in pattern.bands))
        self._spectra = Spectra(self._grid)
        self._matchers = [Matcher(pattern, self._grid.frame_s) for pattern in patterns]
        self._masks = [self._grid.mask(pattern.bands) for pattern in patterns]
        self._keep = max(matcher.frames for matcher in self._matchers)
        self._hold = [
            round(pattern.cycle_s * (1.0 + pattern.tolerance) * rate) + self._grid.chunk
            for pattern in patterns
        ]
        self.reset()

    def reset(self) -> None:
        """Forget everything: audio was lost, or a new stream begins."""
        columns = self._grid.last - self._grid.first
        self._power = np.zeros((self._keep, columns), np.float32)
        self._lines = np.zeros((self._keep, columns), np.bool_)
        self._pending = np.zeros(self._grid.chunk, np.float32)
        self._filled = 0
        self._position = 0
        self._scores = np.zeros(len(self._matchers), np.float32)
        self._until = [0] * len(self._matchers)

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """Take samples; return the score of each pattern at their end, 0 … 1."""
        start = 0
        while start < len(samples):
            take = min(len(self._pending) - self._filled, len(samples) - start)
            self._pending[self._filled : self._filled + take] = samples[start : start + take]
            self._filled += take
            start += take
            if self._filled == len(self._pending):
                self._analyse()
        return self._scores

    def _analyse(self) -> None:
        self._filled = 0
        self._position += self._grid.chunk
        power, lines = self._spectra.rows(self._pending)
        self._power = np.concatenate([self._power[FRAMES:], power])
        self._lines = np.concatenate([self._lines[FRAMES:], lines])
        tonal = self._lines.any()
        for index, matcher in enumerate(self._matchers):
            score = self._match(matcher, self._masks[index]) if tonal else 0.0
            if score >= self._scores[index] or self._position >= self._until[index]:
                self._scores[index] = score
                self._until[index] = self._position + self._hold[index]

    def _match(self, matcher: Matcher, mask: NDArray[np.bool_]) -> float:
        best = 0.0
        for match in self.matches(matcher, mask):
            if accepted(match):
                best = max(best, match.score)
        return best

    def matches(self, matcher: Matcher, mask: NDArray[np.bool_]) -> list[Match]:
        lines = self._lines[-matcher.frames :]
        counts = lines.sum(axis=0) * mask
        counts[1:-1] = counts[:-2] + counts[1:-1] + counts[2:]
        found = []
        for _ in range(_LINES):
            column = int(counts.argmax())
            if counts[column] < matcher.least_tonal:
                break
            around = slice(max(0, column - 1), column + 2)
            counts[max(0, column - 2) : column + 3] = 0
            power = self._power[-matcher.frames :, around].sum(axis=1)
            level = 10.0 * np.log10(power + 1e-12)
            found.append(matcher.best(level, lines[:, around].any(axis=1)))
        return found


def accepted(match: Match) -> bool:
    return (
        match.contrast_db >= MIN_CONTRAST_DB
        and match.weakest_db > 0.0
        and match.gaps >= MIN_GAPS
        and match.occupied <= MAX_OCCUPIED
        and match.tonal >= MIN_TONAL
    )
