"""A progress bar for long replays, with an estimate of the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from monitor.listeners import Listener
from monitor.records import HopResult
from monitor.sources.files import shown_path

_PATIENCE_S = 1.5
"""A shorter replay shows no progress bar, seconds."""

_INTERVAL_S = 0.2


class ProgressBar(Listener):
    """A progress line below all other output while files are replayed.

    Progress is measured by file size, so that no file is opened before its turn.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._began: dict[str, tuple[int, int]] = {}
        total = 0
        for file in files:
            size = _size(file)
            self._began[shown_path(file)] = total, size
            total += size
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=Console(stderr=True),
            transient=True,
            # Output redirected to a file or a pipe must not be drawn on the terminal.
            redirect_stdout=sys.stdout.isatty(),
        )
        self._task = self._bar.add_task("", total=total)
        self._duration_s: float | None = None
        self._due = time.monotonic() + _PATIENCE_S

    def on_file(self, file: str, duration_s: float | None) -> None:
        self._duration_s = duration_s
        self._bar.update(self._task, description=Text(Path(file).name).markup, completed=self._began[file][0])

    def on_hop(self, file: str, hop: HopResult) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _INTERVAL_S
        self._bar.start()
        before, size = self._began[file]
        part = min(1.0, hop.time_s / self._duration_s) if self._duration_s else 0.0
        self._bar.update(self._task, completed=before + part * size)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # the replay will say so
