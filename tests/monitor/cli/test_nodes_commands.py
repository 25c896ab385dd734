"""Commands with several sources: what is shown of each, and which one is meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import Call

SOURCES = """\
history: {path: history.db}
mqtt: {enabled: false}
sources:
  - {node: kitchen, device: USB}
  - {node: yard, source: "rtsp://me:cret@camera/x", events: {classes: {siren: {enter: 0.7}}}}
"""


@pytest.fixture(autouse=True)
def config(call: Call) -> None:
    Path("config.yaml").write_text(SOURCES, encoding="utf-8")


def test_config_shows_what_holds_for_each_node_and_no_secret(call: Call) -> None:
    shown = call("config")
    assert shown.code == 0
    kitchen, yard = (
        shown.out.index(f"# node {name}") for name in ("kitchen: USB", "yard: rtsp://***@camera/x")
    )
    assert "# siren               0.70" in shown.out[yard:]
    assert "# siren               0.70" not in shown.out[kitchen:yard]
    assert "cret" not in shown.out
    document = call("config", "--json").json_document
    assert document["nodes"]["yard"]["classes"]["siren"]["enter"] == 0.7
    assert document["settings"]["sources"][0] == {"device": "USB", "node": "kitchen"}


@pytest.mark.parametrize("command", [["events"], ["report"], ["calibrate", "--at", "94"]])
def test_a_command_about_one_node_asks_for_it(call: Call, command: list[str]) -> None:
    refused = call(*command)
    assert refused.code == 2
    assert refused.complaints == [
        "sound-monitor: there are several sources; choose one with --node: kitchen, yard"
    ]


def test_events_of_a_node_are_those_of_its_history(call: Call) -> None:
    refused = call("events", "--node", "yard")
    assert refused.code == 4
    assert "history-yard.db: there is none yet" in refused.complaints[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--view"], "--view shows one source, and the config has several"),
        (["--source", "-"], "audio.source is given too"),
        (["--set", "sources=[]"], "sources: must not be empty"),
    ],
)
def test_run_refuses_what_is_for_one_source(call: Call, options: list[str], words: str) -> None:
    refused = call("run", *options)
    assert refused.code == 2
    assert len(refused.complaints) == 1
    assert words in refused.complaints[0]
