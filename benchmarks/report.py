"""Write the page and the plot of docs/results/foundation from the records of the benchmarks.

    python benchmarks/report.py

matplotlib comes with the extra ``training``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from campaign import RESULTS

from training.base.report import Report, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]


def main() -> None:
    write(compose(RESULTS), RESULTS)


def compose(folder: Path) -> Report:
    """Return the page and the picture of the records in ``folder``."""
    sections = {"cost": cost, "delivery": delivery, "latency": latency, "acceptance": acceptance}
    parts = ["# Figures of the foundation", _INTRODUCTION]
    records: dict[str, Record] = {}
    for name, section in sections.items():
        path = folder / f"{name}.json"
        if path.exists():
            records[name] = json.loads(path.read_text(encoding="utf-8"))
            parts.append("\n".join(section(records[name])))
    pictures = {}
    if "cost" in records:
        pictures["memory.png"] = _memory(folder / "memory.csv", records["cost"]["long"]["hours"])
    return Report("\n\n".join(parts) + "\n", pictures, {})


_INTRODUCTION = """Made by the commands named below; this page is written by `python benchmarks/report.py`
from the records beside it. Absolute times are those of one machine on one day, often a busy one (its load
is given): what travels are the ratios, each measured in one run. Commands recorded before 0.7.0
name `tests/faults/`: those programs are in `benchmarks/` now."""


def cost(record: Record) -> list[str]:
    lines = ["## What it costs", *_origin(record), ""]
    formats = {"ogg": "Ogg Vorbis, 22.05 kHz", "wav": "WAV (16 bit), 22.05 kHz"}
    hours = [(record["hour"][suffix], text) for suffix, text in formats.items()]
    lines += _table(
        ("an hour of", "replay, CPU s", "YAMNet's inference, CPU s", "replay ÷ YAMNet (goal ≤ 0.50)",
         "our inference ÷ YAMNet (goal ≤ 0.25)", "process start to the end after one hop, s (goal ≤ 0.7)",
         "resident at most, MB (goal ≤ 110)"),
        (
            (
                text, bench["replay"]["cpu_s"], bench["reference"]["cpu_s"],
                bench["reference"]["replay_ratio"], bench["reference"]["inference_ratio"],
                bench["start_s"]["median"], bench["memory_mb"]["peak"],
            )
            for bench, text in hours
        ),
    )  # fmt: skip
    for suffix, text in formats.items():
        lines += ["", f"Where the time of an hour goes, {text}:", ""]
        lines += _table(
            ("part", "CPU s", "floor, CPU s", "the floor is"),
            (
                (p["name"], f"{p['cpu_s']:.2f}", _number(p["floor_s"]), p["floor"] or "")
                for p in record["hour"][suffix]["parts"]
            ),
        )
    memory = record["long"]["memory_mb"]
    lines += [
        "",
        f"Memory over a replay of {record['long']['hours']:g} hours: {memory['peak']} MB at most, "
        f"{memory['second_tenth']} MB in its second tenth, {memory['last_tenth']} MB in its last.",
        "",
        "![resident memory](memory.png)",
    ]
    return lines


def delivery(record: Record) -> list[str]:
    outage, kills = record["broker_outage"], record["kills"]
    names = {
        "events_in_the_history": "events in the history",
        "records_in_the_history": "records (starts and ends) in the history",
        "records_received": "of them received",
        "lost": "lost (goal 0)",
        "not_in_the_history": "received without being in the history",
        "first_deliveries_in_order": "first deliveries in order",
        "duplicates": "duplicates",
        "late_messages": "messages that say `delayed: true`",
        "without_acknowledgement": "without an acknowledgement at the end",
    }
    lines = ["## What is lost", *_origin(record), ""]
    lines += _table(
        ("", f"`run`, the broker away for {outage['broker_away_s']:g} s",
         f"`replay` with {kills['events_in_the_recording']} events, killed {len(kills['kills'])} times"),
        ((text, outage[key], kills[key]) for key, text in names.items()),
    )  # fmt: skip
    lines += [
        "",
        f"A whole replay takes {kills['whole_replay_s']} s; it was killed (`SIGKILL`) after "
        + ", ".join(f"{kill['after_s']:g}" for kill in kills["kills"])
        + " s, with "
        + ", ".join(str(kill["undelivered_in_history"]) for kill in kills["kills"])
        + " records in the history that no acknowledgement had come for. A restarted replay begins its"
        " recording anew, so the history holds the records of every attempt; an event that a kill cut off is"
        " ended at the next start.",
    ]
    return lines


def latency(record: Record) -> list[str]:
    names = {
        "onset_to_message": "from the onset to the message at `mosquitto_sub`",
        "audio_until_decided": "of that: until the deciding audio is in hand (window, attack, sound server)",
        "decided_to_history": "until the event is written (resampling, features, inference, queue)",
        "history_to_subscriber": "until the subscriber has it (commit, MQTT)",
    }
    lines = ["## How soon an alert comes", *_origin(record), f"Alerts measured: {record['alerts']}.", ""]
    lines += _table(
        ("seconds", "p50", "p95"),
        (
            (text, record["seconds"][key]["p50"], record["seconds"][key]["p95"])
            for key, text in names.items()
            if key in record["seconds"]
        ),
    )
    peaks = ", ".join(f"{monitor['peak_mb']:g} MB" for monitor in record["monitors"])
    dropped = sum(monitor["health"]["dropped_s"] for monitor in record["monitors"])
    lines += [
        "",
        f"Resident memory of the monitors (`run`, MQTT, microphone) at most: {peaks}. "
        f"Audio dropped: {dropped:g} s.",
    ]
    return lines


def acceptance(record: Record) -> list[str]:
    heading = ("class", "scenes", "own alert", "share", "alerts of other classes", "median delay, s")
    keys = ("scenes", "heard", "share", "alerts_of_others", "median_delay_s")
    lines = ["## What raises an alert", *_origin(record)]
    lines += ["", "Played into the virtual microphone, counted at `mosquitto_sub`:", ""]
    lines += _table(heading, _classes(record["microphone"], keys))
    played = sum(row["scenes"] for row in record["microphone"].values())
    lines += [
        "",
        f"`replay` of the same {played} scenes agrees on {record['the_same_in_both']}. It begins each scene"
        " afresh; the microphone hears one after the other, 1.5 s apart or more.",
        "",
        "All ten classes through `replay`:",
        "",
    ]
    lines += _table(heading, _classes(record["replay"], keys))
    lines += ["", "Alerts on backgrounds, with the same settings:", ""]
    names = {"test": "not trained on", "training": "trained on"}
    lines += _table(
        ("backgrounds", "hours", "alerts", "an hour", "by class"),
        (
            (names[key], row["hours"], row["alerts"], row["alerts_an_hour"],
             ", ".join(f"{label} {count}" for label, count in row["by_class"].items()))
            for key, row in record["background"].items()
        ),
    )  # fmt: skip
    return lines


def _memory(table: Path, hours: float) -> Figure:
    """Draw the resident memory over a long replay."""
    from matplotlib.figure import Figure

    with table.open(encoding="utf-8", newline="") as stream:
        rows = [(float(time_s), float(size)) for time_s, size in list(csv.reader(stream))[1:]]
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot([time_s for time_s, _ in rows], [size for _, size in rows])
    axes.set(
        xlabel=f"seconds of the replay of {hours:g} hours",
        ylabel="resident memory, MB",
        ylim=(0, 1.2 * max(size for _, size in rows)),
    )
    axes.grid(alpha=0.3)
    return figure


def _classes(rows: Mapping[str, Record], keys: Iterable[str]) -> Iterable[tuple[Any, ...]]:
    return ((label, *(row[key] for key in keys)) for label, row in rows.items())


def _origin(record: Record) -> list[str]:
    machine = record["machine"]
    facts = [f"`{record['command']}`", f"commit {record['commit']}"]
    facts += [f"{name} {record[name]}" for name in ("model", "data", "seed") if name in record]
    facts += [f"{machine['cpu']}, {machine['cores']} cores", f"load {machine['load'][0]}", machine["date"]]
    return ["", "; ".join(facts) + "."]


def _table(heading: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[str]:
    heading = list(heading)
    lines = [heading, ["---"] * len(heading), *([_number(value) for value in row] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _number(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1000 else f"{value:.0f}"
    return "–" if value is None else str(value)


if __name__ == "__main__":
    main()
