"""What the monitor costs: an hour as Ogg Vorbis and as WAV, and the memory over twelve hours.

    python benchmarks/cost.py --against yamnet.tflite

All by ``sound-monitor bench``; this command only runs it, keeps what it says and draws the memory.
matplotlib comes with the extra ``training``.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
from pathlib import Path

from campaign import MONITOR, RESULTS, ROOT, circumstances, say, write_record

_ROWS = 240
"""Rows of the memory that are kept."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, required=True, help="YAMNet's .tflite")
    parser.add_argument("--hours", type=float, default=12.0, help="of the replay whose memory is watched")
    options = parser.parse_args()
    hour = {}
    for suffix in ("ogg", "wav"):
        say(f"an hour of {suffix}")
        hour[suffix] = bench("--format", suffix, "--against", str(options.against))
    say(f"{options.hours:g} hours")
    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder, "memory.csv")
        long = bench("--hours", str(options.hours), "--starts", "1", "--memory", str(memory))
        with memory.open(encoding="utf-8", newline="") as stream:
            rows = [(float(time_s), float(size)) for time_s, size in list(csv.reader(stream))[1:]]
    kept = rows[:: max(1, len(rows) // _ROWS)]
    with (RESULTS / "memory.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("time_s", "resident_mb"))
        writer.writerows(kept)
    _draw(kept, options.hours)
    write_record("cost", {**circumstances(), "hour": hour, "long": {"hours": options.hours, **long}})


def bench(*arguments: str) -> dict[str, object]:
    """Run the bench; returns what it printed."""
    done = subprocess.run(
        [*MONITOR, "bench", "--json", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    values: dict[str, object] = json.loads(done.stdout)
    return values


def _draw(rows: list[tuple[float, float]], hours: float) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3), layout="constrained")
    axes.plot([time_s for time_s, _ in rows], [size for _, size in rows])
    axes.set(
        xlabel=f"seconds of the replay of {hours:g} hours",
        ylabel="resident memory, MB",
        ylim=(0, 1.2 * max(size for _, size in rows)),
    )
    axes.grid(alpha=0.3)
    figure.savefig(RESULTS / "memory.png", dpi=100)


if __name__ == "__main__":
    main()
