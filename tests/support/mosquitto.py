"""A real mosquitto for tests, on a free loopback port, and a client that remembers what it hears."""

from __future__ import annotations

import json
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

PATIENCE_S = 20.0
"""How long anything may take on a busy machine before a test fails."""


def find(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.fail(f"{program} is not installed (apt-get install mosquitto mosquitto-clients openssl)")
    return path


def free_port() -> int:
    """A port that nothing listens at.

    Below those that the system hands out: there, what calls a broker that is absent may be given the
    broker's own port to call from, and reaches itself. Not by the generator that Keras and hypothesis seed:
    two processes of tests would take the same port.
    """
    while True:
        port = random.SystemRandom().randint(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Mosquitto:
    """A broker process that can be stopped and started again on the same port."""

    def __init__(
        self, folder: Path, lines: tuple[str, ...] = ("allow_anonymous true",), port: int = 0
    ) -> None:
        self.port = port or free_port()
        self._log = folder / f"mosquitto-{self.port}.log"
        self._config = folder / f"mosquitto-{self.port}.conf"
        # Started by root it would become a user who cannot read the test's files.
        self._config.write_text("\n".join(("user root", f"listener {self.port} 127.0.0.1", *lines, "")))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Mosquitto:
        with self._log.open("ab") as log:
            command = [find("mosquitto"), "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if self._process.poll() is not None:
                break
            time.sleep(0.01)  # mosquitto has no other sign of being ready
        pytest.fail(f"mosquitto did not start: {self._log.read_text()}")

    @property
    def pid(self) -> int:
        """Process id, while it runs."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        self.kill(signal.SIGTERM)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the broker by a signal."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None

    def send_signal(self, number: int) -> None:
        """Send a signal that does not end the broker, such as SIGSTOP."""
        if self._process is not None:
            self._process.send_signal(number)


@dataclass(frozen=True)
class Heard:
    topic: str
    payload: str
    qos: int
    retain: bool

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class Listener:
    """Subscribes to everything on a plain broker; reconnects by itself and keeps its subscription."""

    def __init__(self, port: int, topic: str = "#") -> None:
        self.heard: list[Heard] = []
        self._changed = threading.Condition()
        self._ready = False
        self._topic = topic
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"listener-{id(self)}", clean_session=False
        )
        self._client.on_connect = lambda client, *_: client.subscribe(self._topic, 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        self.wait_ready()

    def wait_ready(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._ready, PATIENCE_S), "listener could not subscribe"

    def wait_for(self, condition: Callable[[list[Heard]], Any]) -> Any:
        """Wait until the condition holds for what was heard so far; returns its value."""
        with self._changed:
            value = self._changed.wait_for(lambda: condition(self.heard), PATIENCE_S)
            assert value, f"not heard: {self.heard}"
            return value

    def wait_message(self, topic: str, payload: str | None = None, after: int = 0) -> Heard:
        """Wait for a message on a topic, its number in what was heard at least ``after``."""

        def found(heard: list[Heard]) -> Heard | None:
            for message in heard[after:]:
                if message.topic == topic and payload in (None, message.payload):
                    return message
            return None

        return self.wait_for(found)

    def wait_retained(self) -> None:
        """Wait until all retained messages are here: what is published later comes behind them."""
        marker = f"marker/{id(self)}"
        self._client.publish(marker, "", qos=1)
        self.wait_message(marker)

    def on(self, topic: str) -> list[Heard]:
        with self._changed:
            return [message for message in self.heard if message.topic == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_subscribe(self, *_: Any) -> None:
        with self._changed:
            self._ready = True
            self._changed.notify_all()

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.heard.append(Heard(message.topic, message.payload.decode(), message.qos, message.retain))
            self._changed.notify_all()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker that lets anybody in."""
    broker = Mosquitto(tmp_path).start()
    yield broker
    broker.stop()


@pytest.fixture
def listener(mosquitto: Mosquitto) -> Iterator[Listener]:
    listener = Listener(mosquitto.port)
    yield listener
    listener.close()


@pytest.fixture
def retained(mosquitto: Mosquitto) -> Callable[[], dict[str, str]]:
    """What a newcomer is told: topic → retained payload."""

    def ask() -> dict[str, str]:
        newcomer = Listener(mosquitto.port)
        newcomer.wait_retained()
        newcomer.close()
        return {message.topic: message.payload for message in newcomer.heard if message.retain}

    return ask


@dataclass(frozen=True)
class Certificates:
    """PEM files of a CA, a server for localhost and 127.0.0.1, a client, and of another CA."""

    ca: str
    server: str
    server_key: str
    client: str
    client_key: str
    other_ca: str


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    openssl = find("openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    def authority(name: str) -> None:
        run(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"),
        )

    def signed(name: str, extension: str) -> None:
        (folder / f"{name}.ext").write_text(extension)
        run(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem"),
        )

    authority("ca")
    authority("other")
    signed("server", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    signed("client", "extendedKeyUsage=clientAuth")
    names = ("ca.pem", "server.pem", "server.key", "client.pem", "client.key", "other.pem")
    return Certificates(*(str(folder / name) for name in names))
