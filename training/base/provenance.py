"""Provenance of a record: the machine and the package versions that computed it."""

from __future__ import annotations

import importlib.metadata
import os
import platform

_PACKAGES = ("sound-monitor", "tensorflow", "keras", "numpy", "scikit-learn", "librosa")


def machine() -> str:
    """Return the processor architecture and the number of cores."""
    return f"{platform.machine()}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """Return the versions of this program and of the packages that affect its results."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}
