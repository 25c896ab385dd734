"""Format the results of a benchmark as text, JSON and CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from monitor.bench.measure import Bench
from monitor.bench.reference import HOP_S


def as_text(bench: Bench, machine: Mapping[str, object]) -> str:
    """Return the results as a few lines and a table of parts."""
    hours, replay = bench.audio_s / 3600, bench.replay
    lines = [
        f"machine   {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, "
        f"load {machine['load']}",
        f"replay    {replay.cpu_s:.2f} CPU-seconds for {hours:.2f} h of audio ({replay.cpu_s / hours:.2f} an "
        f"hour), {replay.wall_s:.2f} s wall time",
    ]
    if bench.reference_s is not None:
        lines += [
            f"against   {bench.reference}: {bench.reference_s:.2f} CPU-seconds for its inference alone every "
            f"{HOP_S} s of the same audio",
            f"          whole replay {replay.cpu_s / bench.reference_s:.3f} of that, our inference "
            f"{bench.inference_s / bench.reference_s:.3f}",
        ]
    lines += [
        f"start     {bench.start_s:.2f} s from process start to the end after one hop (median of "
        f"{len(bench.starts_s)}; {min(bench.starts_s):.2f} to {max(bench.starts_s):.2f})",
        f"memory    {replay.peak_mb:.1f} MB resident at most; {replay.resident_mb(0.1, 0.2):.1f} in the "
        f"second tenth, {replay.resident_mb(0.9, 1.0):.1f} in the last",
        "",
        "part            CPU s   share   floor s",
    ]
    for part in bench.parts:
        share = 100 * part.cpu_s / replay.cpu_s
        floor = "" if part.floor_s is None else f"   {part.floor_s:7.2f}  {part.floor}"
        lines.append(f"{part.name:13} {part.cpu_s:7.2f}   {share:4.0f} %{floor}")
    return "\n".join(lines)


def as_values(bench: Bench, machine: Mapping[str, object]) -> dict[str, object]:
    """Return the results for JSON, in seconds and megabytes (10⁶ bytes)."""
    replay = bench.replay
    return {
        "machine": dict(machine),
        "audio_s": round(bench.audio_s, 3),
        "replay": {"cpu_s": round(replay.cpu_s, 3), "wall_s": round(replay.wall_s, 3)},
        "parts": [
            {
                **asdict(part),
                "cpu_s": round(part.cpu_s, 4),
                "floor_s": part.floor_s and round(part.floor_s, 4),
            }
            for part in bench.parts
        ],
        "reference": None
        if bench.reference_s is None
        else {
            "model": bench.reference,
            "cpu_s": round(bench.reference_s, 3),
            "replay_ratio": round(replay.cpu_s / bench.reference_s, 4),
            "inference_ratio": round(bench.inference_s / bench.reference_s, 4),
        },
        "start_s": {"median": round(bench.start_s, 3), "all": [round(s, 3) for s in bench.starts_s]},
        "memory_mb": {
            "peak": round(replay.peak_mb, 1),
            "second_tenth": round(replay.resident_mb(0.1, 0.2), 2),
            "last_tenth": round(replay.resident_mb(0.9, 1.0), 2),
        },
    }


def write_memory(path: Path, bench: Bench) -> None:
    """Write the memory samples as CSV: seconds since the start of the replay, MB."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("time_s", "resident_mb"))
        writer.writerows((f"{at:.2f}", f"{size / 1e6:.2f}") for at, size in bench.replay.memory)
