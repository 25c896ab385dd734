"""Score alarm patterns on streamed samples, timed by the sample clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.patterns.chunks import Chunks
from monitor.patterns.lines import Grid
from monitor.patterns.look import PatternLook, step_for
from monitor.patterns.regular import RegularLook
from monitor.patterns.spec import Pattern, Regular
from monitor.records import Samples


class PatternScores:
    """Scores of patterns over one stream.

    A match counts until the next group should have been matched, so the score of an alarm that
    goes on does not drop between two groups. While it counts, nothing is taken for regular beeps. The state
    is bounded: the samples and the rows of the longest pattern's window.

    Parameters
    ----------
    patterns : at least one
    rate : Hz of the samples
    """

    def __init__(self, patterns: Sequence[Pattern | Regular], rate: int) -> None:
        self.labels = tuple(pattern.label for pattern in patterns)
        grid = Grid(rate, tuple(band for pattern in patterns for band in pattern.bands))
        steps = [step_for(pattern, grid) for pattern in patterns if isinstance(pattern, Pattern)]
        grid = replace(grid, step=min(steps, default=grid.step))
        self._looks = [_look(pattern, grid) for pattern in patterns]
        self._held = [deque[float](maxlen=look.hold) for look in self._looks]
        self._in_order = sorted(
            zip(self._looks, self._held, strict=True), key=lambda pair: isinstance(pair[0], RegularLook)
        )
        keep = max(look.chunks for look in self._looks)
        self._chunks = Chunks(grid, keep, [look.again for look in self._looks])
        self.reset()

    def reset(self) -> None:
        """Reset the state, because audio was lost or a new stream begins."""
        self._chunks.reset()
        self._scores = np.zeros(len(self._looks), np.float32)
        for held in self._held:
            held.clear()

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
            self._match()
        else:
            for held in self._held:
                held.append(0.0)
        self._scores = np.array([max(held) for held in self._held], np.float32)

    def _match(self) -> None:
        counts = self._chunks.counts()
        known = False
        for look, held in self._in_order:
            if isinstance(look, RegularLook) and known:
                held.append(0.0)
                continue
            held.append(look.score(self._chunks, counts))
            known = known or max(held) > 0.0


def _look(pattern: Pattern | Regular, grid: Grid) -> PatternLook | RegularLook:
    return PatternLook(pattern, grid) if isinstance(pattern, Pattern) else RegularLook(pattern, grid)
