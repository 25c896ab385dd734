"""Whatever a broker sends, and whatever goes wrong inside, the mqtt thread goes on."""

from __future__ import annotations

import logging
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from delivering import TOPICS, broker, delivery
from mosquitto import PATIENCE_S, Listener, Mosquitto

from monitor.delivery.mqtt import publisher as mqtt
from monitor.delivery.mqtt.link import connector
from monitor.delivery.mqtt.publisher import MqttPublisher, Retained
from monitor.delivery.store.outbox import Outbox

CONNECTIONS = 60
ANSWERS = {"3.1.1": b"\x20\x02\x00\x00", "5": b"\x20\x03\x00\x00\x00"}
PACKETS = (
    *(b"\x40\x02\x00\x01", b"\x40\x02\xff\xff", b"\x30\x05\x00\x01aXY", b"\x32\x07\x00\x01a\x00\x01XY"),
    *(b"\x34\x07\x00\x01a\x00\x01XY", b"\xd0\x00", b"\x90\x03\x00\x01\x00", b"\xb0\x02\x00\x01"),
    *(b"\x50\x02\x00\x01", b"\x62\x02\x00\x01", b"\x70\x02\x00\x01", b"\xe0\x02\x8e\x00", b"\xe0\x00"),
    *(b"\xf0\x02\x00\x00", b"\x40\x04\x00\x01\x97\x00", b"\x20\x02\x00\x00", b"\x30\x01a", b"\x30\x00"),
    *(
        b"\x30\x04\x00\xffab",
        b"\x40\x00",
        b"\x90\x01x",
        b"\xb0\x00",
        b"\x00\x00",
        b"\x30\xff\xff\xff\xff\xff",
    ),
    *(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2p1\r\n"),
)


def mutated(packet: bytes, chance: random.Random) -> bytes:
    data = bytearray(packet)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(data) + 1)
        if chance.random() < 0.5:
            data.insert(place, chance.randrange(256))
        elif data:
            del data[min(place, len(data) - 1)]
    if chance.random() < 0.5 and len(data) >= 2:
        data[1] = min(127, len(data) - 2)  # a right length, so that the packet is taken apart
    return bytes(data)


class Garbage:
    """Lets a client in and sends it something malformed, connection after connection."""

    def __init__(self, port: int, version: str) -> None:
        self._chance = random.Random(version)
        self._accepted = ANSWERS[version]
        self._server = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self.enough = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        for served in range(10**6):
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client, suppress(OSError):
                client.settimeout(1.0)
                client.recv(2000)
                answer = self._accepted if self._chance.random() < 0.8 else b""
                client.sendall(answer + mutated(self._chance.choice(PACKETS), self._chance))
            if served == CONNECTIONS:
                self.enough.set()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "_RETRY_FIRST_S", 0.001)
    monkeypatch.setattr(mqtt, "_RETRY_CAP_S", 0.05)


@pytest.fixture
def absent(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    yield broker
    broker.stop()


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_garbage_from_a_broker_ends_nothing(
    tmp_path: Path, absent: Mosquitto, hasty: None, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    garbage = Garbage(absent.port, version)
    try:
        with delivery(tmp_path / "history.db", broker(absent.port, version=version)) as sending:
            sending.put(1, 2, 3)
            assert garbage.enough.wait(4 * PATIENCE_S)
            assert sending.publisher.alive
            garbage.close()
            absent.start()
            listener = Listener(absent.port)
            sending.put(4)
            sending.wait()
            listener.close()
    finally:
        with suppress(OSError):
            garbage.close()
    assert not [record for record in caplog.records if record.exc_info]


def test_an_unexpected_error_is_logged_once_and_survived(
    tmp_path: Path, mosquitto: Mosquitto, listener: Listener, hasty: None, caplog: pytest.LogCaptureFixture
) -> None:
    real, failures = connector(broker(mosquitto.port)), iter(range(5))

    def connect(*arguments: object) -> object:
        if next(failures, None) is not None:
            raise RuntimeError("a bug")
        return real(*arguments)  # type: ignore[arg-type]

    outbox = Outbox(tmp_path / "history.db")
    publisher = MqttPublisher(connect, TOPICS, outbox, Retained())  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO):
        publisher.start()
        listener.wait_message(TOPICS.status, "offline")
    assert publisher.alive
    publisher.close()
    outbox.close()
    assert not publisher.alive
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        "mqtt: unexpected error; connecting again"
    ]
    assert f"mqtt 127.0.0.1:{mosquitto.port}: connected" in caplog.messages
