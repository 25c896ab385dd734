"""Compare two replays of one recording: ``compare_streets.py HERE THERE [--set KEY=VALUE…]``.

``HERE`` and ``THERE`` name pairs of files, ``<name>.csv`` (``--scores``) and ``<name>.jsonl`` (``--json``).
Prints a JSON object; exit 1 when events differ or a score differs by more than 0.001.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

TOLERANCE = 1e-3
_EVENT_KEYS = ("type", "label", "start_s", "end_s")


def read_scores(path: Path) -> list[list[float]]:
    """Return the score columns of a ``--scores`` file, a list per hop."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    first = rows[0].index("level_dbfs") + 1
    return [[float(value) for value in row[first:]] for row in rows[1:]]


def read_events(path: Path) -> list[tuple[object, ...]]:
    """Return type, label and times of each event of a ``--json`` file."""
    records = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [tuple(record[key] for key in _EVENT_KEYS) for record in records]


def compare(here: Path, there: Path) -> dict[str, object]:
    """Return what differs between two replays."""
    ours, theirs = (read_scores(Path(f"{name}.csv")) for name in (here, there))
    pairs = [pair for a, b in zip(ours, theirs, strict=True) for pair in zip(a, b, strict=True)]
    events = [read_events(Path(f"{name}.jsonl")) for name in (here, there)]
    return {
        "rows": len(ours),
        "largest_difference": max(abs(a - b) for a, b in pairs),
        "events": len(events[0]),
        "same_events": events[0] == events[1],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("here", type=Path)
    parser.add_argument("there", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="added to the output")
    options = parser.parse_args()
    found = dict(pair.split("=", 1) for pair in options.set) | compare(options.here, options.there)
    print(json.dumps(found, indent=1))
    largest = found["largest_difference"]
    assert isinstance(largest, float)
    return 0 if found["same_events"] and largest <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
