"""Settings commanded over a real broker: obeyed at once, echoed, kept over a restart."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from mosquitto import Listener, Mosquitto, find
from running import NODE, STREET, Monitor

CONTROL, HEALTH, STATUS = f"{NODE}/control", f"{NODE}/health", f"{NODE}/status"


class Feed:
    """Writes the street into a monitor's standard input, as fast as it is taken, until it is closed."""

    def __init__(self, monitor: Monitor) -> None:
        self._pipe: Any = monitor.process.stdin
        samples, _ = soundfile.read(STREET, dtype="int16")
        self._street = samples.tobytes()

    def seconds(self, start: float, stop: float) -> None:
        self._pipe.buffer.write(self._street[round(start * 32000) : round(stop * 32000)])
        self._pipe.buffer.flush()


def send(mosquitto: Mosquitto, what: str, payload: str, *flags: str) -> None:
    command = [find("mosquitto_pub"), "-p", str(mosquitto.port), "-q", "1", "-t", f"{NODE}/set/{what}"]
    subprocess.run([*command, "-m", payload, *flags], check=True)


def control(listener: Listener, after: int = 0, **wanted: object) -> dict[str, Any]:
    def found(heard: list[Any]) -> dict[str, Any] | None:
        for message in heard[after:]:
            if message.topic == CONTROL and message.payload and wanted.items() <= message.json.items():
                return dict(message.json)
        return None

    return dict(listener.wait_for(found))


@pytest.fixture
def run(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Any]:
    monitors: list[Monitor] = []

    def start() -> Monitor:
        settings = (
            f"mqtt.port={mosquitto.port}",
            "mqtt.commands=true",
            "audio.stall_s=600",
            "mqtt.discovery=true",
        )
        monitors.append(Monitor(tmp_path, *settings, options=("--source", "-"), stdin=subprocess.PIPE))
        return monitors[-1]

    yield start
    for monitor in monitors:
        with monitor:
            assert monitor.process.stdin is not None
            monitor.process.stdin.close()


def test_commands_take_effect_are_echoed_and_survive_a_restart(
    run: Any, mosquitto: Mosquitto, listener: Listener
) -> None:
    with run() as monitor:
        Feed(monitor).seconds(0.0, 2.0)
        listener.wait_message(STATUS, "online")
        assert control(listener)["changed"] == []
        send(mosquitto, "sound/siren/threshold", "0.42")
        assert control(listener, changed=["classes.siren.threshold"])["classes"]["siren"]["threshold"] == 0.42
        send(mosquitto, "profile", "sensitive")
        control(listener, profile="sensitive")
        send(mosquitto, "sound/dog_bark/enabled", "OFF")
        send(mosquitto, "listening", "OFF")
        assert control(listener, listening=False)["classes"]["dog_bark"]["enabled"] is False
        Feed(monitor).seconds(2.0, 4.0)
        listener.wait_for(
            lambda heard: any(m.topic == HEALTH and m.json["microphone"] == "off" for m in heard)
        )
        send(mosquitto, "profile", "deafening")
        monitor.wait_said("command 'profile' refused: profile: 'deafening' is none of quiet, sensitive")
    before = len(listener.heard)
    with run() as again:
        restored = control(listener, before, listening=False)
        assert restored["profile"] == "sensitive"
        assert restored["classes"]["siren"]["threshold"] == 0.42
        assert restored["classes"]["dog_bark"]["enabled"] is False
        send(mosquitto, "listening", "ON")
        control(listener, before, listening=True)
        Feed(again).seconds(0.0, 16.0)
        again.process.stdin.close()
        assert again.wait_end() == 0
    labels = {m.json["label"] for m in listener.heard[before:] if m.topic == f"{NODE}/event"}
    assert labels
    assert "dog_bark" not in labels


def test_a_retained_or_a_huge_command_does_no_harm(
    run: Any, mosquitto: Mosquitto, listener: Listener
) -> None:
    send(mosquitto, "listening", "OFF", "-r")
    with run() as monitor:
        monitor.wait_said("retained commands are not obeyed")
        Feed(monitor).seconds(0.0, 2.0)
        listener.wait_message(STATUS, "online")
        huge = [find("mosquitto_pub"), "-p", str(mosquitto.port), "-t", f"{NODE}/set/profile", "-s"]
        subprocess.run(huge, input=bytes(40 << 20), check=True)
        monitor.wait_said("no messages are taken any more until sound-monitor starts again")
        monitor.process.stdin.close()
        assert monitor.wait_end() == 0
    assert control(listener)["listening"] is True
    listener.wait_message(STATUS, "offline")  # states still go out


def test_home_assistants_birth_brings_everything_again(
    run: Any, mosquitto: Mosquitto, listener: Listener
) -> None:
    with run() as monitor:
        Feed(monitor).seconds(0.0, 2.0)
        listener.wait_message(STATUS, "online")
        before = len(listener.heard)
        birth = [
            find("mosquitto_pub"),
            "-p",
            str(mosquitto.port),
            "-t",
            "homeassistant/status",
            "-m",
            "online",
        ]
        subprocess.run(birth, check=True)
        listener.wait_for(lambda heard: any(m.topic == STATUS for m in heard[before:]))
        again = {message.topic for message in listener.heard[before:]}
        assert {CONTROL, STATUS, f"{NODE}/sound/siren/state"} <= again
