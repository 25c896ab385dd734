"""CPU time and memory of one process that listens to several sources.

    python benchmarks/sources.py
    python benchmarks/sources.py --counts 1 4 --seconds 20

For each count, ``sound-monitor run`` reads that many network streams in real time, each a loop of the example
street that begins elsewhere. After a warm-up it reports the CPU time of the monitor and of its ffmpeg
processes in percent of one core, and their memory; PSS divides what processes share. No broker and no page.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import fmean

import numpy as np
import soundfile
from campaign import MONITOR, ROOT, STREET, circumstances, say

_CHUNK_S = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE_S = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 4, 8], help="numbers of sources")
    parser.add_argument("--seconds", type=float, default=120.0, help="of each measurement")
    parser.add_argument("--warm-up", type=float, default=20.0, help="seconds before each measurement")
    parser.add_argument("--output", type=Path, help="write the record there too, as JSON")
    options = parser.parse_args()
    rows = []
    for count in options.counts:
        say(f"{count} sources for {options.seconds:g} s")
        rows.append(measure(count, options.warm_up, options.seconds))
    print("sources   monitor CPU   ffmpeg CPU   monitor RSS   monitor PSS   ffmpeg PSS   lost audio")
    for row in rows:
        print(
            f"{row['sources']:7.0f}  {row['cpu_percent']:10.1f} %  {row['ffmpeg_cpu_percent']:9.1f} %  "
            f"{row['rss_mb']:8.1f} MB  {row['pss_mb']:9.1f} MB  {row['ffmpeg_pss_mb']:8.1f} MB  "
            f"{row['slow_warnings']:10.0f}"
        )
    if options.output is not None:
        record = {**circumstances(), "warm_up_s": options.warm_up, "seconds": options.seconds, "rows": rows}
        options.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


class Camera:
    """Serves a WAV stream without an end over loopback TCP, in real time from the moment a reader comes."""

    def __init__(self, samples: np.ndarray, rate: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._samples, self._rate = samples, rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        self._server.settimeout(_PATIENCE_S)
        connection, _ = self._server.accept()
        header = io.BytesIO()
        soundfile.write(header, np.zeros(self._rate * 3600, np.int16), self._rate, format="WAV")
        chunk = round(_CHUNK_S * self._rate)
        began, sent = time.monotonic(), 0
        with connection:
            connection.sendall(header.getvalue()[:44])
            while not self._over.wait(max(0.0, began + sent * _CHUNK_S - time.monotonic())):
                start = sent * chunk % (len(self._samples) - chunk)
                try:
                    connection.sendall(self._samples[start : start + chunk].tobytes())
                except OSError:  # the monitor has ended
                    return
                sent += 1


def measure(count: int, warm_up_s: float, seconds: float) -> dict[str, float]:
    """Return the figures of one process with so many sources."""
    street, rate = soundfile.read(STREET, dtype="int16")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sound-monitor-sources-")))
        cameras = [
            stack.enter_context(closing(Camera(np.roll(street, number * rate), rate)))
            for number in range(count)
        ]
        log = folder / "run.log"
        run = subprocess.Popen(
            [*MONITOR, "run", "--config", str(_config(folder, cameras))], cwd=ROOT, stderr=log.open("w")
        )
        stack.callback(_end, run)
        _wait_for(log, "listening at", count)
        time.sleep(warm_up_s)
        before, began = _cpu_s(run.pid), time.monotonic()
        memory = []
        while (took_s := time.monotonic() - began) < seconds:
            memory.append(_memory_mb(run.pid))
            time.sleep(min(1.0, seconds - took_s) + 0.001)
        spent = [100 * (after - first) / took_s for first, after in zip(before, _cpu_s(run.pid), strict=True)]
        rss, pss, ffmpeg = (fmean(column) for column in zip(*memory, strict=True))
        return {
            "sources": count,
            "cpu_percent": spent[0],
            "ffmpeg_cpu_percent": spent[1],
            "rss_mb": rss,
            "pss_mb": pss,
            "ffmpeg_pss_mb": ffmpeg,
            "slow_warnings": log.read_text().count("too slow"),
        }


def _config(folder: Path, cameras: list[Camera]) -> Path:
    file = folder / "config.yaml"
    sources = [{"node": f"camera{number}", "source": one.url} for number, one in enumerate(cameras)]
    config = {
        "mqtt": {"enabled": False},
        "audio": {"silence_s": 86400},
        "history": {"path": str(folder / "history.db")},
        "sources": sources,
    }
    file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return file


def _end(run: subprocess.Popen[bytes]) -> None:
    run.terminate()
    run.wait(_PATIENCE_S)


def _wait_for(log: Path, words: str, count: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while log.read_text().count(words) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"not all {count} sources are heard:\n{log.read_text()}")
        time.sleep(0.1)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(word) for task in tasks for word in (task / "children").read_text().split()]


def _cpu_s(pid: int) -> tuple[float, float]:
    """CPU seconds of the process, and of its children."""
    own, *children = (_process_cpu_s(one) for one in (pid, *_children(pid)))
    return own, sum(children)


def _process_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory_mb(pid: int) -> tuple[float, float, float]:
    """RSS and PSS of the process, and PSS of its children."""
    own, *children = (_rollup(one) for one in (pid, *_children(pid)))
    return own["Rss"], own["Pss"], sum(child["Pss"] for child in children)


def _rollup(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {
        name: int(rest.split()[0]) * 1024 / 1e6 for name, _, rest in (one.partition(":") for one in lines)
    }


if __name__ == "__main__":
    main()
