"""The page on the campaign and the soak, from their records."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from training.base.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]

_HEAD = """# The daemon under faults

Written by `python benchmarks/trust/run.py` from the records beside this page. A checker that shares no code
with the daemon judges it: `mosquitto_sub` at the broker, and SQLite's own reading of the history."""

_HOW = """Each rig runs `sound-monitor run` on a virtual microphone of its own, in which one of six sounds
plays every eight seconds or so. The daemon publishes through a proxy to a real mosquitto, and is started
again when it ends, as systemd would. After each fault the checker waits until the daemon is online and
listens, and everything is acknowledged. Then it compares all retained states with the open events of the
history. Some faults overlap."""

_JUDGED = {
    "lost": "records of the history that never arrived",
    "out_of_order": "first deliveries out of order",
    "not_in_the_history": "received without being in the history",
    "content_differs": "received with another content",
    "stored_twice": "stored twice",
    "sounds_missed": "sounds without an event, while the microphone was left alone",
    "tracebacks": "tracebacks in the log",
    "unexpected_errors": "unexpected errors in the log",
    "unasked_exits": "ends of a daemon that nobody asked for",
}
_COUNTED = {
    "records": "records (starts and ends) in the histories",
    "received": "of them received",
    "duplicates": "received again after a lost acknowledgement",
    "late": "marked as late",
    "sounds_expected": "sounds played while the microphone was left alone",
}
_NEVER = {"kill -9", "SIGTERM", "SIGSTOP"}
"""Kinds during which the daemon does not run: neither CPU time nor log lines."""


def compose(folder: Path) -> Report:
    """Return the page and the plot of the records in ``folder``."""
    parts, pictures = [_HEAD], {}
    for name, text in (("campaign", _campaign), ("soak", _soak)):
        path = folder / f"{name}.json"
        if path.exists():
            record = json.loads(path.read_text(encoding="utf-8"))
            parts.append(text(record))
            pictures[f"{name}.png"] = (
                _draw_recoveries(record) if name == "campaign" else _draw(folder / "soak.csv")
            )
    return Report("\n\n".join(parts) + "\n", pictures, {})


def _campaign(record: Record) -> str:
    episodes, results = record["episodes"], record["results"]
    faults = sum(len(episode["faults"]) for episode in episodes)
    problems = Counter(_kind_of_problem(p) for e in episodes for p in e["problems"])
    problems += Counter(_kind_of_problem(p) for r in results for p in r["problems_at_the_end"])
    malformed: Counter[str] = Counter()
    for result in results:
        malformed.update(result["malformed_events"])
    never = [(text, sum(result[key] for result in results)) for key, text in _JUDGED.items()]
    problems.pop("ended by itself", None)  # counted above
    for name in ("wrong state", "false online", "no recovery"):
        never.append((name, problems.pop(name, 0)))
    never += sorted(problems.items()) + sorted(malformed.items())
    counted = [(text, sum(result[key] for result in results)) for key, text in _COUNTED.items()]
    lines = [
        f"## {faults} faults",
        _origin(record),
        _HOW,
        _table(("must not happen", "count (goal 0)"), never),
        _table(("besides", "count"), counted),
        "By kind of fault. CPU time and log lines are the daemon's from the beginning of a fault to its end,"
        " when no other overlaps.",
        _table(
            ("fault", "times", "lasting, s", "well again after, s: median", "at most", "CPU, % of a core",
             "log lines a minute"),
            (_kind_row(kind, episodes) for kind in sorted({k for e in episodes for k in e["faults"]})),
        ),
        "![recovery by kind of fault](campaign.png)",
    ]  # fmt: skip
    return "\n\n".join(lines)


