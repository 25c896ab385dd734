"""Decides when a recurring problem should be logged."""

from __future__ import annotations


class Repeats:
    """Counts repetitions of the same problem; due the first time and then every ``every``-th time."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._trouble: str | None = None
        self.count = 0

    def due(self, trouble: str) -> bool:
        if trouble != self._trouble:
            self._trouble, self.count = trouble, 0
        self.count += 1
        return self.count == 1 or self.count % self._every == 0

    def over(self) -> bool:
        """Forget the current problem; return whether there was one."""
        had, self._trouble = self._trouble is not None, None
        return had
