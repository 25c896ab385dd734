"""The page in a real browser: it shows what the monitor holds, to everybody, and asks nobody else."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Watched, chromium, prefixed, watched
from playwright.sync_api import Browser, expect
from samples import ended, record
from serving import HOP_S, LABELS, Served, served, wait_for

from monitor.clips.folder import ClipFolder
from monitor.clips.names import clip_name
from monitor.clips.spans import Mark
from monitor.clips.stream import Clip
from monitor.clock import iso_utc
from monitor.history.notebook import Judgement, Moment, Peak
from monitor.records import Near
from monitor.web.app import STATIC

pytestmark = pytest.mark.xdist_group("browser")

MOST_BYTES = 80_000
NEAR = Near("dog_bark", 0.4, "below_threshold", 0.38, 0.5)
FITS = """(name) => {
    const table = document.querySelector(name);
    return table.getBoundingClientRect().right <= table.parentElement.getBoundingClientRect().right + 1;
}"""
VIEWS = ("now", "history", "teach", "tune")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, write=True, clips=ClipFolder(tmp_path / "clips")) as server:
        fill(server)
        yield server


@pytest.fixture
def seen(browser: Browser, server: Served) -> Iterator[Watched]:
    with watched(browser, f"http://127.0.0.1:{server.port}") as seen, hops(server):
        seen.page.goto(f"{seen.origin}/")
        yield seen
        assert seen.complaints == []


def fill(server: Served) -> None:
    """Three events of the last hour, the newest with a picture, and score peaks."""
    now = time.time()
    for number in range(3):
        start = record(2 * number + 1, start=iso_utc(now - 900 * (3 - number)), label=LABELS[number % 2])
        server.outbox.append_all([start, ended(2 * number + 2, start)])
    picture = np.random.default_rng(0).integers(0, 256, (60, 16), np.uint8)
    server.backend.notebook.keep_moment(
        Moment("event-5", 11.5, 0.02, picture, np.ones(4, np.float32), "ear 1")
    )
    for number, (label, verdict) in enumerate((("siren", "right"), ("dog_bark", "false_alarm"))):
        server.backend.notebook.judge(Judgement(label, verdict, now - 86400.0, "ear 1", f"old-{number}"))
    server.backend.notebook.keep_peaks([Peak("siren", now - 60, peak) for peak in (0.2, 0.45, 0.55, 0.9)])


@contextmanager
def hops(server: Served, **changes: object) -> Iterator[None]:
    """Hops that come as from a microphone."""
    stop = threading.Event()

    def feed() -> None:
        number = 0
        while not stop.wait(HOP_S):
            number += 1
            server.hop(number, near=(NEAR,), **changes)

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        yield
    finally:
        stop.set()
        feeding.join()


def test_now_shows_level_scores_alerts_and_why_not(server: Served, seen: Watched) -> None:
    page = seen.page
    expect(page.locator(".level")).to_contain_text("−40.0")
    expect(page.get_by_role("row", name="siren")).to_contain_text("0.20")
    expect(page.locator(".why")).to_contain_text("below threshold, smoothed 0.38 of 0.50")
    server.backend.hub.on_record(record(11, label="siren", event_id="new"))
    expect(page.locator("[aria-live]")).to_have_text("siren started")
    expect(page.locator(".classes tr.on")).to_contain_text("siren")
    # The canvas holds the picture, not one colour alone.
    page.wait_for_timeout(400)
    colours = page.evaluate(
        """() => { const c = document.querySelector('.spectrogram canvas');
        const d = c.getContext('2d').getImageData(0, 30, c.width, c.height - 30).data;
        return new Set(Array.from({length: d.length / 4}, (_, i) => d[4 * i])).size }"""
    )
    assert colours > 20


def test_an_event_with_a_recording_can_be_played(server: Served, seen: Watched, tmp_path: Path) -> None:
    marks = [Mark(1, "dog_bark", "event-9", 8000)]
    samples = np.random.default_rng(0).integers(-9000, 9000, 16000, np.int16)
    name = clip_name(time.time(), "dog_bark", "event-9")
    ClipFolder(tmp_path / "clips").write(Clip(name, 16000, 0, 16000, time.time(), marks, [(0, samples)]))
    start = record(9, start=iso_utc(time.time() - 60), label="dog_bark", clip=name)
    server.outbox.append_all([start, ended(10, start)])
    page = seen.page
    page.get_by_role("link", name="History").click()
    page.locator(".events .link").first.click()
    player = page.locator(".details audio")
    expect(player).to_be_visible()
    length_s = player.evaluate(
        """(audio) => new Promise((done, failed) => {
        audio.onloadedmetadata = () => done(audio.duration);
        audio.onerror = () => failed(audio.error.message);
        audio.load(); audio.preload = "metadata" })"""
    )
    assert length_s == pytest.approx(1.0, abs=0.05)
    page.locator(".events .link").nth(1).click()
    expect(page.locator(".details canvas")).to_be_visible()
    expect(player).to_have_count(0)


def test_history_shows_the_events_and_takes_a_verdict(server: Served, seen: Watched) -> None:
    page = seen.page
    page.get_by_role("link", name="History").click()
    expect(page.locator(".events tbody tr")).to_have_count(3)
    page.locator(".events .link").first.click()
    expect(page.locator(".details")).to_contain_text("released")
    expect(page.locator(".details canvas")).to_be_visible()
    page.locator(".details").get_by_role("button", name="False alarm").click()
    expect(page.locator(".events tbody tr").first).to_contain_text("false alarm")
    assert server.backend.reader.event("event-5")["verdict"] == "false_alarm"  # type: ignore[index]
    expect(page.locator(".precision")).to_contain_text("0 %")
    page.locator(".plot").focus()
    before = page.locator("#when").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#when")).not_to_have_text(before)


def test_an_answer_that_is_given_up_halfway_is_not_taken_for_one(server: Served, seen: Watched) -> None:
    """Choosing another time aborts what is still being read; what came of it was drawn as a history."""
    expect(seen.page.locator(".level")).to_be_visible()
    found = seen.page.evaluate(
        """async () => {
            const { api } = await import("./static/base.js");
            const json = () => Promise.reject(new DOMException("given up", "AbortError"));
            const before = window.fetch;
            window.fetch = async () => ({ ok: true, status: 200, json });
            try {
                return JSON.stringify(await api("counts"));
            } catch (error) {
                return error.name;
            } finally {
                window.fetch = before;
            }
        }"""
    )
    assert found == "AbortError"


def test_a_missed_sound_is_marked(server: Served, seen: Watched) -> None:
    page = seen.page
    page.get_by_label("Did it miss something").fill("doorbell")
    page.get_by_role("button", name="Mark it").click()
    expect(page.get_by_text("Marked as doorbell.")).to_be_visible()
    assert len(server.backend.reader.marked("ear 1", 4)) == 1


def test_a_stretch_of_the_picture_is_marked_by_dragging(server: Served, seen: Watched) -> None:
    page = seen.page
    expect(page.locator(".level")).to_be_visible()
    wait_for(lambda: server.hops >= 4 / HOP_S)  # before the first hop there is nothing to mark
    box = page.locator(".spectrogram canvas").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 60, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, y, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Unmark the stretch")).to_contain_text("s marked")
    page.get_by_label("Did it miss something").fill("gate")
    page.get_by_role("button", name="Mark it").click()
    expect(page.get_by_text("Marked as gate.")).to_be_visible()
    (marked,) = server.backend.reader.marked("ear 1", 4)
    assert marked.label == "gate"


def test_a_sound_is_taught_and_forgotten(server: Served, seen: Watched) -> None:
    page = seen.page
    page.get_by_role("link", name="Teach").click()
    expect(page.get_by_text("Nothing yet")).to_be_visible()
    page.get_by_role("button", name="Teach it").click()
    expect(page.get_by_text("In force now: gate.")).to_be_visible()
    page.get_by_role("button", name="Never again").click()
    expect(page.get_by_text("In force now: siren, never again.")).to_be_visible()
    assert server.taught.asked == [("sound", "gate", []), ("reject", "siren", [])]
    heads = page.locator(".heads")
    expect(heads).to_contain_text("5 of 5")
    heads.get_by_role("button", name="Forget it").first.click()
    heads.get_by_role("button", name="Forget gate").click()
    expect(heads.get_by_role("listitem")).to_have_count(1)


def test_events_chosen_in_the_history_are_taught(server: Served, seen: Watched) -> None:
    page = seen.page
    page.get_by_role("link", name="History").click()
    boxes = page.get_by_role("checkbox")
    for number in range(2):  # each is waited for; all() would not
        boxes.nth(number).check()
    page.get_by_label("Name of 2 chosen events").fill("siren")
    page.get_by_role("button", name="Teach a sound").click()
    expect(page.get_by_text("the model has this label")).to_be_visible()
    page.get_by_label("Name of 2 chosen events").fill("own_dog")
    page.get_by_role("button", name="Teach a sound").click()
    expect(page.get_by_text("In force now: own dog.")).to_be_visible()
    assert server.taught.asked[-1] == ("sound", "own_dog", ["event-5", "event-3"])
    seen.forgive("422")


def test_listening_is_paused_and_goes_on(server: Served, seen: Watched) -> None:
    page = seen.page
    page.get_by_label("Pause listening").select_option("for 1 hour")
    page.get_by_role("button", name="Listen again").click()
    expect(page.get_by_label("Pause listening")).to_be_visible()
    (before,) = server.status
    health = replace(before.health, microphone="off", reason="paused until 2026-01-31T12:00:00.000Z")
    server.status[0] = replace(before, health=health)
    expect(page.locator(".why")).to_contain_text("Nothing is reported: paused until")


def test_an_event_in_quiet_hours_says_so(server: Served, seen: Watched) -> None:
    expect(seen.page.locator(".level")).to_be_visible()
    event = replace(record(11, event_id="night"), held_back="quiet_hours")
    server.backend.hub.on_record(event)
    expect(seen.page.locator(".why")).to_contain_text("no notice: quiet hours")
    expect(seen.page.locator("[aria-labelledby=alerts]")).to_contain_text("quiet hours")


def test_other_monitors_on_the_broker_are_listed(seen: Watched) -> None:
    nodes = seen.page.locator(".nodes")
    expect(nodes).to_contain_text("garage (offline)")
    expect(nodes.get_by_role("link", name="kitchen")).to_have_attribute("href", "http://kitchen:8099/")


def test_tune_counts_the_alerts_of_another_threshold_and_applies_it(server: Served, seen: Watched) -> None:
    page = seen.page
    page.get_by_role("link", name="Tune").click()
    expect(page.locator(".answer")).to_contain_text("With 0.50 there would have been 2 alerts")
    expect(page.locator(".uplot canvas")).to_be_visible()
    page.locator("#enter").fill("0.4")
    expect(page.locator(".answer")).to_contain_text("With 0.40 there would have been 3 alerts")
    page.get_by_role("button", name="Apply now").click()
    expect(page.get_by_text("go back to the config")).to_be_visible()
    expect(page.locator(".answer")).to_contain_text("as it is now")
    assert server.settings.facts.classes["siren"].enter == 0.4


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_cut_off(browser: Browser, server: Served, theme: str) -> None:
    origin = f"http://127.0.0.1:{server.port}"
    size = {"width": 340, "height": 700} if theme == "dark" else {"width": 1280, "height": 800}
    with (
        watched(browser, origin, color_scheme=theme, viewport=size, reduced_motion="reduce") as seen,
        hops(server),
    ):
        for view in VIEWS:
            seen.page.goto(f"{origin}/#{view}")
            expect(seen.page.locator(".card").first).to_be_visible()
            if view == "history":
                seen.page.locator(".events .link").first.click()
                expect(seen.page.locator(".details dl")).to_be_visible()
            if view == "tune":
                expect(seen.page.locator(".uplot canvas")).to_be_visible()
            found = Axe().run(seen.page)
            assert found.violations_count == 0, found.generate_report()
            assert seen.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), view
            if view == "history":
                assert seen.page.evaluate(FITS, ".heat"), "the heat map has all hours in sight"
                assert seen.page.evaluate(FITS, ".precision"), "the precision is in sight"
        assert seen.complaints == []


def test_it_works_under_a_prefix_behind_a_proxy(browser: Browser, server: Served) -> None:
    with prefixed(server.port, "/ingress/x/") as port:
        origin = f"http://127.0.0.1:{port}"
        with watched(browser, f"{origin}/ingress/x/".rstrip("/")) as seen, hops(server):
            seen.page.goto(f"{origin}/ingress/x/")
            expect(seen.page.locator(".level")).to_contain_text("−40.0")
            seen.page.get_by_role("link", name="History").click()
            expect(seen.page.locator(".events tbody tr")).to_have_count(3)
            assert seen.complaints == []


def test_it_says_that_the_monitor_is_gone_and_comes_back_with_it(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path) as first:
        port = first.port
        with watched(browser, f"http://127.0.0.1:{port}") as seen:
            with hops(first):
                seen.page.goto(f"{seen.origin}/")
                expect(seen.page.locator(".level")).to_be_visible()
            first.server.close()
            expect(seen.page.locator(".chips")).to_contain_text("not reachable, trying again")
            expect(seen.page.locator(".now")).to_have_class("now away")
            seen.page.get_by_role("link", name="History").click()
            expect(seen.page.get_by_text("does not answer")).to_be_visible()
            with served(tmp_path / "second", port=port) as second, hops(second):
                expect(seen.page.locator(".chips")).to_contain_text("listening")
                expect(seen.page.locator(".history")).to_contain_text("Nothing was reported")
            seen.forgive("WebSocket connection")
            seen.forgive("ERR_CONNECTION_REFUSED")
            assert seen.complaints == []


def test_without_write_the_page_offers_no_verdict(browser: Browser, tmp_path: Path) -> None:
    with (
        served(tmp_path) as server,
        watched(browser, f"http://127.0.0.1:{server.port}") as seen,
        hops(server),
    ):
        server.backend.hub.on_record(record(11))
        seen.page.goto(f"{seen.origin}/")
        expect(seen.page.locator(".list").first).to_be_visible()
        assert seen.page.get_by_role("button", name="false alarm").count() == 0
        assert seen.page.get_by_role("button", name="Mark it").count() == 0


def test_what_a_browser_loads_is_small() -> None:
    loaded = [path for path in STATIC.iterdir() if path.suffix in (".html", ".css", ".js", ".svg")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in loaded) <= MOST_BYTES


def test_every_vendored_file_has_its_licence() -> None:
    notices = (STATIC / "vendor-licences.txt").read_text()
    for name in ("preact-htm.js", "uplot.js", "Apache License", "Jason Miller", "Leon Sorokin"):
        assert name in notices
