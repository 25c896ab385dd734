"""``sound-monitor replay`` as a process: over a real broker, into a terminal, and broken off."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mosquitto import PATIENCE_S, Listener, Mosquitto, find, free_port

STREET = Path(__file__).parents[2] / "examples" / "street.wav"
BASE = "sound-monitor/attic-replay"


@contextmanager
def started(*arguments: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "monitor", "replay", str(STREET), "--set", "node=attic"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, *map(str, arguments)], **{**pipes, **options}) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def replay(*arguments: object) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, the records, and what was said."""
    with started("--json", *arguments) as process:
        out, err = process.communicate(timeout=3 * PATIENCE_S)
    return process.returncode, [json.loads(line) for line in out.splitlines()], err


def to(broker: Mosquitto | int) -> list[str]:
    port = broker if isinstance(broker, int) else broker.port
    return ["--mqtt", "--set", f"mqtt.port={port}", "--set", "mqtt.host=127.0.0.1"]


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_events_received_are_the_records_printed(mosquitto, listener, retained, version):
    code, records, err = replay(*to(mosquitto), "--set", f"mqtt.version={version!r}")
    assert code == 0, err
    assert len(records) >= 2
    listener.wait_for(lambda heard: len(heard) >= len(records))
    assert [message.json for message in listener.on(f"{BASE}/event")] == records
    # Nothing else is said, and nothing stays behind.
    assert {message.topic for message in listener.heard} == {f"{BASE}/event"}
    assert retained() == {}


def test_states_are_told_when_asked_for_and_end_as_off(mosquitto, listener, retained):
    code, records, err = replay(*to(mosquitto), "--states")
    assert code == 0, err
    listener.wait_message(f"{BASE}/status", "offline")
    for label in {record["label"] for record in records}:
        topic = f"{BASE}/sound/{label}/state"
        changes = [message.payload for message in listener.on(topic)]
        starts = sum(record["label"] == label and record["type"] == "start" for record in records)
        assert changes == ["OFF", *["ON", "OFF"] * starts, "OFF"]
        last = [record for record in records if record["label"] == label][-1]
        assert listener.on(f"{BASE}/sound/{label}/attributes")[-1].json == last | {"state": "OFF"}
    assert [m.payload for m in listener.on(f"{BASE}/status")] == ["offline", "online", "offline"]
    left = retained()
    assert left[f"{BASE}/status"] == "offline"
    assert {left[topic] for topic in left if topic.endswith("/state")} == {"OFF"}
    assert json.loads(left[f"{BASE}/health"])["microphone"] == "listening"
    assert "homeassistant/device/sound-monitor-attic-replay/config" in left
    assert listener.on(f"{BASE}/level")


def test_no_controls_are_announced_as_a_replay_takes_no_commands(mosquitto, listener):
    """With controls, Home Assistant waits for the settings in force before a sensor is available."""
    code, _, err = replay(*to(mosquitto), "--states", "--set", "mqtt.commands=true")
    assert code == 0, err
    announced = listener.on("homeassistant/device/sound-monitor-attic-replay/config")[-1].json["components"]
    assert "command_topic" not in json.dumps(announced)
    assert "/control" not in json.dumps(announced)


def test_node_and_base_topic_can_be_named(mosquitto, listener):
    code, records, err = replay(*to(mosquitto), "--node", "Küche 2", "--set", "mqtt.base_topic=haus/oben")
    assert code == 0, err
    listener.wait_message("haus/oben/kuche_2/event")
    assert {record["node"] for record in records} == {"Küche 2"}


def test_without_a_broker_all_is_done_and_the_exit_code_is_4(tmp_path):
    port = free_port()
    history = tmp_path / "h.db"
    scores = tmp_path / "s.csv"
    quick = ("--set", "mqtt.timeout_s=1", "--scores", scores)
    code, records, err = replay(*to(port), *quick, "--history", history)
    assert code == 4
    assert len(records) >= 2
    rows = scores.read_text().splitlines()
    assert len(rows) == 1 + math.ceil(44 / 0.5), "a header, and a row a hop, the last one begun"
    (line,) = [line for line in err.splitlines() if line.startswith("sound-monitor: ")]
    assert f"mqtt 127.0.0.1:{port}: connection refused" in line
    assert f"({len(records)} records without an acknowledgement after 1 s)" in line

    # They wait in the history; the next replay into it delivers them, as late ones.
    broker = Mosquitto(tmp_path, port=port).start()
    listener = Listener(port)
    code, more, err = replay(*to(port), "--history", history)
    assert code == 0, err
    listener.wait_for(lambda heard: len(heard) >= len(records) + len(more))
    events = [message.json for message in listener.on(f"{BASE}/event")]
    assert events == [{**record, "delayed": True} for record in records] + more
    listener.close()
    broker.stop()


