"""Measure alarm patterns: detection, false alarms and cost; write docs/results/alarms.

    SOUND_DATA=recordings python benchmarks/alarms/run.py

``--only pages`` writes README.md and the plot again from the record; matplotlib comes with the
extra ``training``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Behind this folder, whose page.py is another than the one above.
sys.path[1:1] = [str(ROOT / "benchmarks"), str(ROOT)]
# As the program does: a second BLAS thread only waits, and its waiting counts as CPU time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import detection  # noqa: E402
import false_alarms  # noqa: E402
import page  # noqa: E402
from campaign import MONITOR, circumstances  # noqa: E402

from training.base.report import write  # noqa: E402

RESULTS = ROOT / "docs" / "results" / "alarms"
PARTS = ("detection", "false_alarms", "cost", "pages")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("SOUND_DATA"), help="folder of recordings"
    )
    parser.add_argument("--trials", type=int, default=60, help="alarms a condition")
    parser.add_argument("--passes", type=int, default=3, help="over all recordings, each changed at random")
    parser.add_argument("--hours", type=float, default=1.0, help="of the replays whose cost is measured")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=PARTS, action="append", help="leave out the other parts")
    options = parser.parse_args()
    wanted = options.only or PARTS
    if options.data is None and set(wanted) & {"detection", "false_alarms"}:
        parser.error("--data or SOUND_DATA must name the folder of recordings")
    RESULTS.mkdir(parents=True, exist_ok=True)
    if "detection" in wanted:
        rows = detection.measure(options.data, options.trials, options.seed)
        _write("detection", seed=options.seed, rows=rows)
    if "false_alarms" in wanted:
        halves: dict[str, object] = {}
        for name, half in false_alarms.measure(options.data, options.passes, options.seed):
            halves[name] = half
            # Written now, so that the first half survives an interruption of the second.
            _write("false_alarms", seed=options.seed, halves=halves)
    if "cost" in wanted:
        alarms = ("smoke_alarm", "co_alarm")
        _write(
            "cost", bench=_bench(alarms, options.hours), with_beeps=_bench((*alarms, "beeps"), options.hours)
        )
    write(page.compose(RESULTS), RESULTS)


def _bench(labels: tuple[str, ...], hours: float) -> object:
    """Return the cost by part of a replay with these patterns enabled."""
    switches = [argument for label in labels for argument in ("--set", f"events.patterns.{label}=true")]
    command = [
        *MONITOR,
        "bench",
        "--json",
        "--hours",
        str(hours),
        "--starts",
        "1",
        "--format",
        "wav",
        *switches,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _write(name: str, **values: object) -> None:
    record = {**circumstances(), **values}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
