"""Notices that files of a folder came, went or changed, by looking now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

_EVERY_S = 1.0


class FolderWatch:
    """Watches the ``.npz`` files of a folder, which need not exist.

    Parameters
    ----------
    folder : Path
        The folder.
    monotonic : callable
        Monotonic clock, seconds.
    """

    def __init__(self, folder: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._monotonic = monotonic
        self._looked = monotonic()
        self._seen = self._files()

    def changed(self) -> bool:
        """Return whether anything changed since it was noted; looks once a second at most."""
        now = self._monotonic()
        if now - self._looked < _EVERY_S:
            return False
        self._looked = now
        return self._files() != self._seen

    def note(self) -> None:
        """Take the present files as known."""
        self._seen = self._files()

    def _files(self) -> frozenset[tuple[str, int, int]]:
        try:
            found = [(path.name, path.stat()) for path in self._folder.glob("*.npz")]
        except OSError:
            return frozenset()
        return frozenset((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)
