"""What the live view draws of what it was last told."""

from __future__ import annotations

import io
import logging
import sys
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from test_events import event

from monitor.cli.common import read_config
from monitor.cli.show.view import LiveView, PlainView, ViewFacts, open_view
from monitor.records import HopResult, Level, Near
from monitor.sources.devices import no_device_advice

LABELS = ("siren", "dog_bark", "background")
COMMAND = "mosquitto_sub -h localhost -p 18830 -t 'sound-monitor/balcony/#' -v"
FACTS = ViewFacts("balcony · tiny 1", LABELS, {"siren": 0.5, "dog_bark": 0.75}, COMMAND)


def hop(scores: tuple[float, ...], rms_dbfs: float = -45.0, background_dbfs: float = -67.5) -> HopResult:
    level = Level(rms_dbfs, -30.0, background_dbfs, 0)
    return HopResult(8000, 0.5, np.array(scores, np.float32), level, labels=tuple(FACTS.labels))


def test_a_sound_that_is_taught_meanwhile_gets_a_line(view: LiveView) -> None:
    view.on_hop("", hop((0.9, 0.1, 0.0)))
    scores = np.array([0.9, 0.1, 0.0, 0.8], np.float32)
    view.on_hop("", replace(hop(()), scores=scores, labels=(*FACTS.labels, "gate")))
    assert any("gate" in line and "0.80" in line for line in drawn(view))


def drawn(view: LiveView, *, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(view.render())
    return console.file.getvalue().splitlines()


@pytest.fixture
def view() -> LiveView:
    return LiveView(FACTS, Console(file=io.StringIO(), width=80, height=24))


def line_of(lines: list[str], word: str) -> str:
    (line,) = [line for line in lines if f"│ {word}" in line]
    return line[1:-1]


def test_a_bar_is_as_long_as_the_score_and_marked_at_the_threshold(view):
    view.on_hop("", hop((1.0, 0.5, 0.0)))
    lines = drawn(view)
    siren, bark, background = (line_of(lines, label) for label in LABELS)
    whole = siren.count("█") + siren.count("│")
    assert siren.index("│") - siren.index("█") == pytest.approx(whole * 0.5, abs=1)
    assert bark.count("█") == pytest.approx(whole * 0.5, abs=1)
    assert bark.index("│") - bark.index("█") == pytest.approx(whole * 0.75, abs=1)
    assert "█" not in background
    assert "│" not in background
    assert " 1.00 " in siren
    assert " 0.50 " in bark


def test_the_loudest_classes_come_first(view):
    view.on_hop("", hop((0.1, 0.9, 0.3)))
    first_words = [line.split()[1] for line in drawn(view)[3:6]]
    assert first_words == ["dog_bark", "background", "siren"]


def test_the_meter_shows_level_and_background(view):
    view.on_hop("", hop((0.0, 0.0, 1.0)))
    meter = line_of(drawn(view), "level")
    assert "-45.0 dBFS" in meter
    assert "background  -68" in meter
    assert meter.index("│") < meter.rindex("█")


def test_alerts_come_as_they_begin_and_say_how_long_they_were(view):
    start, end = event(1, "siren", 3.0, 9.0)
    view.on_record(start)
    lines = drawn(view)
    assert "● on" in line_of(lines, "siren")
    assert any("siren" in line and "0.91" in line and "-23 dBFS" in line for line in lines[8:])
    view.on_record(replace(end, file="street.wav"))
    lines = drawn(view)
    assert "on" not in line_of(lines, "siren")
    (alert,) = [line for line in lines if "9.0 s" in line]
    assert "0:03.0" in alert


def test_an_event_without_a_notice_says_why_for_as_long_as_it_lasts(view: LiveView) -> None:
    start, end = event(1, "siren", 3.0, 9.0)
    quiet = replace(start, notify=False, held_back="quiet_hours")
    near = Near("dog_bark", 0.6, "below_threshold", 0.6, 0.75)
    before = drawn(view)
    view.on_record(quiet)
    view.on_hop("", replace(hop((0.9, 0.6, 0.0)), near=(near,)))
    lines = drawn(view)
    assert "○ on" in line_of(lines, "siren")
    reasons = "siren no notice: quiet hours; dog_bark below threshold"
    assert reasons in line_of(lines, "why not:")
    assert len(lines) == len(before)
    view.on_record(event(3, "siren", 5.0, None)[0])  # one that led to a notice
    assert "● on" in line_of(drawn(view), "siren")
    view.on_record(replace(end, notify=False))
    assert "quiet hours" not in "\n".join(drawn(view))


def test_lines_for_a_pipe_say_why_there_is_no_notice() -> None:
    console = Console(file=io.StringIO(), width=200)
    with open_view(FACTS, console) as view:
        view.on_record(replace(event(1, "siren", 3.0, None)[0], notify=False, held_back="count"))
    assert console.file.getvalue().rstrip().endswith("(no notice: too few so far)")


def test_the_newest_alerts_stay_when_there_is_no_room_for_all(view):
    for number in range(60):
        view.on_record(event(2 * number, f"sound{number}", 10.0 * number, 1.0)[1])
    text = "\n".join(drawn(view))
    assert "sound59" in text
    assert "sound5 " not in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 50), (40, 12), (20, 5), (72, 20)])
