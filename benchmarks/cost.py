"""CPU cost of the monitor: an hour as Ogg Vorbis and as WAV, and its memory over twelve hours.

    python benchmarks/cost.py --against yamnet.tflite

Runs ``sound-monitor bench`` and stores its output; ``report.py`` writes the page.
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
"""Number of memory samples kept."""


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
    write_record("cost", {**circumstances(), "hour": hour, "long": {"hours": options.hours, **long}})


def bench(*arguments: str) -> dict[str, object]:
    """Run the bench; return its output."""
    done = subprocess.run(
        [*MONITOR, "bench", "--json", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    values: dict[str, object] = json.loads(done.stdout)
    return values


if __name__ == "__main__":
    main()
