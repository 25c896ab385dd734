"""Compare two folders of records, ignoring times: ``python -m training.study.same ONE OTHER``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.base.report import Cell, Table
from training.errors import DataError
from training.records.jobs import Job, JobRecord, read_all

_LOSS = 1e-3
"""Relative tolerance of an epoch's mean, whose last digits depend on the order of summation."""
_PROBABILITY = 0.005
"""Tolerance of a probability: a little more than one quantisation step of the records."""


def verdict(one: JobRecord, other: JobRecord) -> str:
    """Return "yes", "but for rounding" or "no"; times are ignored.

    Settings, package versions, splits and predictions must be equal. The last digits of losses and
    probabilities may differ.
    """
    if _fixed(one) != _fixed(other) or len(one.epochs) != len(other.epochs):
        return "no"
    curves, clips = (_curve(one), _curve(other)), (one.clips.probability, other.clips.probability)
    if np.array_equal(*curves, equal_nan=True) and np.array_equal(*clips):
        return "yes"
    near = np.allclose(*curves, rtol=_LOSS, equal_nan=True) and np.allclose(*clips, atol=_PROBABILITY)
    return "but for rounding" if near else "no"


def compared(one: Sequence[JobRecord], other: Sequence[JobRecord]) -> Table:
    """Return a row for each job of either folder; the last column is the verdict."""
    first, second = ({record.job: record for record in side} for side in (one, other))
    return Table(
        ("job", "accuracy of one", "accuracy of the other", "same"),
        tuple(_row(job, first.get(job), second.get(job)) for job in sorted(first.keys() | second.keys())),
    )


def _row(job: Job, one: JobRecord | None, other: JobRecord | None) -> tuple[Cell, ...]:
    if one is None or other is None:
        sides = [None if record is None else record.clips.accuracy for record in (one, other)]
        return (str(job), *sides, "no: a record is missing")
    return str(job), one.clips.accuracy, other.clips.accuracy, verdict(one, other)


def _fixed(record: JobRecord) -> dict[str, Any]:
    parts: dict[str, Any] = json.loads(record.to_json())
    parts.pop("code", None)
    del parts["seconds"], parts["content"]["epochs"], parts["content"]["clips"]["probability_250ths"]
    return parts


def _curve(record: JobRecord) -> Any:
    names = ("loss", "accuracy", "val_loss", "val_accuracy", "test_accuracy", "test_f1", "divergence")
    return np.array([[getattr(epoch, name) for name in names] for epoch in record.epochs], float)


def main(one: Path, other: Path) -> int:
    """Print the table; return 1 if any record differs or is missing."""
    sides = read_all(one), read_all(other)
    if not any(sides):
        raise DataError(f"{one}, {other}: no records")
    table = compared(*sides)
    print(table.markdown())
    return int(any(str(row[-1]).startswith("no") for row in table.rows))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
