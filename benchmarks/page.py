"""What the page costs: the daemon with 0, 1 and 10 viewers and with 100 that hang, its weight, first paint.

    python benchmarks/page.py            # measure, write docs/results/page
    python benchmarks/page.py --page     # make the page again from the record

``run`` reads the example street on standard input in real time, once with the page and beside it once
without, so that the machine's other load slows both. CPU and memory are those of each process. The delay
is that of a reading viewer: from the moment at which the last sample of a hop was written to the pipe
until the message about the hop arrived. A viewer that hangs connects and never reads. First paint is
Chromium's, from the navigation on, in a fresh profile each time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile
from campaign import MONITOR, ROOT, STREET, circumstances, say

from training.base.report import Report, Table, write

RESULTS = ROOT / "docs" / "results" / "page"
STATIC = ROOT / "monitor" / "web" / "static"
SETTLE_S = 6.0
LOADS = 7
HANGING = 100
CHUNK_S = 0.05
MOST_BYTES = 80_000
VIEWERS = (0, 1, 10)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--page", action="store_true", help="only make the page from the record")
    parser.add_argument("--streets", type=int, default=1, help="streets heard for each number of viewers")
    wanted = parser.parse_args()
    if not wanted.page:
        record = {**circumstances(), **measure(wanted.streets * soundfile.info(STREET).duration)}
        RESULTS.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        (RESULTS / "page.json").write_text(text, encoding="utf-8")
    write(compose(RESULTS), RESULTS)


def measure(span_s: float) -> dict[str, object]:
    found: dict[str, object] = {"span_s": span_s, "bytes": weight()}
    with running(page=False) as without, running(page=True) as run:
        for viewers in VIEWERS:
            say(f"{viewers} viewer{'s' * (viewers != 1)}")
            found[f"viewers_{viewers}"] = costs(run, without, viewers, span_s)
        say(f"{HANGING} viewers that hang")
        with ExitStack() as stack:
            for _ in range(HANGING):
                stack.enter_context(closing(hanging(run.port)))
            found["hanging"] = costs(run, without, 1, span_s)
        say("first paint")
        found["first_paint_ms"] = paints(run.port)
    return found


def weight() -> dict[str, int]:
    """Return the bytes of what a browser loads, compressed, by file."""
    kinds = (".html", ".css", ".js", ".svg")
    files = sorted(path for path in STATIC.iterdir() if path.suffix in kinds)
    return {path.name: len(gzip.compress(path.read_bytes(), mtime=0)) for path in files}


class Run:
    """A daemon that is fed the street in real time."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port
        self.written: list[float] = []
        """When each chunk had been written."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    def _feed(self) -> None:
        samples, rate = soundfile.read(STREET, dtype="int16")
        step = round(CHUNK_S * rate)
        pipe: IO[bytes] = self.process.stdin  # type: ignore[assignment]
        began = time.monotonic()
        at = 0
        with suppress(BrokenPipeError):
            while not self._stop.wait(max(0.0, began + len(self.written) * CHUNK_S - time.monotonic())):
                pipe.write(samples[at : at + step].tobytes().ljust(2 * step, b"\0"))
                pipe.flush()
                self.written.append(time.monotonic())
                at = (at + step) % (len(samples) - step)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait(30)

    @property
    def cpu_s(self) -> float:
        # The clock of another process, see clock_getcpuclockid(3): /proc counts hundredths of a second.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    @property
    def rss_mb(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024.0


@contextmanager
def running(*, page: bool) -> Iterator[Run]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        settings = (
            "audio.source='-'",
            "mqtt.enabled=false",
            f"history.path={folder}/history.db",
            f"web.enabled={str(page).lower()}",
            f"web.port={port}",
        )
        command = [*MONITOR, "run", *(word for one in settings for word in ("--set", one))]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, **quiet)
        with closing(Run(process, port)) as run:
            if page:
                wait_for_page(port)
            time.sleep(SETTLE_S)
            yield run


def wait_for_page(port: int) -> None:
    deadline = time.monotonic() + 120.0
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def costs(run: Run, without: Run, viewers: int, span_s: float) -> dict[str, object]:
    """Return shares of a core, memory and delays over a span with so many reading viewers."""
    delays: list[float] = []
    stop = threading.Event()
    threads = [
        threading.Thread(target=view, args=(run, stop, delays if number == 0 else []))
        for number in range(viewers)
    ]
    for thread in threads:
        thread.start()
    time.sleep(2.0 if viewers else 0.0)
    delays.clear()
    before, began = (run.cpu_s, without.cpu_s), time.monotonic()
    time.sleep(span_s)
    cpu_s = run.cpu_s - before[0], without.cpu_s - before[1]
    found = {
        "cpu": cpu_s[0] / (time.monotonic() - began),
        "cpu_off": cpu_s[1] / (time.monotonic() - began),
        "rss_mb": run.rss_mb,
        "rss_off_mb": without.rss_mb,
        "hops_a_second": len(delays) / span_s,
        "delay_s": [float(np.quantile(delays, share)) for share in (0.5, 0.95)] if delays else None,
    }
    stop.set()
    for thread in threads:
        thread.join()
    return found


def view(run: Run, stop: threading.Event, delays: list[float]) -> None:
    """Read live messages as a page does."""
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{run.port}/api/live", proxy=None) as live:
        while not stop.is_set():
            with suppress(TimeoutError):
                message: dict[str, Any] = json.loads(live.recv(timeout=1.0))
                if message["type"] == "hop":
                    chunk = min(round(message["time_s"] / CHUNK_S), len(run.written)) - 1
                    delays.append(time.monotonic() - run.written[chunk])


def hanging(port: int) -> socket.socket:
    """Open a viewer that never reads."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(30.0)
    raw.connect(("127.0.0.1", port))
    raw.sendall(
        b"GET /api/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b" 101 " in raw.recv(200)
    return raw


def paints(port: int) -> list[float]:
    """Return the times of the first contentful paint, milliseconds."""
    import sys

    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(ROOT / "tests" / "monitor" / "web"))
    from browsing import CHROMIUM, FLAGS

    script = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for _ in range(LOADS):
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector(".level")
            found.append(float(page.evaluate(script)))
            page.context.close()
        browser.close()
    return found


