"""The real monitor, which listens to the example street in real time, over and over."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import soundfile
from campaign import MONITOR, ROOT, STREET

NODE = "home"
PROFILE = "sensitive"
_CHUNK_S = 0.1
_PATIENCE_S = 30.0


class Daemon:
    """``sound-monitor run`` on standard input; each start plays the street from its beginning."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        folder.mkdir(parents=True)
        self.history = folder / "history.db"
        self._folder = folder
        self._settings = (
            f"node={NODE}", f"mqtt.port={broker_port}", "mqtt.host=127.0.0.1", "mqtt.commands=true",
            "mqtt.level_interval_s=60", f"events.profile={PROFILE}", f"history.path={self.history}",
            "mqtt.keepalive_s=5", "audio.stall_s=600",
        )  # fmt: skip
        samples, rate = soundfile.read(STREET, dtype="int16")
        self.street_s = len(samples) / rate
        self._audio, self._chunk = samples.tobytes(), round(2 * rate * _CHUNK_S)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> None:
        command = self._command("run", *self._settings, *more)
        with (self._folder / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--source", "-"], cwd=ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        threading.Thread(target=self._feed, args=(self._process.stdin,), daemon=True).start()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(_PATIENCE_S)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(_PATIENCE_S)

    def forget(self) -> None:
        subprocess.run(self._command("forget", *self._settings, arguments=(NODE,)), cwd=ROOT, check=True)

    def log(self) -> str:
        return (self._folder / "daemon.log").read_text(errors="replace")

    def events(self, kind: str = "start") -> list[tuple[str, bool]]:
        """Return label and whether it was delivered late, of the delivered events in the history."""
        query = "select label, delayed from events where type = ? and delivered_at is not null order by seq"
        with closing(sqlite3.connect(self.history)) as database:
            return [(label, bool(late)) for label, late in database.execute(query, (kind,))]

    def waiting(self) -> int:
        with closing(sqlite3.connect(self.history)) as database:
            return int(
                database.execute("select count(*) from events where delivered_at is null").fetchone()[0]
            )

    def _command(self, name: str, *settings: str, arguments: tuple[str, ...] = ()) -> list[str]:
        return [*MONITOR, name, *arguments, *(word for value in settings for word in ("--set", value))]

    def _feed(self, pipe: Any) -> None:
        began, sent = time.monotonic(), 0
        with suppress(OSError):  # the monitor has ended
            while True:
                place = sent * self._chunk % (len(self._audio) - self._chunk)
                pipe.write(self._audio[place : place + self._chunk])
                pipe.flush()
                sent += 1
                time.sleep(max(0.0, began + sent * _CHUNK_S - time.monotonic()))
