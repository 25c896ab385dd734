"""The measurement of a fleet finds what it looks for, and two nodes go through all of its parts."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Any]:
    """The program's module; what it adds to the path is taken back."""
    path = list(sys.path)
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("fleet")
    sys.path[:] = path


TRUTH = {"a": {"states": {"siren": "ON"}}, "b": {"states": {"siren": "OFF"}}}
SHOWN = {
    "sound-monitor/a/status": "online",
    "sound-monitor/b/status": "online",
    "sound-monitor/a/sound/siren/state": "ON",
    "sound-monitor/b/sound/siren/state": "OFF",
    "homeassistant/device/sound-monitor-a/config": "{}",
    "homeassistant/device/sound-monitor-b/config": "{}",
}


@pytest.mark.parametrize("topic", SHOWN)
def test_a_topic_that_is_missing_or_shows_something_else_is_found(fleet: Any, topic: str) -> None:
    assert fleet.wrong(TRUTH, SHOWN) == []
    assert fleet.wrong(TRUTH, SHOWN | {topic: ""}) == [topic]
    assert fleet.wrong(TRUTH, {name: text for name, text in SHOWN.items() if name != topic}) == [topic]


def test_two_nodes_lose_nothing_and_are_right_after_each_part(
    fleet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "record.json"
    words = ["--counts", "2", "--queued", "1000", "--seconds", "2", "--outage", "1", "--every", "0.5"]
    monkeypatch.setattr(sys, "argv", [str(BENCHMARKS / "fleet.py"), *words, "--output", str(record)])
    fleet.main()
    (found,) = json.loads(record.read_text())["fleets"]
    parts = [found["connect"], found["calm"]["afterwards"], found["alarm"], found["restart"], found["wiped"]]
    assert found["calm"]["records"] > 0
    assert [part["states_wrong"] for part in parts] == [0] * 5
    assert [part["records_not_received"] for part in parts[:4]] == [0] * 4
    assert [part["records_waiting"] for part in parts] == [0] * 5
