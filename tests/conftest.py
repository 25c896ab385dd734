"""Settings that hold for all tests, and which of them stay in one process.

The suite runs in several processes (``-n auto --dist loadgroup``): any test may run in any of them,
but for those that share something, which stay together.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Properties, not times: on a busy machine any example may take long.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")

if "PYTEST_XDIST_WORKER" in os.environ:
    # One core for each process; set before NumPy and TensorFlow are imported.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep tests together that share a sound server's timing or a module's fixture."""
    if group := _group(item):
        item.add_marker(pytest.mark.xdist_group(group))


def _group(item: pytest.Item) -> str | None:
    fixtures = getattr(item, "_fixtureinfo", None)
    if fixtures is None:
        return None
    if "pulse" in fixtures.names_closure:
        return "microphone"  # it plays in real time: two at once would lose audio on a small machine
    used = (definition for found in fixtures.name2fixturedefs.values() for definition in found)
    return item.path.stem if any(definition.scope == "module" for definition in used) else None
