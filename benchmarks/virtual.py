"""A virtual microphone with a monitor on it, and the arrival times of a subscriber's messages.

All times are the system clock's, seconds since 1970.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from campaign import MONITOR, ROOT
from mosquitto import find
from pulse import PulseServer

from monitor.clock import parse_utc
from monitor.delivery.store.outbox import Outbox

_RATE = 48000
_FORMAT = (f"--rate={_RATE}", "--channels=1", "--format=s16le")
_CHUNK_S = 0.01
_QUIET_S = 1.5
"""Digital silence between two sounds; also the longest wait for a late alert."""
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Message:
    received: float
    topic: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Playing:
    """One played recording: when its first and last sample left the microphone."""

    began: float
    ended: float
    messages: tuple[Message, ...]
    """Starts received from its beginning until some time after its end."""


class VirtualMicrophone:
    """A sound server, ``sound-monitor run`` on its microphone, ``mosquitto_sub`` and ``parec`` beside it."""

    def __init__(self, folder: Path, node: str, port: int, settings: Sequence[str]) -> None:
        folder.mkdir(parents=True)
        self.node = node
        self.history = folder / "history.db"
        self._folder = folder
        self._port = port
        self._settings = settings

    def start(self) -> VirtualMicrophone:
        self._server = PulseServer(self._folder).start()
        environment = self._server.environment
        self._ear = _Ear(environment)
        self._messages: list[Message] = []
        where = ("-h", "127.0.0.1", "-p", str(self._port), "-t", f"sound-monitor/{self.node}/#")
        self._subscriber = subprocess.Popen(
            [find("mosquitto_sub"), *where, "-q", "1", "-F", "%U %t %p"],
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        threading.Thread(target=self._subscribe, daemon=True).start()
        values = [f"mqtt.port={self._port}", "mqtt.host=127.0.0.1", f"node={self.node}"]
        values += [f"history.path={self.history}", "mqtt.level_interval_s=0"]
        options = [word for value in values for word in ("--set", value)]
        with (self._folder / "run.log").open("w") as log:
            self._run = subprocess.Popen(
                [*MONITOR, "run", *options, *self._settings], cwd=ROOT, env=environment, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE_S
        while not any(m.topic.endswith("/status") and m.values == "online" for m in list(self._messages)):
            if time.monotonic() > deadline or self._run.poll() is not None:
                raise RuntimeError((self._folder / "run.log").read_text())
            time.sleep(0.05)
        return self

    def play(self, file: Path) -> Playing:
        """Play a recording between two silences."""
        self._ear.wait_quiet(_QUIET_S)
        asked = time.time()
        self._server.play(file)
        self._ear.wait_quiet(_QUIET_S)
        samples, rate = soundfile.read(file, dtype="int16")
        first = int(np.flatnonzero(samples)[0]) / rate
        began = self._ear.sound_after(asked) - first
        until = time.time()
        starts = tuple(
            m
            for m in list(self._messages)
            if m.topic.endswith("/event") and m.values["type"] == "start" and began <= m.received <= until
        )
        return Playing(began, began + len(samples) / rate, starts)

    def recorded_at(self) -> dict[str, float]:
        """Return when each start was written into the history, by event id."""
        with closing(Outbox(self.history, readonly=True)) as outbox:
            rows = outbox.query(limit=1_000_000)
        return {row.record.event_id: parse_utc(row.recorded_at) for row in rows if row.record.type == "start"}

    def peak_mb(self) -> float:
        """Return the monitor's peak resident memory in MB."""
        status = Path(f"/proc/{self._run.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6

    def cpu_s(self) -> float:
        """Return the CPU seconds used by the monitor."""
        fields = Path(f"/proc/{self._run.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def health(self) -> dict[str, Any]:
        """Return the last health message."""
        return [m.values for m in self._messages if m.topic.endswith("/health")][-1]

    def close(self) -> None:
        self._run.send_signal(signal.SIGTERM)
        self._run.wait(_PATIENCE_S)
        self._ear.close()
        self._subscriber.terminate()
        self._subscriber.wait(_PATIENCE_S)
        self._server.kill()

    def _subscribe(self) -> None:
        assert self._subscriber.stdout is not None
        for line in self._subscriber.stdout:
            received, topic, payload = line.rstrip("\n").split(" ", 2)
            values = json.loads(payload) if payload.startswith("{") else payload
            self._messages.append(Message(float(received), topic, values))


class _Ear:
    """Records beside the monitor to find when silence ends.

    Its times are late by the sound server's buffer, 10 to 20 ms.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [find("parec"), "--latency-msec=10", "-d", "vmic.monitor", *_FORMAT],
            env=environment,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        self._begins: list[float] = []
        self._last_sound = 0.0
        self._heard = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._heard.wait(_PATIENCE_S):
            raise RuntimeError("parec receives no sound")

    def wait_quiet(self, seconds: float) -> None:
        while time.time() - self._last_sound < seconds:
            time.sleep(0.02)

    def sound_after(self, moment: float) -> float:
        """Return when the first sound after ``moment`` began."""
        return next(begin for begin in self._begins if begin > moment)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE_S)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        size = round(_CHUNK_S * _RATE) * 2
        while data := self._process.stdout.read(size):
            now = time.time()
            self._heard.set()
            samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
            sounding = np.flatnonzero(samples)
            if not len(sounding):
                continue
            if now - self._last_sound > _QUIET_S / 2:
                self._begins.append(now - (len(samples) - int(sounding[0])) / _RATE)
            self._last_sound = now