def _kind_row(kind: str, episodes: Sequence[Record]) -> tuple[object, ...]:
    mine = [e for e in episodes if kind in e["faults"]]
    alone = [e for e in mine if len(e["faults"]) == 1]
    lasted = [d for e in mine for k, d in zip(e["faults"], e["durations_s"], strict=True) if k == kind]
    recovery = [e["recovery_s"] for e in alone if e["recovery_s"] is not None]
    timed = [e for e in alone if e["cpu_s"] is not None]
    minutes = sum(e["down_s"] for e in alone) / 60
    return (
        kind,
        len(lasted),
        f"{min(lasted):g} to {max(lasted):g}",
        f"{median(recovery):.1f}" if recovery else "–",
        f"{max(recovery):.1f}" if recovery else "–",
        f"{100 * sum(e['cpu_s'] for e in timed) / sum(e['down_s'] for e in timed):.1f}"
        if timed and kind not in _NEVER else "–",
        f"{sum(e['log_lines'] for e in alone) / minutes:.1f}" if minutes and kind not in _NEVER else "–",
    )  # fmt: skip


def _kind_of_problem(text: str) -> str:
    return text.split(":")[0].split(" with ")[0]


def _soak(record: Record) -> str:
    names = {
        "resident_mb": "resident memory, MB", "threads": "threads", "descriptors": "open descriptors",
        "wal_kb": "write-ahead log, kB", "history_mb": "history, MB (it grows with its events)",
    }  # fmt: skip
    growth = record["growth"]
    lines = [
        f"## {record['hours']:g} hours of audio",
        _origin(record),
        f"The example street and a pause, in one file, through `replay --mqtt --states --history` in"
        f" {record['wall_s'] / 60:.0f} minutes; {record['samples']} samples.",
        _table(
            ("", "second tenth", "last tenth", "at most"),
            ((text, *(f"{growth[key][part]:g}" for part in ("second_tenth", "last_tenth", "most")))
             for key, text in names.items()),
        ),
        f"Records: {record['records']}; lost {record['lost']}, out of order {record['out_of_order']},"
        f" received twice {record['duplicates']}; tracebacks {record['tracebacks']};"
        f" exit code {record['exit_code']}.",
        "![what grows](soak.png)",
    ]  # fmt: skip
    return "\n\n".join(lines)


def _draw_recoveries(record: Record) -> Figure:
    """Draw the recovery times of faults without another, by kind."""
    from matplotlib.figure import Figure

    alone = [e for e in record["episodes"] if len(e["faults"]) == 1 and e["recovery_s"] is not None]
    kinds = sorted({e["faults"][0] for e in alone}, reverse=True)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([e["recovery_s"] for e in alone], [kinds.index(e["faults"][0]) for e in alone], "o", alpha=0.4)
    axes.set(xlabel="seconds from the end of the fault until all is well", xlim=(0, None))
    axes.set_yticks(range(len(kinds)), kinds)
    axes.grid(alpha=0.3, axis="x")
    return figure


def _draw(table: Path) -> Figure:
    from matplotlib.figure import Figure

    with table.open(encoding="utf-8", newline="") as stream:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
    shown = {
        "resident_mb": "resident, MB",
        "threads": "threads",
        "descriptors": "descriptors",
        "wal_kb": "WAL, kB",
    }
    figure = Figure(figsize=(7, 6), layout="constrained")
    for axes, (name, label) in zip(figure.subplots(len(shown), sharex=True), shown.items(), strict=True):
        axes.plot([row["audio_h"] for row in rows], [row[name] for row in rows])
        axes.set(ylabel=label, ylim=(0, 1.2 * max(row[name] for row in rows)))
        axes.grid(alpha=0.3)
    axes.set_xlabel("hours of audio")
    return figure


def _origin(record: Record) -> str:
    machine = record["machine"]
    facts = [f"`{record['command']}`", f"commit {record['commit']}"]
    facts += [f"{name} {record[name]}" for name in ("seed", "rigs") if name in record]
    return "; ".join([*facts, f"{machine['cpu']}, {machine['cores']} cores", f"load {machine['load'][0]}",
                      machine["date"]]) + "."  # fmt: skip


def _table(heading: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [heading, ["---"] * len(heading), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
