"""Results of single runs and the worst case over all runs within a budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Kept = NDArray[np.bool_]
Values = NDArray[np.float64]
_BATCH = 50


class Runs:
    """Runs on the same clips, all classified correctly before.

    A clip withstands a budget if no run changed its prediction within it, whether the run was made for
    this budget, a smaller one, a minimum-norm change, or noise.
    """

    def __init__(self) -> None:
        self.left: dict[str, Kept] = {}
        self._sizes: dict[str, dict[str, Values]] = {}

    def add(self, name: str, left: Kept, **sizes: Values) -> None:
        """Record which clips remain correct after a run, and the size of its changes in each measure."""
        self.left[name], self._sizes[name] = left, sizes

    @property
    def alone(self) -> dict[str, list[bool]]:
        return {name: left.tolist() for name, left in self.left.items()}

    def withstood(self, measure: str, budget: float) -> list[bool]:
        """Return the clips that no run with a change of at most ``budget`` by ``measure`` has fooled."""
        spared = [left | (self._sizes[name][measure] > budget) for name, left in self.left.items()]
        return list(np.all(spared, axis=0).tolist())


def batches(known: Kept) -> list[NDArray[np.int64]]:
    """Return the rows of the correct clips in batches; the first row if there is none, to name the runs."""
    rows = np.flatnonzero(known) if known.any() else np.array([0])
    return [rows[first : first + _BATCH] for first in range(0, len(rows), _BATCH)]


def placed(parts: Sequence[Any], rows: Sequence[NDArray[np.int64]], known: Kept) -> Any:
    """Merge batch results into one value per clip; False or None for misclassified clips."""
    if isinstance(parts[0], dict):
        return {name: placed([part[name] for part in parts], rows, known) for name in parts[0]}
    found = dict(zip(np.concatenate(rows).tolist(), (v for part in parts for v in part), strict=True))
    nothing = False if all(isinstance(value, bool) for value in found.values()) else None
    return tuple(found[row] if right else nothing for row, right in enumerate(known))


def figures(values: Values, where: Kept, digits: int = 5) -> list[float | None]:
    """Return the values where they are finite and selected, else None."""
    return [
        round(float(v), digits) if one and np.isfinite(v) else None
        for v, one in zip(values, where, strict=True)
    ]