def test_a_replay_without_events_still_says_that_there_is_no_broker(tmp_path):
    code, records, err = replay(*to(free_port()), "--set", "mqtt.timeout_s=1", "--set", "events.enabled=[]")
    assert (code, records) == (4, [])
    assert "connection refused" in err


def test_replays_beside_each_other_do_not_disturb(mosquitto, listener):
    with started("--json", *to(mosquitto)) as one, started("--json", *to(mosquitto)) as other:
        outs = [process.communicate(timeout=3 * PATIENCE_S)[0] for process in (one, other)]
        assert (one.returncode, other.returncode) == (0, 0)
    printed = sorted(line for out in outs for line in out.splitlines())
    listener.wait_for(lambda heard: len(heard) >= len(printed))
    assert sorted(message.payload for message in listener.on(f"{BASE}/event")) == printed


def test_the_embedded_broker_serves_a_subscriber(tmp_path):
    port = free_port()
    embedded = ("--set", "mqtt.broker=embedded", "--set", f"mqtt.port={port}", "--mqtt", "--states")
    with started("--json", "--realtime", *embedded) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())  # so the broker is there
        command = [find("mosquitto_sub"), "-p", str(port), "-t", f"{BASE}/event", "-t", f"{BASE}/status"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
            assert subscriber.stdout is not None
            assert subscriber.stdout.readline() == "online\n"
            process.send_signal(signal.SIGINT)
            heard = list(iter(subscriber.stdout.readline, "offline\n"))
            subscriber.terminate()
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, err
    end = json.loads(heard[-1])  # the start comes before it where the subscriber was early
    assert (end["event_id"], end["reason"]) == (first["event_id"], "stopped")
    assert json.loads(out) == end


def test_ctrl_c_ends_open_events_and_closes_the_files(tmp_path):
    scores = tmp_path / "s.csv"
    with started("--json", "--realtime", "--scores", scores) as process:
        assert process.stdout is not None
        start = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    end = json.loads(out)
    assert (end["event_id"], end["type"], end["reason"]) == (start["event_id"], "end", "stopped")
    assert "Traceback" not in err
    with scores.open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert rows
    assert {len(row) for row in rows} == {len(header)}
    assert start["start_s"] + start["delay_s"] <= float(rows[-1][1]) < 44.0


def test_ctrl_c_gives_up_waiting_for_the_broker():
    with started("--json", *to(free_port()), "--set", "mqtt.timeout_s=600") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "waiting for the broker" in line:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130


def test_a_reader_that_leaves_ends_the_replay_quietly():
    with started("--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 1
        assert process.stderr is not None
        err = process.stderr.read()
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


@contextmanager
def terminal(*streams: str) -> Iterator[tuple[dict[str, Any], Iterator[str]]]:
    """Options of a process whose ``streams`` go to a terminal, and what it draws there, bit by bit."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}

    def drawn() -> Iterator[str]:
        os.close(theirs)
        # A terminal whose other end is closed reads as an error.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 65536):
                yield chunk.decode(errors="replace")

    yield {**dict.fromkeys(streams, theirs), "env": environment}, drawn()
    os.close(ours)


def test_the_live_view_draws_on_a_terminal_and_leaves_stdout_alone(mosquitto):
    with (
        terminal("stderr") as (options, drawn),
        started("--json", "--view", *to(mosquitto), **options) as process,
    ):
        shown = "".join(drawn)
        assert process.stdout is not None
        assert all(json.loads(line)["schema"] == 1 for line in process.stdout)
        assert process.wait(PATIENCE_S) == 0
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown[shown.rindex("╭") :])
    assert f"$ mosquitto_sub -h 127.0.0.1 -p {mosquitto.port} -t '{BASE}/#' -v" in last
    assert f"mqtt 127.0.0.1:{mosquitto.port}: connected" in last
    assert "siren" in last
    assert "street.wav 0:44 / 0:44" in last


def test_a_long_replay_shows_how_far_it_is_below_what_it_tells():
    shown = ""
    with terminal("stdout", "stderr") as (options, drawn), started("--realtime", **options) as process:
        for bit in drawn:
            shown += bit
            if " starts " in shown and re.search(r"[1-9]%.*0:00:[34]\d.* left", shown):
                process.send_signal(signal.SIGINT)
                break
        shown += "".join(drawn)
        assert process.wait(PATIENCE_S) == 130, shown
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown))
    (told,) = [line for line in lines if " starts " in line]
    assert told.split()[2] == "starts"  # a line of its own, not behind the bar


def test_a_quick_replay_shows_no_progress():
    with terminal("stderr") as (options, drawn), started(**options) as process:
        assert "━" not in "".join(drawn)
        assert process.wait(PATIENCE_S) == 0
