"""The broker goes away, the process is killed: nothing is lost, nothing is out of order, states are true."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
from delivering import HEALTH, TOPICS, broker, delivery
from mosquitto import PATIENCE_S, Listener, Mosquitto
from samples import record

from monitor.delivery.store.outbox import Outbox

EVENTS = TOPICS.event
ROOT = Path(__file__).parents[2]


@pytest.fixture
def hasty(monkeypatch):
    """Reconnects quickly, so that the tests are short."""
    monkeypatch.setattr("monitor.delivery.mqtt.publisher._RETRY_FIRST_S", 0.05)
    monkeypatch.setattr("monitor.delivery.mqtt.publisher._RETRY_CAP_S", 0.2)


def persistent(folder: Path) -> Mosquitto:
    """A broker that keeps the listener's session and the retained messages over a restart."""
    lines = (
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
    )
    return Mosquitto(folder, (*lines, "autosave_on_changes true"))


def seqs(listener: Listener) -> list[int]:
    return [message.json["seq"] for message in listener.on(EVENTS)]


def wait_for_all(listener: Listener, last: int) -> None:
    """Wait until each event up to the last was heard at least once."""
    listener.wait_for(lambda heard: len({m.json["seq"] for m in heard if m.topic == EVENTS}) >= last)


def wait_for_seq(listener: Listener, seq: int) -> None:
    listener.wait_for(lambda heard: any(m.topic == EVENTS and m.json["seq"] == seq for m in heard))


def first_deliveries(received: list[int]) -> list[int]:
    return list(dict.fromkeys(received))


def test_a_broker_that_is_absent_at_the_start_gets_everything_late_and_in_order(tmp_path, hasty, monkeypatch):
    monkeypatch.setattr("monitor.delivery.mqtt.feed.LATE_S", 0.0)
    absent = persistent(tmp_path)
    # The listener has a session before the monitor begins, so it misses nothing of the start.
    absent.start()
    listener = Listener(absent.port)
    absent.stop()
    with delivery(tmp_path / "history.db", broker(absent.port)) as sending:
        sending.put(*range(1, 31))
        assert sending.writer.flush(PATIENCE_S)
        absent.start()
        sending.wait()
        wait_for_all(listener, 30)
    listener.close()
    absent.stop()
    assert [(m.json["seq"], m.json["delayed"]) for m in listener.on(EVENTS)] == [
        (n, True) for n in range(1, 31)
    ]


def test_events_survive_a_broker_that_restarts_while_they_are_made(tmp_path, hasty):
    running = persistent(tmp_path).start()
    listener = Listener(running.port)
    with delivery(tmp_path / "history.db", broker(running.port)) as sending:
        for first in range(1, 201, 50):
            sending.put(*range(first, first + 25))
            wait_for_seq(listener, first)
            running.stop()
            sending.put(*range(first + 25, first + 50))
            running.start()
        sending.wait()
        wait_for_all(listener, 200)
    listener.close()
    running.stop()
    assert first_deliveries(seqs(listener)) == list(range(1, 201))


_CHILD = """
import sys, time
from pathlib import Path
from delivering import broker, delivery
with delivery(Path(sys.argv[1]), broker(int(sys.argv[2]))) as sending:
    seq = sending.outbox.last_seq()
    while seq < 400:
        seq += 1
        sending.put(seq)
        if seq % 7 == 0:
            time.sleep(0.001)
    sending.wait()
    print("done", flush=True)
    sys.stdin.read()
"""


def test_what_is_in_the_history_was_received_though_the_process_was_killed_ten_times(
    tmp_path, mosquitto, listener
):
    path = tmp_path / "history.db"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _CHILD, str(path), str(mosquitto.port)]
    chance = random.Random(1)
    for kill in range(11):
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            if kill < 10:
                target = min(400, max([0, *seqs(listener)]) + chance.randrange(1, 40))
                wait_for_seq(listener, target)
                child.send_signal(signal.SIGKILL)
            else:
                assert child.stdout.readline() == "done\n"
                child.stdin.close()
    with closing(Outbox(path)) as outbox:
        history = [event.record.event_id for event in reversed(outbox.query(limit=10_000))]
        assert outbox.pending_count() == 0
    assert history == [f"event-{seq}" for seq in range(1, 401)]
    wait_for_all(listener, 400)
    received = [message.json["event_id"] for message in listener.on(EVENTS)]
    assert list(dict.fromkeys(received)) == history
    # At most what was in flight at a kill comes twice.
    assert len(received) - len(history) <= 10 * 20


