"""``sound-monitor run`` as users have it: a microphone, a broker, and what goes wrong with them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import soundfile
from mosquitto import Heard, Listener, Mosquitto, free_port
from pulse import PATIENCE_S, PulseServer
from running import NODE, Monitor, piece_of_street

from monitor.delivery.store.outbox import Outbox

EVENT, STATUS, HEALTH, LEVEL = (f"{NODE}/{name}" for name in ("event", "status", "health", "level"))
SIREN_STATE = f"{NODE}/sound/siren/state"

# The virtual microphone delivers exact zeros while nothing is played.
PATIENT = "audio.silence_s=600"


@pytest.fixture
def siren(tmp_path: Path) -> Path:
    return piece_of_street(tmp_path, 3.0, 12.0)


@pytest.fixture
def playing(pulse: PulseServer) -> Iterator[Callable[[Path], None]]:
    """Plays into the microphone; stops at the end of the test."""
    players: list[subprocess.Popen[bytes]] = []
    yield lambda file: players.append(pulse.player(file))
    for player in players:
        player.kill()
        player.wait(PATIENCE_S)


@pytest.fixture
def start(pulse: PulseServer, tmp_path: Path) -> Iterator[Callable[..., Monitor]]:
    """Starts monitors that hear the virtual microphone."""
    monitors: list[Monitor] = []

    def start(*settings: str, **arguments: Any) -> Monitor:
        monitors.append(Monitor(tmp_path, PATIENT, *settings, environment=pulse.environment, **arguments))
        return monitors[-1]

    yield start
    for monitor in monitors:
        with monitor:
            pass


def wait_event(listener: Listener, after: int = 0, **wanted: object) -> dict[str, Any]:
    def found(heard: list[Heard]) -> dict[str, Any] | None:
        for message in heard[after:]:
            if message.topic == EVENT and wanted.items() <= message.json.items():
                return dict(message.json)
        return None

    return dict(listener.wait_for(found))


def wait_health(listener: Listener, after: int = 0, **wanted: object) -> dict[str, Any]:
    def found(heard: list[Heard]) -> dict[str, Any] | None:
        for message in heard[after:]:
            if message.topic == HEALTH and wanted.items() <= message.json.items():
                return dict(message.json)
        return None

    return dict(listener.wait_for(found))


def test_a_sound_at_the_microphone_arrives_at_a_subscriber_and_a_stop_is_clean(
    mosquitto: Mosquitto,
    listener: Listener,
    retained: Callable[[], dict[str, str]],
    start: Callable[..., Monitor],
    playing: Callable[[Path], None],
    siren: Path,
) -> None:
    monitor = start(f"mqtt.port={mosquitto.port}", options=("--json",))
    listener.wait_message(STATUS, "online")
    playing(siren)
    begun = wait_event(listener, label="siren", type="start")
    listener.wait_message(SIREN_STATE, "ON")
    level = listener.wait_message(LEVEL).json
    health = wait_health(listener, microphone="listening")
    assert begun["clock"] == "synced"
    assert not begun["delayed"]
    assert level["rms_dbfs"] < 0
    assert health["inference_ms"] > 0
    assert -0.1 < health["delay_s"] < 2.0
    assert monitor.stop() == 0
    ended = wait_event(listener, event_id=begun["event_id"], type="end")
    assert ended["reason"] == "stopped"
    assert ended["duration_s"] > 0
    told = retained()
    assert (told[STATUS], told[SIREN_STATE]) == ("offline", "OFF")
    printed = [json.loads(line) for line in monitor.printed]
    published = [message.json for message in listener.on(EVENT)]
    assert printed == published
    assert not any("Traceback" in line for line in monitor.said)


def test_a_microphone_that_goes_away_is_said_and_heard_again_when_it_is_back(
    pulse: PulseServer,
    mosquitto: Mosquitto,
    listener: Listener,
    start: Callable[..., Monitor],
    playing: Callable[[Path], None],
    siren: Path,
) -> None:
    start(f"mqtt.port={mosquitto.port}", "audio.stall_s=1")
    wait_health(listener, microphone="listening")
    playing(siren)
    begun = wait_event(listener, label="siren", type="start")
    listener.wait_message(SIREN_STATE, "ON")
    killed = len(listener.heard)
    pulse.kill()
    lost = wait_health(listener, killed, microphone="lost")
    assert lost["reason"]
    assert wait_event(listener, killed, event_id=begun["event_id"])["reason"] == "source_lost"
    listener.wait_message(SIREN_STATE, "OFF", killed)
    assert listener.on(STATUS)[-1].payload == "online"
    back = len(listener.heard)
    pulse.start()
    assert wait_health(listener, back, microphone="listening")["reason"] is None
    playing(siren)
    again = wait_event(listener, back, label="siren", type="start")
    assert again["event_id"] != begun["event_id"]


def test_a_broker_that_is_absent_at_the_start_does_not_stop_the_monitor(
    start: Callable[..., Monitor], playing: Callable[[Path], None], siren: Path, tmp_path: Path
) -> None:
    port = free_port()
    monitor = start(f"mqtt.port={port}", options=("--json",))
    monitor.wait_said("connection refused; start the broker")
    playing(siren)
    monitor.wait_printed('"type": "start"')
    broker = Mosquitto(tmp_path, port=port).start()
    with closing(Listener(port)) as listener:
        listener.wait_message(STATUS, "online")
    broker.stop()
    assert monitor.stop() == 0


def test_the_embedded_broker_serves_from_before_the_first_sound_to_after_the_last_word(
    start: Callable[..., Monitor], playing: Callable[[Path], None], siren: Path
) -> None:
    port = free_port()
    monitor = start("mqtt.broker=embedded", f"mqtt.port={port}")
    monitor.wait_said("connected")
    with closing(Listener(port)) as listener:
        playing(siren)
        wait_event(listener, label="siren", type="start")
        assert monitor.stop() == 0
        assert wait_event(listener, label="siren", type="end")["reason"] == "stopped"
        listener.wait_message(STATUS, "offline")


def test_a_second_run_on_the_same_history_exits_2(start: Callable[..., Monitor]) -> None:
    first = start("mqtt.enabled=false")
    first.wait_said("listening at")
    second = start("mqtt.enabled=false")
    assert second.wait_end() == 2
    assert f"another sound-monitor (pid {first.process.pid}) uses this history" in second.said[-1]
    assert first.stop(signal.SIGINT) == 0


def test_a_device_that_was_never_seen_exits_3_with_the_names(start: Callable[..., Monitor]) -> None:
    monitor = start("mqtt.enabled=false", "audio.device=Blue Yeti")
    assert monitor.wait_end() == 3
    assert "'Blue Yeti': not found; choose audio.device from:" in monitor.said[-1]
    assert "'pulse'" in monitor.said[-1]


def test_a_device_that_was_never_seen_is_waited_for_if_so_wished(
    pulse: PulseServer, start: Callable[..., Monitor]
) -> None:
    pulse.kill()
    monitor = start("mqtt.enabled=false", "audio.wait=true")
    monitor.wait_said("waiting for it")
    pulse.start()
    monitor.wait_said("listening at")
    assert monitor.stop() == 0
    assert sum("waiting for it" in line for line in monitor.said) == 1


def test_what_a_killed_monitor_left_open_ends_at_the_next_start(
    mosquitto: Mosquitto,
    listener: Listener,
    start: Callable[..., Monitor],
    playing: Callable[[Path], None],
    siren: Path,
) -> None:
    monitor = start(f"mqtt.port={mosquitto.port}")
    listener.wait_message(STATUS, "online")
    playing(siren)
    begun = wait_event(listener, label="siren", type="start")
    monitor.stop(signal.SIGKILL)
    listener.wait_message(STATUS, "offline", 1)
    killed = len(listener.heard)
    start(f"mqtt.port={mosquitto.port}")
    ended = wait_event(listener, killed, event_id=begun["event_id"], type="end")
    assert (ended["reason"], ended["delayed"]) == ("stopped", True)
    assert ended["end_s"] == pytest.approx(begun["start_s"] + begun["delay_s"])
    assert ended["seq"] > begun["seq"]
    listener.wait_message(SIREN_STATE, "OFF", killed)


def test_standard_input_that_ends_is_delivered_whole(
    mosquitto: Mosquitto, listener: Listener, siren: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(siren, dtype="int16")
    raw = tmp_path / "siren.raw"
    raw.write_bytes(samples.tobytes())
    with (
        raw.open("rb") as stdin,
        Monitor(
            tmp_path,
            f"mqtt.port={mosquitto.port}",
            f"audio.raw_rate={rate}",
            f"audio.raw_channels={samples.ndim}",
            options=("--source", "-"),
            stdin=stdin,
        ) as monitor,
    ):
        assert monitor.wait_end() == 0
    ended = wait_event(listener, label="siren", type="end")
    assert ended["reason"] == "stopped"
    with closing(Outbox(tmp_path / "history.db", readonly=True)) as outbox:
        assert outbox.pending_count() == 0
        assert len(outbox.query()) == len(listener.on(EVENT)) >= 2


def test_clips_of_a_live_source_are_kept_beside_the_history(siren: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(siren, dtype="int16")
    raw = tmp_path / "siren.raw"
    raw.write_bytes(samples.tobytes())
    settings = ("mqtt.enabled=false", f"audio.raw_rate={rate}", f"audio.raw_channels={samples.ndim}")
    clips = ("clips.enabled=true", "clips.skip_speech=false", "clips.pre_roll_s=1")
    with (
        raw.open("rb") as stdin,
        Monitor(tmp_path, *settings, *clips, options=("--source", "-"), stdin=stdin) as monitor,
    ):
        assert monitor.wait_end() == 0
    with closing(Outbox(tmp_path / "history.db", readonly=True)) as outbox:
        names = {event.record.clip for event in outbox.query()}
    assert names
    for name in names:
        kept, _ = soundfile.read(tmp_path / "clips" / str(name), dtype="int16")
        assert kept.tobytes() in samples.tobytes()


def test_the_service_manager_hears_when_the_monitor_is_ready_and_when_it_stops(
    start: Callable[..., Monitor], pulse: PulseServer, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        pulse.changes |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        monitor = start("mqtt.enabled=false")

        def wait_told(line: str) -> None:
            while line not in manager.recv(1000).decode().splitlines():
                pass

        wait_told("READY=1")
        wait_told("WATCHDOG=1")
        wait_told("WATCHDOG=1")
        assert monitor.stop() == 0
        wait_told("STOPPING=1")


def test_a_source_that_is_no_url_exits_2(tmp_path: Path) -> None:
    with Monitor(tmp_path, options=("--source", "mikrophone")) as monitor:
        assert monitor.wait_end() == 2
    assert "write microphone, - (standard input) or a URL" in monitor.said[-1]
