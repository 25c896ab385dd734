"""What every run leaves right, and what all of them leave of a budget: the worst of all, whoever found it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Kept = NDArray[np.bool_]
Values = NDArray[np.float64]
_BATCH = 50


class Runs:
    """Runs against the same clips, all of them right before.

    A clip withstands a budget if no run fooled it by a change within it: neither one that was made for
    the budget, nor one for a lesser one, nor the least change that was found, nor noise.
    """

    def __init__(self) -> None:
        self.left: dict[str, Kept] = {}
        self._sizes: dict[str, dict[str, Values]] = {}

    def add(self, name: str, left: Kept, **sizes: Values) -> None:
        """Keep what is right after a run, and how large its changes are in each measure."""
        self.left[name], self._sizes[name] = left, sizes

    @property
    def alone(self) -> dict[str, list[bool]]:
        return {name: left.tolist() for name, left in self.left.items()}

    def withstood(self, measure: str, budget: float) -> list[bool]:
        """Which clips no run fooled whose change is at most ``budget`` by ``measure``."""
        spared = [left | (self._sizes[name][measure] > budget) for name, left in self.left.items()]
        return list(np.all(spared, axis=0).tolist())


def batches(known: Kept) -> list[NDArray[np.int64]]:
    """Return the rows of the clips that are right; the first where none is, so that runs have names."""
    rows = np.flatnonzero(known) if known.any() else np.array([0])
    return [rows[first : first + _BATCH] for first in range(0, len(rows), _BATCH)]


def placed(parts: Sequence[Any], rows: Sequence[NDArray[np.int64]], known: Kept) -> Any:
    """Return for every clip what was found batch by batch; False or None where it was wrong anyway."""
    if isinstance(parts[0], dict):
        return {name: placed([part[name] for part in parts], rows, known) for name in parts[0]}
    found = dict(zip(np.concatenate(rows).tolist(), (v for part in parts for v in part), strict=True))
    nothing = False if all(isinstance(value, bool) for value in found.values()) else None
    return tuple(found[row] if right else nothing for row, right in enumerate(known))


def figures(values: Values, where: Kept, digits: int = 5) -> list[float | None]:
    """Return the finite values where they mean something, else None."""
    return [
        round(float(v), digits) if one and np.isfinite(v) else None
        for v, one in zip(values, where, strict=True)
    ]
