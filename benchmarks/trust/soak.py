"""A day of audio through ``replay``, with history and broker: what grows, and whether all of it arrives."""

from __future__ import annotations

import csv
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
from campaign import MONITOR, ROOT, STREET
from checker import judge, read_history
from mosquitto import Mosquitto
from subscriber import Subscriber

NODE = "soak"
COLUMNS = ("wall_s", "audio_h", "resident_mb", "threads", "descriptors", "wal_kb", "history_mb")
_INTERVAL_S = 0.5
"""About a minute of audio."""
_ROWS = 240
_PAUSE_S = 76
_NOISE_DBFS = -66.0
_PATIENCE_S = 60.0

Sample = tuple[float, ...]


def soak(folder: Path, hours: float, table: Path) -> dict[str, Any]:
    """Replay the street and a pause, again and again; write the samples and return the figures."""
    recording = folder / "day.wav"
    _write(recording, hours)
    broker = Mosquitto(folder, ("allow_anonymous true", "max_queued_messages 0")).start()
    subscriber = Subscriber(broker.port, f"sound-monitor/{NODE}/#")
    history = folder / "history.db"
    settings = ("mqtt.host=127.0.0.1", f"mqtt.port={broker.port}", "events.loud.enabled=true")
    command = [
        *MONITOR,
        "replay",
        str(recording),
        "--mqtt",
        "--states",
        "--node",
        NODE,
        "--history",
        str(history),
    ]
    began = time.monotonic()
    with (folder / "replay.log").open("w") as log:
        process = subprocess.Popen(
            [*command, *(word for value in settings for word in ("--set", value))],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
    samples = _watch(process, history, subscriber, began)
    code = process.wait()
    rows = read_history(history)
    _wait_for_all(subscriber, len(rows))
    figures = judge(rows, subscriber.messages())
    subscriber.close()
    broker.stop()
    recording.unlink()
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(samples[:: max(1, len(samples) // _ROWS)])
    lines = (folder / "replay.log").read_text(errors="replace")
    return {
        "hours": hours,
        "wall_s": round(time.monotonic() - began),
        "exit_code": code,
        "tracebacks": lines.count("Traceback"),
        "samples": len(samples),
        "growth": growth(samples),
        **figures,
    }


def growth(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """Return the medians of the second and the last tenth, and the highest value, by column."""
    tenth = max(1, len(samples) // 10)
    return {
        name: {
            "second_tenth": median(row[i] for row in samples[tenth : 2 * tenth]),
            "last_tenth": median(row[i] for row in samples[-tenth:]),
            "most": max(row[i] for row in samples),
        }
        for i, name in enumerate(COLUMNS)
        if i >= 2
    }


def _write(path: Path, hours: float) -> None:
    street, rate = soundfile.read(STREET, dtype="float32")
    pause = np.random.default_rng(0).standard_normal(_PAUSE_S * rate) * 10 ** (_NOISE_DBFS / 20)
    cycle = np.concatenate((street, pause.astype(np.float32)))
    with soundfile.SoundFile(path, "w", rate, 1, subtype="PCM_16") as file:
        for _ in range(round(hours * 3600 * rate / len(cycle))):
            file.write(cycle)


def _watch(
    process: subprocess.Popen[bytes], history: Path, subscriber: Subscriber, began: float
) -> list[Sample]:
    samples = []
    while process.poll() is None:
        try:
            resident_mb, threads, descriptors = _process(process.pid)
        except (OSError, StopIteration):
            break
        last = subscriber.last("/event")
        audio_h = 0.0 if last is None else last.values["start_s"] / 3600
        files = (_size(history.with_name(f"{history.name}-wal")) / 1e3, _size(history) / 1e6)
        row = (time.monotonic() - began, audio_h, resident_mb, threads, descriptors, *files)
        samples.append(tuple(round(value, 2) for value in row))
        time.sleep(_INTERVAL_S)
    return samples


def _process(pid: int) -> tuple[float, int, int]:
    """Return resident memory in MB, threads and open descriptors."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    if "VmRSS" not in status:
        raise OSError("it has ended")
    return (
        int(status["VmRSS"].split()[0]) * 1024 / 1e6,
        int(status["Threads"]),
        len(os.listdir(f"/proc/{pid}/fd")),
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _wait_for_all(subscriber: Subscriber, records: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if sum(m.topic.endswith("/event") for m in subscriber.messages()) >= records:
            return
        time.sleep(0.5)
