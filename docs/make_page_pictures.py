"""Makes the pictures of the page: python docs/make_page_pictures.py [FOLDER]

Feeds the example street to ``run`` in real time beside a made-up history of two months, and takes what
Chromium shows: both themes, and a phone's width. Needs the extras ``web`` and ``test`` and the
system's Chromium (``CHROMIUM`` names another one).
"""

from __future__ import annotations

import math
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
from playwright.sync_api import Browser, Page, sync_playwright

from monitor.clock import iso_utc
from monitor.delivery.store.outbox import Outbox
from monitor.history.background import BackgroundSample, background_path
from monitor.history.notebook import Judgement, Moment, Notebook, Peak
from monitor.model.card import MultiHeadCard
from monitor.model.package import read_package
from monitor.records import EventRecord
from monitor.stream.assembly import SHIPPED_MODEL

ROOT = Path(__file__).parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic")
DAY_S = 86400.0

HABITS = {
    # class: events a day, and the hours around which they happen
    "dog_bark": (7.0, (8, 18)),
    "siren": (3.0, (13, 22)),
    "drilling": (2.5, (10,)),
    "jackhammer": (1.5, (9, 15)),
    "street_music": (1.0, (17,)),
}
"""A made-up street."""

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SETTLED_MS = 1500
"""For answers to be drawn."""

PATIENCE_MS = 120_000

LIVE_S = 32.0
"""Seconds of the street that have been heard when pictures are taken: a jackhammer is on."""


