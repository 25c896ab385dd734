"""The level meter: accuracy by third of an octave and rate, bytes a year, cost beside a replay.

    python benchmarks/level.py --data RECORDINGS

RECORDINGS is a folder of long recordings; their minutes fill a year of history. matplotlib comes with
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

sys.path.insert(0, str(ROOT / "tests" / "monitor" / "level"))
from iec61672 import BURSTS_FAST, BURSTS_SLOW, RATES, WEIGHTINGS, exact_hz

from monitor.clock import FileClock
from monitor.delivery.outbox import Outbox
from monitor.features.resample import mono
from monitor.history.levels import insertion
from monitor.level.blocks import GROUP, ChunkFilter
from monitor.level.meter import LevelMeter, decibels
from monitor.level.minutes import Minute
from monitor.level.weighting import design
from monitor.sources.files import FileSource, find_audio
from monitor.stream.noise import MinuteRecorder

RESULTS = ROOT / "docs" / "results" / "level"
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
    _draw(weightings)
    (RESULTS / "README.md").write_text(_page(record), encoding="utf-8")


def _deviations(rate: int) -> dict[str, tuple[float, float]]:
    """By nominal frequency: dB by which a sine through the filters differs from the table, A and C."""
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
    """Largest deviation from the table for F and for S, dB."""
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
    """The full minutes of recordings."""
    for file in files:
        with closing(FileSource(file)) as source:
            meter, recorder = LevelMeter(source.rate), MinuteRecorder(source.rate, FileClock(0.0), None)
            for block in source.blocks():
                yield from recorder.push(meter.push(mono(block.samples)))


def _year_bytes(minutes: Sequence[Minute]) -> int:
    """Size of a history that holds a year of these minutes in random order, and no event."""
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
    """CPU seconds of the meter and of a whole replay with it, by ``sound-monitor bench``."""
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


def _draw(weightings: dict[int, dict[str, tuple[float, float]]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(2, 1, figsize=(8, 6), sharex=True, layout="constrained")
    hz = [exact_hz(nominal) for nominal in WEIGHTINGS]
    low, high = ([row[column] for row in WEIGHTINGS.values()] for column in (2, 3))
    for column, (axes, name) in enumerate(zip(rows, "AC", strict=True)):
        axes.fill_between(hz, np.maximum(low, -6.0), high, step="mid", color="0.92", label="class 2")
        for rate, found in weightings.items():
            at = [exact_hz(float(nominal)) for nominal in found]
            axes.plot(at, [pair[column] for pair in found.values()], marker=".", label=f"{rate / 1000:g} kHz")
        axes.set(xscale="log", ylim=(-6, 6), ylabel=f"{name}: deviation, dB")
        axes.grid(alpha=0.3)
    rows[0].legend(ncols=6, fontsize=8, loc="lower center")
    rows[1].set_xlabel("frequency, Hz")
    figure.savefig(RESULTS / "weightings.png", dpi=100, pil_kwargs={"optimize": True})


def _page(record: dict[str, object]) -> str:
    weightings: dict[int, dict[str, tuple[float, float]]] = record["weightings"]  # type: ignore[assignment]
    bursts: dict[int, dict[str, float]] = record["bursts"]  # type: ignore[assignment]
    history: dict[str, int] = record["history"]  # type: ignore[assignment]
    cost: dict[str, float] = record["cost"]  # type: ignore[assignment]
    lines = [
        "# The level meter",
        "",
        f"Made by `{record['command']}` at commit {record['commit']};"
        " what the figures mean is in [level.md](../../level.md).",
        "",
        "Deviation of sines through the filters from the design goals of IEC 61672-1:2013, Table 3, A / C"
        " in dB. The goals are rounded to 0.1 dB.",
        "",
        "![deviation of the weightings](weightings.png)",
        "",
        "| Hz | " + " | ".join(f"{rate / 1000:g} kHz" for rate in RATES) + " | class 2 |",
        "|---|" + "---|" * (len(RATES) + 1),
    ]
    for nominal, (_, _, low, high) in WEIGHTINGS.items():
        pairs = [weightings[rate].get(f"{nominal:g}") for rate in RATES]
        cells = ["" if pair is None else f"{pair[0]:+.2f} / {pair[1]:+.2f}" for pair in pairs]
        limits = f"±{high:g}" if low == -high else f"+{high:g}; −∞"
        lines.append(f"| {nominal:g} | " + " | ".join(cells) + f" | {limits} |")
    lines += [
        "",
        "Largest deviation from Table 4, tone bursts of 4 kHz, dB:",
        "",
        "| | " + " | ".join(f"{rate / 1000:g} kHz" for rate in RATES) + " |",
        "|---|" + "---|" * len(RATES),
        "| F, 1000 to 0.25 ms | " + " | ".join(f"{bursts[rate]['fast_max']:+.2f}" for rate in RATES) + " |",
        "| S, 1000 to 2 ms | " + " | ".join(f"{bursts[rate]['slow_max']:+.2f}" for rate in RATES) + " |",
        "",
        f"**History**: a year of minutes takes {history['year_bytes'] / 1e6:.1f} MB (50 were allowed), of"
        f" {history['measured_minutes']} different minutes of recordings.",
        "",
        f"**Cost** of {cost['audio_s'] / 3600:g} h at 22.05 kHz: {cost['meter_s']:.2f} of"
        f" {cost['replay_s']:.2f} CPU-seconds of the replay, {100 * cost['share']:.1f} % (3 % were"
        f" asked for); resampling takes {cost['resampling_s']:.2f}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
