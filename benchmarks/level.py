"""The level meter: accuracy by third-octave band and rate, bytes per year, cost during a replay.

    python benchmarks/level.py --data RECORDINGS

RECORDINGS is a folder of long recordings, whose minutes fill a year of history. matplotlib comes with
the extra ``training``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
from campaign import MONITOR, ROOT, circumstances, say
from level_page import RESULTS, compose

sys.path.insert(0, str(ROOT / "tests" / "monitor" / "level"))
from iec61672 import BURSTS_FAST, BURSTS_SLOW, RATES, WEIGHTINGS, exact_hz

from monitor.clock import FileClock
from monitor.delivery.store.outbox import Outbox
from monitor.features.resample import mono
from monitor.history.levels import insertion
from monitor.level.blocks import GROUP, ChunkFilter
from monitor.level.meter import LevelMeter, decibels
from monitor.level.minutes import Minute
from monitor.level.weighting import design
from monitor.sources.files import FileSource, find_audio
from monitor.stream.noise import MinuteRecorder
from training.base.report import write

YEAR = 525_600
_SIZE = 16
_BATCH = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of long recordings")
    parser.add_argument("--hours", type=float, default=1.0, help="of the replay whose cost is measured")
    options = parser.parse_args()
    say("weightings")
    weightings = {rate: _deviations(rate) for rate in RATES}
    say("tone bursts")
    bursts = {rate: _bursts(rate) for rate in RATES}
    say("a year of history")
    minutes = list(_minutes(find_audio([options.data])))
    record = {
        **circumstances(),
        "weightings": weightings,
        "bursts": bursts,
        "history": {"measured_minutes": len(minutes), "year_bytes": _year_bytes(minutes)},
        "cost": _cost(options.hours),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "level.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    write(compose(RESULTS), RESULTS)


def _deviations(rate: int) -> dict[str, tuple[float, float]]:
    """Return by nominal frequency the deviation in dB of filtered sines from the table, A and C."""
    filtering, found = ChunkFilter(design(rate), _SIZE, 4), {}
    chunk = _SIZE * GROUP * 4
    for nominal, (a_goal, c_goal, _, _) in WEIGHTINGS.items():
        hz = exact_hz(nominal)
        if hz >= rate / 2:
            break
        sine = np.sin(2 * np.pi * hz / rate * np.arange(4 * rate // chunk * chunk)).astype(np.float32)
        filtering.reset(0.0)
        parts = [filtering.push(part) for part in sine.reshape(-1, chunk)]
        settled = [np.concatenate(part)[-2 * rate // _SIZE :] for part in zip(*parts, strict=True)]
        levels = [decibels(2 * float(np.mean(np.square(part), dtype=np.float64))) for part in settled]
        found[f"{nominal:g}"] = (levels[0] - a_goal, levels[1] - c_goal)
    return found


def _bursts(rate: int) -> dict[str, float]:
    """Return the largest deviation from the table for F and for S in dB."""
    tone = np.sin(2 * np.pi * 4000 / rate * np.arange(6 * rate)).astype(np.float32) * np.float32(0.5)
    steady = list(LevelMeter(rate).push(tone))[-1].mean_square
    largest = {}
    for name, table in (("fast_max", BURSTS_FAST), ("slow_max", BURSTS_SLOW)):
        deviations = []
        for duration_ms, (goal, _, _) in table.items():
            burst = np.zeros(4 * rate, np.float32)
            count = round(duration_ms / 1000 * rate)
            burst[rate : rate + count] = tone[:count]
            highest = max(getattr(reading, name) for reading in LevelMeter(rate).push(burst))
            deviations.append(decibels(highest) - decibels(steady) - goal)
        largest[name] = max(deviations, key=abs)
    return largest


def _minutes(files: Sequence[Path]) -> Iterator[Minute]:
    """Return the full minutes of recordings."""
    for file in files:
        with closing(FileSource(file)) as source:
            meter, recorder = LevelMeter(source.rate), MinuteRecorder(source.rate, FileClock(0.0), None)
            for block in source.blocks():
                yield from recorder.push(meter.push(mono(block.samples)))


def _year_bytes(minutes: Sequence[Minute]) -> int:
    """Return the size of a history with a year of these minutes in random order, without events."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "history.db")
        with closing(Outbox(path)) as outbox:
            empty = path.stat().st_size
            rows = (
                insertion(minutes[pick], 29_000_000 + at)
                for at, pick in enumerate(rng.integers(len(minutes), size=YEAR))
            )
            while batch := list(islice(rows, _BATCH)):
                outbox.write(batch)
        return path.stat().st_size - empty


def _cost(hours: float) -> dict[str, float]:
    """Return CPU seconds of the meter and of a whole replay with it, by ``sound-monitor bench``."""
    say(f"a replay of {hours:g} hours")
    command = [*MONITOR, "bench", "--json", "--format", "wav", "--hours", str(hours), "--starts", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    values = json.loads(done.stdout)
    parts = {part["name"]: part["cpu_s"] for part in values["parts"]}
    return {
        "audio_s": values["audio_s"],
        "meter_s": parts["level meter"],
        "resampling_s": parts["resampling"],
        "replay_s": values["replay"]["cpu_s"],
        "share": parts["level meter"] / values["replay"]["cpu_s"],
    }


if __name__ == "__main__":
    main()
