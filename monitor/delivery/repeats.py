"""Says when a trouble that repeats is worth a line in the log."""

from __future__ import annotations


class Repeats:
    """Counts the same trouble; it is due at first, then at every ``every``-th time."""

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
        """Forget it; whether there was any."""
        had, self._trouble = self._trouble is not None, None
        return had
