"""Compares a replay's records with a stored list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import UsageError
from monitor.records import EventRecord


@dataclass(frozen=True)
class Tolerance:
    """How far a record may lie from the expected one and still be it.

    time_s : seconds, for start_s and end_s
    score : for score and score_mean
    """

    time_s: float
    score: float = 0.02


def read_expected(path: Path) -> list[EventRecord]:
    """Read records as ``replay --json`` wrote them, one a line.

    Raises
    ------
    UsageError : unreadable, or a line that is no record
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--expect {path}: cannot read the list ({error})") from error
    records = []
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                records.append(EventRecord.from_json(line))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path}:{number}: not an event record; write the list with replay --json"
            ) from error
    return records


def differences(
    expected: Iterable[EventRecord], actual: Iterable[EventRecord], tolerance: Tolerance
) -> list[str]:
    """Return a line for each record that is missing, extra or shifted; [] when all match.

    Records match one to one by file name, label and type; each expected one takes the
    nearest in time that is left. Ids, sequence numbers and wall time are ignored.
    """
    left = list(actual)
    lines = []
    for wanted in expected:
        candidates = [found for found in left if _kind(found) == _kind(wanted)]
        if not candidates:
            lines.append(f"missing  {_describe(wanted)}")
            continue
        nearest = min(candidates, key=lambda found: abs(_time(found) - _time(wanted)))
        if abs(_time(nearest) - _time(wanted)) > 10 * max(tolerance.time_s, 0.1):
            lines.append(f"missing  {_describe(wanted)}")
            continue
        left.remove(nearest)
        shifts = _shifts(wanted, nearest, tolerance)
        if shifts:
            lines.append(f"shifted  {_describe(wanted)}: {', '.join(shifts)}")
    return lines + [f"extra    {_describe(found)}" for found in left]


def _kind(record: EventRecord) -> tuple[str, str, str]:
    return Path(record.file or "").name, record.label, record.type


def _time(record: EventRecord) -> float:
    return record.start_s if record.end_s is None else record.end_s


def _shifts(wanted: EventRecord, found: EventRecord, tolerance: Tolerance) -> Sequence[str]:
    limits = {
        "start_s": tolerance.time_s,
        "end_s": tolerance.time_s,
        "score": tolerance.score,
        "score_mean": tolerance.score,
    }
    shifts = []
    for name, limit in limits.items():
        before, after = getattr(wanted, name), getattr(found, name)
        # A little slack, so that "within a hop" holds for values rounded to milliseconds.
        if None not in (before, after) and abs(after - before) > limit + 1e-3:
            shifts.append(f"{name} {before:g} → {after:g}")
    return shifts


def _describe(record: EventRecord) -> str:
    return f"{record.type:5} {record.label} at {_time(record):.3f} s in {Path(record.file or '?').name}"
