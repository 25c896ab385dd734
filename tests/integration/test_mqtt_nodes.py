"""Nodes that share a name, and nodes that are gone."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from delivering import TOPICS, broker, delivery
from mosquitto import PATIENCE_S, Heard, Listener, Mosquitto, find
from running import NODE, ROOT, Monitor

from monitor.delivery.homeassistant.discovery import discovery
from monitor.delivery.mqtt.announcement import Announcement
from monitor.delivery.mqtt.board import Message


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_two_clients_of_one_id_are_told_to_set_the_node(
    tmp_path: Path,
    mosquitto: Mosquitto,
    version: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.delivery.mqtt.publisher._RETRY_FIRST_S", 0.2)
    said = threading.Event()

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "another client is called" in record.getMessage():
                said.set()

    watch, log = Watch(), logging.getLogger("monitor.delivery.mqtt.publisher")
    log.addHandler(watch)
    settings = broker(mosquitto.port, version=version)
    try:
        with delivery(tmp_path / "a.db", settings), delivery(tmp_path / "b.db", settings):
            assert said.wait(PATIENCE_S)
    finally:
        log.removeHandler(watch)


def test_what_an_earlier_run_announced_and_this_one_has_not_is_cleared(
    tmp_path: Path, mosquitto: Mosquitto, listener: Listener, retained: Callable[[], dict[str, str]]
) -> None:
    """As after ``kill -9`` while a class sounded that the next run's model, or its config, has not."""
    left = [f"{NODE}/sound/foghorn/state", f"{NODE}/sound/foghorn/attributes", f"{NODE}/group/ships"]
    others = ["sound-monitor/attic/sound/foghorn/state", f"{NODE}/mine"]
    for topic in (*left, *others, f"{NODE}/sound/siren/state"):
        words = [find("mosquitto_pub"), "-p", str(mosquitto.port), "-r", "-t", topic, "-m", "ON"]
        subprocess.run(words, check=True)
    settings = (f"mqtt.port={mosquitto.port}", "mqtt.discovery=true")
    with Monitor(tmp_path, *settings, options=("--source", "-"), stdin=subprocess.PIPE) as monitor:
        for topic in left:
            listener.wait_message(topic, "")
        announced = "homeassistant/device/sound-monitor-balcony/config"

        def removed(heard: list[Heard]) -> bool:
            messages = [message.json["components"] for message in heard if message.topic == announced]
            platform = {"platform": "binary_sensor"}
            return any(
                components.get("sound_foghorn") == components.get("group_ships") == platform
                for components in messages
            )

        listener.wait_for(removed)
        assert monitor.stop() == 0
        assert monitor.process.stdin is not None
        monitor.process.stdin.close()
    told = {topic: payload for topic, payload in retained().items() if payload}
    assert not set(left) & told.keys()
    assert [told[topic] for topic in others] == ["ON", "ON"]
    assert told[f"{NODE}/sound/siren/state"] == "OFF"
    assert f"clearing {left[0]}, left by an earlier run" in "\n".join(monitor.said)


def forget(port: int, node: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", "forget", node, "--set", f"mqtt.port={port}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)


def test_what_is_kept_of_a_node_that_is_gone_is_cleared(
    tmp_path: Path, mosquitto: Mosquitto, listener: Listener, retained: Callable[[], dict[str, str]]
) -> None:
    other = [find("mosquitto_pub"), "-p", str(mosquitto.port), "-r", "-t", "sound-monitor/attic/status"]
    subprocess.run([*other, "-m", "offline"], check=True)
    with delivery(tmp_path / "history.db", broker(mosquitto.port)) as sending:
        sending.publisher.set_retained(discovery(TOPICS, Announcement(("siren",)), prefix="homeassistant"))
        sending.publisher.set_retained(Message(TOPICS.control, "{}", 1, True))
        sending.publisher.set_online(True)
        listener.wait_message(TOPICS.status, "online")
        refused = forget(mosquitto.port, "balcony")
        assert (refused.returncode, "is online; stop it first" in refused.stderr) == (2, True)
    listener.wait_message(TOPICS.status, "offline")
    cleared = forget(mosquitto.port, "balcony")
    assert cleared.returncode == 0, cleared.stderr
    assert TOPICS.state("siren") in cleared.stdout.splitlines()
    # Home Assistant removes the entities before it could read what is empty.
    emptied = listener.wait_for(lambda heard: [message.topic for message in heard if not message.payload])
    assert emptied[0] == "homeassistant/device/sound-monitor-balcony/config"
    assert {topic for topic, payload in retained().items() if payload} == {"sound-monitor/attic/status"}