def compose(folder: Path) -> Report:
    """Return the page of the record in ``folder``."""
    record = json.loads((folder / "page.json").read_text(encoding="utf-8"))
    return Report(_text(record), {}, {})


def _text(record: dict[str, Any]) -> str:
    rows = [_row(f"{n} viewer{'s' * (n != 1)}", record[f"viewers_{n}"]) for n in VIEWERS]
    rows.append(_row(f"1 viewer, {HANGING} that hang", record["hanging"]))
    columns = (
        "viewers",
        "share of a core",
        "without the page",
        "added",
        "resident, MB",
        "without the page",
        "delay, median, s",
        "delay, p95, s",
    )
    table = Table(columns, tuple(rows))
    total, paint = sum(record["bytes"].values()), sorted(record["first_paint_ms"])
    idle, added = (_added(record[f"viewers_{n}"]) for n in (0, 1))
    rate = record["viewers_1"]["hops_a_second"]
    later = record["hanging"]["delay_s"][1] - record["viewers_1"]["delay_s"][1]
    grown = record["hanging"]["rss_mb"] - record["viewers_10"]["rss_mb"]
    machine = ", ".join(str(record["machine"][name]) for name in ("cpu", "cores", "system", "date"))
    load = record["machine"]["load"][0]
    lines = [
        "# What the page costs",
        "",
        f"`{record['command']}` at {record['commit']}; {record['span_s']:g} s a row. Machine: {machine};",
        f"other programs ran on it (load {load:g}); beside it ran a daemon without the page, the 100 %.",
        "",
        "| | asked | found |",
        "|---|---|---|",
        f"| weight, compressed | ≤ {MOST_BYTES / 1000:g} kB | {total / 1000:.1f} kB |",
        f"| first paint on loopback, median of {len(paint)} (fastest) | "
        f"| {paint[len(paint) // 2]:.0f} ms ({paint[0]:.0f} ms) |",
        f"| CPU that the page adds without a viewer | nothing | {100 * idle:+.0f} % |",
        f"| CPU that it adds with a viewer | ≤ 20 % | {100 * added:+.0f} % |",
        f"| updates a second | ≥ 4 | {rate:.1f}: one for each hop of the model |",
        f"| {HANGING} viewers that hang: delay p95 | unchanged | {1000 * later:+.0f} ms |",
        f"| {HANGING} viewers that hang: memory | bounded | {grown:+.1f} MB against 10 that read |",
        "",
        table.markdown(),
        "",
        "The delay is from the last sample of a hop, written to the daemon's pipe, to the message about it",
        "at a viewer. Each row hears the whole street as often. What is left without a viewer is what the",
        "page stores: a picture for each event, peaks of scores and embeddings once a minute.",
    ]
    return "\n".join(lines) + "\n"


def _added(found: dict[str, Any]) -> float:
    return float(found["cpu"] / found["cpu_off"] - 1.0)


def _row(name: str, found: dict[str, Any]) -> tuple[str | float | None, ...]:
    shares = (f"{100 * found[key]:.2f} %" for key in ("cpu", "cpu_off"))
    sizes = (f"{found[key]:.1f}" for key in ("rss_mb", "rss_off_mb"))
    return name, *shares, f"{100 * _added(found):+.0f} %", *sizes, *(found["delay_s"] or (None, None))


if __name__ == "__main__":
    main()