class Relay:
    """A TCP relay to the broker that can be cut, as a pulled cable is, and held, as a full one is."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._pairs: list[socket.socket] = []
        self._closed = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        for end in self._pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._closed = True
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()
        self._thread.join(PATIENCE_S)

    def _accept(self) -> None:
        pumps = []
        while not self._closed:
            try:
                near, _ = self._server.accept()
            except OSError:
                break
            far = socket.create_connection(("127.0.0.1", self._target))
            self._pairs += [near, far]
            for source, sink in ((near, far), (far, near)):
                pumps.append(threading.Thread(target=self._pump, args=(source, sink), daemon=True))
                pumps[-1].start()
        for pump in pumps:
            pump.join(PATIENCE_S)
        for end in self._pairs:
            end.close()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(mosquitto):
    relay = Relay(mosquitto.port)
    yield relay
    relay.close()


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_cut_connection_lets_the_will_speak_and_the_truth_follow(
    tmp_path, relay, listener, retained, hasty, version
):
    siren = record(1)
    with delivery(tmp_path / "history.db", broker(relay.port, version=version)) as sending:
        publisher = sending.publisher
        publisher.set_online(True)
        publisher.set_state("siren", True, siren)
        publisher.publish_health(HEALTH)
        listener.wait_message(TOPICS.state("siren"), "ON")
        listener.wait_message(TOPICS.status, "online")
        before = len(listener.heard)
        relay.cut()
        # The truth changes before the connection is back; only its last value counts.
        publisher.set_state("siren", False, record(2, type="end"))
        publisher.set_state("dog_bark", True, record(3, label="dog_bark"))
        listener.wait_message(TOPICS.status, "offline", after=before)
        listener.wait_message(TOPICS.status, "online", after=before)
        told = retained()
        assert told[TOPICS.status] == "online"
        assert told[TOPICS.state("siren")] == "OFF"
        assert told[TOPICS.state("dog_bark")] == "ON"
        assert json.loads(told[TOPICS.attributes("siren")])["type"] == "end"
        assert told[TOPICS.health] == HEALTH.to_json()
    told = retained()
    assert told[TOPICS.status] == "offline"
    assert told[TOPICS.state("dog_bark")] == "OFF"


def test_events_survive_a_connection_that_is_cut_again_and_again(tmp_path, relay, listener, hasty):
    with delivery(tmp_path / "history.db", broker(relay.port)) as sending:
        for first in range(1, 501, 100):
            sending.put(*range(first, first + 100))
            wait_for_seq(listener, first)
            relay.cut()
        sending.wait()
        wait_for_all(listener, 500)
    received = seqs(listener)
    assert first_deliveries(received) == list(range(1, 501))
    assert len(received) - 500 <= 5 * 20


def test_a_late_event_is_delivered_and_touches_no_state(tmp_path, mosquitto, listener, retained):
    path = tmp_path / "history.db"
    with closing(Outbox(path)) as outbox:
        outbox.append(record(1))  # a start, recorded by a process that died
    with delivery(path, broker(mosquitto.port)) as sending:
        sending.publisher.set_online(True)
        sending.wait()
        late = listener.wait_message(EVENTS)
        assert late.json == json.loads(record(1).to_json()) | {"delayed": True}
        told = retained()
        assert told[TOPICS.state("siren")] == "OFF"
        assert json.loads(told[TOPICS.attributes("siren")]) == {"state": "OFF"}
        sending.put(2)
        prompt = listener.wait_message(EVENTS, record(2).to_json())
        assert prompt.json["delayed"] is False
    assert [message.payload for message in listener.on(TOPICS.state("siren"))] == ["OFF", "OFF"]
