"""Refuses a processor on which numpy or the runtime would end the process by an illegal instruction.

Imports neither of them: it must be asked before.
"""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from monitor.errors import PackageError

_CPUINFO = Path("/proc/cpuinfo")


def check_processor() -> None:
    """Look at the processor's flags; without ``/proc`` nothing is refused.

    Raises
    ------
    PackageError
        The processor is too old for the installed packages.
    """
    flags = _flags() if platform.machine() == "x86_64" else None
    if flags is None or {"sse4_2", "popcnt"} <= flags:
        return
    if _numpy() >= (2, 4):
        lacks = "x86-64-v2 (SSE4.2, POPCNT), which numpy needs from 2.4 on"
    elif "sse4_1" not in flags:
        lacks = "SSE4.1, which ai-edge-litert needs"
    else:
        return
    raise PackageError(
        f"this processor lacks {lacks}; in a virtual machine choose the CPU type 'host' or 'x86-64-v2', "
        "else take another machine"
    )


def _flags() -> set[str] | None:
    try:
        with _CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            return next(
                (set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), None
            )
    except OSError:
        return None


def _numpy() -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version("numpy").split(".")[:2])
    except PackageNotFoundError:
        return (0,)