def test_the_view_fits_the_terminal_and_never_changes_its_height(width, height):
    view = LiveView(FACTS, Console(file=io.StringIO(), width=width, height=height))
    before = drawn(view, width=width, height=height)
    view.on_file("street.wav", 44.0)
    view.on_hop("street.wav", hop((0.9, 0.1, 0.0)))
    for number in range(20):
        view.on_record(event(2 * number, "siren", 10.0 * number, 1.0)[1])
    after = drawn(view, width=width, height=height)
    assert len(after) == len(before)
    assert max(map(len, after)) <= width
    if height >= 20:
        assert len(after) <= height - 1
    if width > len(COMMAND) + 2:
        assert f"$ {COMMAND}" in after
        assert any("street.wav 0:00 / 0:44" in line for line in after)


def test_a_terminal_that_knows_only_ascii_gets_ascii():
    console = Console(file=io.TextIOWrapper(io.BytesIO(), "ascii"), width=80, height=24)
    view = LiveView(replace(FACTS, title="balcony"), console)
    view.on_hop("", hop((1.0, 0.5, 0.0)))
    view.on_record(event(1, "siren", 3.0, None)[0])
    console.print(view.render())
    console.file.flush()
    text = console.file.buffer.getvalue().decode("ascii")
    assert "####" in text
    assert "* on" in text


def test_without_a_terminal_alerts_and_changes_come_as_lines():
    console = Console(file=io.StringIO(), width=40)
    with open_view(FACTS, console) as view:
        assert isinstance(view, PlainView)
        for text in ("connecting", "connecting", "connected"):
            view.on_status(text)
            view.on_hop("", hop((0.0, 0.0, 1.0)))
        view.on_record(event(1, "siren", 3.0, None)[0])
    title, command, *words, alert = console.file.getvalue().splitlines()
    assert (title, command) == (FACTS.title, f"$ {COMMAND}")
    assert words == ["connecting", "connected"]
    assert "siren" in alert
    assert "starts" in alert


def test_the_log_stays_above_the_view(monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])
    read_config(None, (), False)
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    with open_view(FACTS, Console(file=terminal, force_terminal=True, width=80, height=24)) as view:
        view.on_status("listening")
        logging.getLogger("monitor.test").warning("the broker has gone")
    text = terminal.getvalue()
    assert "the broker has gone" in text
    # Redrawn below: nothing of the view stands before the log line alone.
    assert text.rindex("the broker has gone") < text.rindex(COMMAND)


def test_a_low_terminal_says_how_many_classes_it_hides():
    labels = tuple(f"class{i}" for i in range(10))
    facts = ViewFacts("balcony", labels, dict.fromkeys(labels, 0.5), COMMAND)
    view = LiveView(facts, Console(file=io.StringIO(), width=80, height=24))
    view.on_hop("", replace(hop(()), scores=np.linspace(1, 0, 10, dtype=np.float32), labels=labels))
    lines = drawn(view)
    shown = sum(f"class{i} " in line for i in range(10) for line in lines)
    assert shown < 10
    assert any(f"{10 - shown} quieter classes hidden; a taller window shows all" in line for line in lines)
    assert len(lines) <= 23
    assert not any(
        "hidden" in line for line in drawn(LiveView(facts, Console(width=80, height=50)), height=50)
    )


@pytest.mark.parametrize("width", [60, 80, 100])
def test_advice_in_the_status_is_shown_to_its_end(width):
    view = LiveView(FACTS, Console(file=io.StringIO(), width=width, height=30))
    before = len(drawn(view, width=width, height=30))
    view.on_status(f"lost (microphone (default): {no_device_advice()})")
    lines = drawn(view, width=width, height=30)
    assert "runs for this user)" in " ".join(lines).replace("  ", " ")
    assert len(lines) <= 29
    view.on_status("x " * 2000)
    assert len(drawn(view, width=width, height=30)) <= 29
    assert before <= 29
