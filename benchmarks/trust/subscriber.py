"""What any client of the broker sees: every message on arrival, and the retained topics of a newcomer."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mosquitto import find

_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Message:
    received: float
    retained: bool
    topic: str
    payload: str

    @property
    def values(self) -> Any:
        return json.loads(self.payload)


class Subscriber:
    """``mosquitto_sub`` with a persistent session, connected to the broker itself."""

    def __init__(self, port: int, topic: str) -> None:
        self._where = ("-h", "127.0.0.1", "-p", str(port), "-t", topic)
        self._messages: list[Message] = []
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [find("mosquitto_sub"), *self._where, "-q", "1", "-c", "-i", "checker", "-F", "%U %r %t %p"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._read, daemon=True).start()

    def messages(self) -> list[Message]:
        with self._lock:
            return list(self._messages)

    def last(self, suffix: str) -> Message | None:
        """Return the newest message of the topic that ends so."""
        return next((m for m in reversed(self.messages()) if m.topic.endswith(suffix)), None)

    def retained(self) -> dict[str, str]:
        """Return what a new client is sent, by topic."""
        done = subprocess.run(
            [find("mosquitto_sub"), *self._where, "-W", "2", "-F", "%r %t %p"],
            capture_output=True, text=True, errors="replace", timeout=_PATIENCE_S, check=False,
        )  # fmt: skip
        lines = (line.split(" ", 2) for line in done.stdout.splitlines())
        return {topic: payload for retained, topic, payload in lines if retained == "1"}

    def close(self, log: Path | None = None) -> None:
        """End it, and write all messages into a file."""
        self._process.terminate()
        self._process.wait(_PATIENCE_S)
        if log is not None:
            lines = (f"{m.received} {m.topic} {m.payload}\n" for m in self.messages())
            log.write_text("".join(lines), encoding="utf-8")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            received, retained, topic, payload = line.rstrip("\n").split(" ", 3)
            with self._lock:
                self._messages.append(Message(float(received), retained == "1", topic, payload))
