"""Compare the records of a replay with a stored list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from monitor.errors import UsageError
from monitor.records import EventRecord


@dataclass(frozen=True)
class Tolerance:
    """Allowed differences between a record and the expected one.

    Parameters
    ----------
    time_s : float
        Tolerance of start_s and end_s, seconds.
    score : float
        Tolerance of score and score_mean.
    """

    time_s: float
    score: float = 0.02


def read_expected(path: Path) -> list[EventRecord]:
    """Read records as ``replay --json`` wrote them, one a line.

    Raises
    ------
    UsageError
        If the list is unreadable or a line is not an event record.
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
        except ValueError as error:
            raise UsageError(
                f"{path}:{number}: not an event record; write the list with replay --json"
            ) from error
    return records


def differences(
    expected: Sequence[EventRecord], actual: Sequence[EventRecord], tolerance: Tolerance
) -> list[str]:
    """Return a line for each record that is missing, extra or shifted; [] if all match.

    Records match one to one by file name, label and type, nearest in time first. Records more than
    ten tolerances apart do not match. Ids, sequence numbers and wall time are ignored.
    """
    pairs = _pairs(expected, actual, reach_s=10 * max(tolerance.time_s, 0.1))
    lines = []
    for i, wanted in enumerate(expected):
        if i not in pairs:
            lines.append(f"missing  {_describe(wanted)}")
            continue
        shifts = _shifts(wanted, actual[pairs[i]], tolerance)
        if shifts:
            lines.append(f"shifted  {_describe(wanted)}: {', '.join(shifts)}")
    extra = sorted(set(range(len(actual))) - set(pairs.values()))
    return lines + [f"extra    {_describe(actual[j])}" for j in extra]


def _pairs(expected: Sequence[EventRecord], actual: Sequence[EventRecord], reach_s: float) -> dict[int, int]:
    """Return the index of the matching actual record for each expected one."""
    of_kind: dict[tuple[str, str, str], list[int]] = {}
    for j, found in enumerate(actual):
        of_kind.setdefault(_kind(found), []).append(j)
    candidates = []
    for i, wanted in enumerate(expected):
        for j in of_kind.get(_kind(wanted), ()):
            distance_s = abs(_time(actual[j]) - _time(wanted))
            if distance_s <= reach_s:
                candidates.append((-_common_folders(wanted, actual[j]), distance_s, i, j))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, i, j in sorted(candidates):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return pairs


def _common_folders(one: EventRecord, other: EventRecord) -> int:
    """Count the parent folders with equal names: a list may be used elsewhere than it was written."""
    parents = zip(reversed(Path(one.file or "").parts), reversed(Path(other.file or "").parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], parents))


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
