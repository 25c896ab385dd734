"""The page on alarm patterns, from its records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.tuning.poisson import interval
from training.base.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]

_HEAD = """# Alarm patterns: figures

Written by `python benchmarks/alarms/run.py` from the records beside this page; what the patterns are is in
[docs/alarms.md](../../alarms.md). The alarms are synthetic and no sounder was played in a room: the figures
say how the method stands noise and reverberation, not that it knows your alarm."""


_ALARMS = ("smoke_alarm", "co_alarm")
"""What records without labels are about: they are older than ``beeps``."""

_HOW_DETECTED = """Alarms of 2.5 to 4 kHz, every fourth a square wave of 520 Hz ± 10 %, each with its own
clock (up to 4 % off unless said) and pause, over streets, rooms, rain, speech, music and effects of the
held-out half. `beeps` are tones of 0.45 to 6 kHz, 0.1 to 1 s long and 0.2 to 1.5 s apart, for 15 s. SNR is
the RMS of the beeps over that of the noise, over the whole band. The room is noise that decays exponentially,
with the direct sound 6 dB below to 6 dB above the reverberation; unless said, the SNR is 10 dB and RT60
0.5 s. Two cycles count from the first beep."""

_HOW_FALSE = """UrbanSound8K, ESC-10, ESC-50 (its alarm clocks and sirens too), all backgrounds and
effects, halved by source: thresholds were chosen on the development half. Clips of a source follow each
other. The hours are as recorded + changed: speed and pitch by 0.8 to 1.25, level by −30 to +20 dB with
clipping, another recording 0 to 20 dB below. Intervals are exact (Garwood, 95 %). `beeps` in ESC-50's alarm
clocks are listed and not counted: these do beep."""


def compose(folder: Path) -> Report:
    """Return the page and the plot of the records in ``folder``."""
    parts, pictures = [_HEAD], {}
    for name, text in (("detection", _detection), ("false_alarms", _false_alarms), ("cost", _cost)):
        path = folder / f"{name}.json"
        if path.exists():
            record = json.loads(path.read_text(encoding="utf-8"))
            parts.append(text(record))
            if name == "detection":
                pictures["detection.png"] = _draw(record["rows"])
    return Report("\n\n".join(parts) + "\n", pictures, {})


def _detection(record: Record) -> str:
    rows: dict[str, dict[str, Record]] = {}
    for row in record["rows"]:
        rows.setdefault(row["name"], {})[row["pattern"]] = row
    trials = record["rows"][0]["trials"]
    counts = [f"`{label}` {what}" for label in _ALARMS for what in ("in two cycles", "in five")]
    header = ["condition", *counts, "`beeps`", "median delay, s"]
    table = []
    for name, row in rows.items():
        delays = " / ".join(str(one["median_s"] or "–") for one in row.values())
        found = [row[label][what] for label in _ALARMS for what in ("within_two", "found")]
        table.append([name, *found, row["beeps"]["found"], delays])
    return "\n\n".join(
        [
            f"## Detection, of {trials} alarms",
            _HOW_DETECTED,
            _table(header, table),
            "![detection by SNR](detection.png)",
            _origin(record),
        ]
    )


def _false_alarms(record: Record) -> str:
    table, lists, cpu = [], [], []
    for name, half in record["halves"].items():
        hours = half["hours"]
        false = Counter(one["label"] for one in half["alarms"] if not _beeps_in_a_clock(one))
        for label in half.get("labels", _ALARMS):
            table.append(
                [
                    name,
                    half["recordings"],
                    f"{hours['as recorded']:.2f} + {hours['changed']:.2f}",
                    f"`{label}`",
                    false[label],
                    _per_hour(false[label], sum(hours.values())),
                ]
            )
        cpu.append(f"{half['cpu_ms_per_minute']:.0f} ms ({name})")
        every = Counter((one["label"], one["source"]) for one in half["alarms"])
        lists += [f"- {name}: `{label}` in {source}, {count} ×" for (label, source), count in every.items()]
    return "\n\n".join(
        [
            "## False alarms",
            _HOW_FALSE,
            _table(["half", "recordings", "hours", "label", "false alarms", "an hour"], table),
            f"A minute of this audio takes {' and '.join(cpu)} of CPU time.",
            *(["\n".join(lists)] if lists else []),
            _origin(record),
        ]
    )


def _beeps_in_a_clock(alarm: Record) -> bool:
    return alarm["label"] == "beeps" and alarm["source"].endswith("clock_alarm")


def _per_hour(count: int, hours: float) -> str:
    low, high = interval(count)
    return f"{count / hours:.3f} ({low / hours:.3f} to {high / hours:.3f})"


def _cost(record: Record) -> str:
    bench = record["bench"]
    parts = {part["name"]: part["cpu_s"] for part in bench["parts"]}
    replay = bench["replay"]["cpu_s"]
    share = 100 * parts["patterns"] / replay
    return "\n\n".join(
        [
            "## Cost",
            f"{bench['audio_s'] / 3600:.2g} h of the bench's audio take {parts['patterns']:.2f} CPU-seconds "
            f"for both alarms, {share:.1f} % of the {replay:.2f} s of the whole replay (goal: 3 % or less)"
            f"{_with_beeps(record)}. Audio full of tones costs more, see above. All are off by default.",
            _origin(record),
        ]
    )


def _with_beeps(record: Record) -> str:
    bench = record["with_beeps"]
    (patterns_s,) = (part["cpu_s"] for part in bench["parts"] if part["name"] == "patterns")
    return f", and {100 * patterns_s / bench['replay']['cpu_s']:.1f} % with `beeps`"


def _origin(record: Record) -> str:
    machine = record["machine"]
    seed = f"; seed {record['seed']}" if "seed" in record else ""
    where = f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}"
    return f"`{record['command']}`; commit {record['commit']}{seed}; {where}."


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _draw(rows: Sequence[Record]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, label in zip(axes, ("smoke_alarm", "co_alarm"), strict=True):
        for room, style in (("no room", "o-"), ("RT60 0.5 s", "s--")):
            points = sorted(
                (row["snr_db"], 100 * row["within_two"] / row["trials"], 100 * row["found"] / row["trials"])
                for row in rows
                if row["pattern"] == label and row["name"] == f"SNR {row['snr_db']:g} dB, {room}"
            )
            snr, two, five = zip(*points, strict=True)
            (line,) = axis.plot(snr, two, style, label=f"{room}, two cycles")
            axis.plot(snr, five, ":", color=line.get_color(), label=f"{room}, five cycles")
        axis.set(title=label, xlabel="SNR, dB", ylim=(0, 103))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("recognised, %")
    axes[0].legend(fontsize=7)
    return figure