def made_up_history(path: Path, now: float, days: int = 60) -> None:
    """Fill a new history: events, verdicts on a quarter of them, pictures of the newest, score peaks."""
    chance = random.Random(7)
    events = []
    for label, (daily, hours) in HABITS.items():
        for day in range(days):
            for _ in range(_poisson(chance, daily)):
                hour = chance.gauss(chance.choice(hours), 1.6) % 24
                midnight = (now // DAY_S) * DAY_S - day * DAY_S
                at = midnight + 3600 * hour
                if at < now - 600:
                    events.append((at, label))
    with closing(Outbox(path)) as outbox:
        notebook = Notebook(outbox, lambda: now)
        for number, (at, label) in enumerate(sorted(events)):
            start = _start(number, at, label, chance)
            lasted = chance.expovariate(1 / 9.0) + 1.0
            end = replace(
                start, seq=2 * number + 2, type="end", end=iso_utc(at + lasted), end_s=round(100 + lasted, 2),
                duration_s=round(lasted, 2), reason="released",
            )  # fmt: skip
            outbox.append_all((start, end))
            if chance.random() < 0.25:
                right = chance.random() < {"siren": 0.97, "drilling": 0.8}.get(label, 0.88)
                verdict = "right" if right else "false_alarm"
                notebook.judge(Judgement(label, verdict, at, "ear 1", start.event_id))
            if at > now - DAY_S:
                notebook.keep_moment(_moment(start, lasted, number))
        peaks = [
            Peak(label, now - 5 * DAY_S * chance.random(), chance.betavariate(1.2, 2.2))
            for label in HABITS
            for _ in range(160)
        ]
        notebook.keep_peaks(peak for peak in peaks if peak.peak >= 0.1)
        mark(notebook, path, now)


def mark(notebook: Notebook, path: Path, now: float) -> None:
    """Mark sounds of one's own and false alarms, with made-up embeddings, and fill the background."""
    model = read_package(SHIPPED_MODEL).card
    assert isinstance(model, MultiHeadCard)
    size = model.outputs.embedding or 0
    chance = np.random.default_rng(3)
    for label, verdict, count in (
        ("doorbell", "missed", 7),
        ("kettle", "missed", 3),
        ("siren", "false_alarm", 4),
    ):
        kind = chance.normal(0.0, 1.0, size)
        for number in range(count):
            rows = 1.4 * kind + chance.normal(0.0, 0.6, (4, size))
            at = now - 3600.0 * (count - number)
            notebook.judge(Judgement(label, verdict, at, model.title, embedding=rows.astype(np.float32)))
    sample = BackgroundSample(background_path(path), model.title)
    for number in range(2700):
        rows = chance.normal(0.0, 1.0, (round(2.0 * model.sample_rate / model.hop), size))
        sample.add(now - 86400.0 - 10.0 * number, rows.astype(np.float32))
    sample.close()


def _poisson(chance: random.Random, mean: float) -> int:
    count, product = 0, chance.random()
    while product > math.exp(-mean):
        count, product = count + 1, product * chance.random()
    return count


def _start(number: int, at: float, label: str, chance: random.Random) -> EventRecord:
    return EventRecord(
        event_id=f"made-up-{number}", seq=2 * number + 1, type="start", node="balcony", label=label,
        start=iso_utc(at), end=None, start_s=100.0, end_s=None, duration_s=None,
        score=round(chance.uniform(0.75, 1.0), 3), score_mean=0.8, threshold=0.7,
        level_dbfs=round(chance.uniform(-38, -14), 1), over_background_db=round(chance.uniform(8, 30), 1),
        delay_s=round(chance.uniform(0.4, 1.4), 2), model="urban-sounds", model_version="0.6.0",
        clock="synced",
    )  # fmt: skip


def _moment(start: EventRecord, lasted: float, seed: int) -> Moment:
    """A picture with a rising and falling tone in noise."""
    noise = np.random.default_rng(seed)
    frames = round(50 * min(8.0, lasted + 2.0))
    rows = noise.normal(60, 18, (frames, 64))
    for frame in range(50, min(frames, 50 + round(50 * lasted))):
        tone = 28 + 10 * math.sin(frame / 18.0)
        for overtone in (1.0, 1.45):
            band = int(tone * overtone)
            if band < 62:
                rows[frame, band : band + 2] += 130 / overtone
    picture = np.clip(rows, 0, 255).astype(np.uint8)
    return Moment(start.event_id, start.start_s - 1.0, 0.02, picture, None, "ear 1")


@contextmanager
def running(history: Path, port: int) -> Iterator[str]:
    """The example street on a page that may write, again and again."""
    sets = (
        "audio.source='-'",
        "node=balcony",
        f"history.path={history}",
        f"web.port={port}",
        "web.enabled=true",
        "web.write=true",
        "events.profile=sensitive",
        "mqtt.enabled=false",
    )
    command = [sys.executable, "-m", "monitor", "run", *(word for one in sets for word in ("--set", one))]
    quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=history.parent, env=environment, stdin=subprocess.PIPE, **quiet)
    stop = threading.Event()
    feeding = threading.Thread(target=feed, args=(process.stdin, stop))
    feeding.start()
    try:
        wait_for_page(port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        stop.set()
        feeding.join()
        process.terminate()
        process.wait()


def wait_for_page(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if time.monotonic() > deadline:
            raise TimeoutError("the monitor does not serve its page")
        time.sleep(0.2)


def feed(pipe: IO[bytes], stop: threading.Event) -> None:
    samples, rate = soundfile.read(ROOT / "examples" / "street.wav", dtype="int16")
    step = rate // 20
    began, count = time.monotonic(), 0
    with suppress(BrokenPipeError):
        while not stop.wait(max(0.0, began + count / 20 - time.monotonic())):
            at = count * step % (len(samples) - step)
            pipe.write(samples[at : at + step].tobytes())
            pipe.flush()
            count += 1


def open_page(browser: Browser, url: str, theme: str, size: dict[str, int]) -> Page:
    page = browser.new_page(viewport=size, color_scheme=theme, device_scale_factor=1)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.wait_for_selector("main .card")
    return page


def take(browser: Browser, url: str, out: Path) -> None:
    looks = [
        (theme, width, size)
        for theme in ("light", "dark")
        for width, size in (("wide", DESKTOP), ("phone", PHONE))
    ]
    pages = [open_page(browser, url, theme, size) for theme, _, size in looks]
    pages[0].wait_for_timeout(1000 * LIVE_S)
    for (theme, width, _), page in zip(looks, pages, strict=True):
        page.screenshot(path=out / f"page-now-{theme}-{width}.png")
        page.close()
    for theme, width, size in looks:
        page = open_page(browser, url, theme, size)
        take_history(page, url, out, f"{theme}-{width}")
        take_teach(page, url, out, f"{theme}-{width}")
        take_tune(page, url, out, f"{theme}-{width}")
        page.close()


def take_history(page: Page, url: str, out: Path, look: str) -> None:
    page.goto(f"{url}#history")
    page.get_by_role("button", name="7 days").first.click()
    page.wait_for_selector('[aria-labelledby="when"][aria-busy="false"]')
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=out / f"page-history-{look}.png")
    page.get_by_role("button", name="24 hours").first.click()
    page.wait_for_timeout(SETTLED_MS)
    page.locator(".events .link").nth(3).click()
    page.wait_for_selector(".details .facts")
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=out / f"page-event-{look}.png")


def take_teach(page: Page, url: str, out: Path, look: str) -> None:
    page.goto(f"{url}#teach")
    page.get_by_role("button", name="Teach it").click()
    page.wait_for_selector("p.good")
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=out / f"page-teach-{look}.png")


def take_tune(page: Page, url: str, out: Path, look: str) -> None:
    page.goto(f"{url}#tune")
    page.select_option("#class", "siren")
    page.wait_for_selector(".uplot")
    page.locator("#enter").fill("0.5")
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=out / f"page-tune-{look}.png")


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    out.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        history = Path(folder) / "history.db"
        made_up_history(history, time.time())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with running(history, port) as url:
            take(browser, url, out)
        browser.close()


if __name__ == "__main__":
    main()
