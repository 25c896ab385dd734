"""Run a command in a child process and measure its CPU time, duration and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import MonitorError

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Run:
    """Resources used by one process.

    Parameters
    ----------
    cpu_s : float
        User and system time of all threads, seconds.
    wall_s : float
        Duration, seconds.
    memory : tuple[tuple[float, int], ...]
        Samples of (seconds since the start, resident bytes); empty on systems without /proc.
    """

    cpu_s: float
    wall_s: float
    memory: tuple[tuple[float, int], ...]

    @property
    def peak_mb(self) -> float:
        return max((size for _, size in self.memory), default=0) / 1e6

    def resident_mb(self, begin: float, end: float) -> float:
        """Return the mean resident memory over a part of the run, ``begin`` and ``end`` in 0 … 1."""
        span = self.memory[-1][0] if self.memory else 0.0
        sizes = [size for at, size in self.memory if begin * span <= at <= end * span]
        return sum(sizes) / len(sizes) / 1e6 if sizes else 0.0


def run_monitor(arguments: Sequence[str], *, every_s: float = 0.05) -> Run:
    """Run ``sound-monitor ARGUMENTS``; see :func:`run_python`."""
    return run_python("-m", "monitor", *arguments, every_s=every_s)


def run_python(*arguments: str, every_s: float = 0.05) -> Run:
    """Run Python with these arguments, discard its output and sample its memory ``every_s`` seconds.

    Raises
    ------
    MonitorError
        If its exit status is not 0; the message is the last line of its stderr.
    """
    with tempfile.TemporaryFile("w+") as talk:
        began = time.monotonic()
        process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=talk)
        memory = []
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            memory.append((time.monotonic() - began, _resident(process.pid)))
            time.sleep(every_s)
        wall_s = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            talk.seek(0)
            last = (talk.read().strip().splitlines() or ["no message"])[-1]
            raise MonitorError(f"{' '.join(arguments)} exits {process.returncode}: {last}")
    return Run(usage.ru_utime + usage.ru_stime, wall_s, tuple(m for m in memory if m[1]))


def _resident(pid: int) -> int:
    """Return the resident bytes of a process; 0 if it has just ended, or without /proc.

    Not ``ru_maxrss``: after a fork that still counts the parent's memory.
    """
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0
