"""The real monitor, which listens to the example street in real time, over and over."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
import time
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from campaign import MONITOR, ROOT, STREET

NODE = "home"
DAY = "yard"
"""The node whose day is replayed."""
PROFILE = "sensitive"
_CHUNK_S = 0.1
_BARK_S = (37.5, 43.5)
"""The part of the street that holds one bark."""
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

    def forget(self, node: str) -> None:
        subprocess.run(self._command("forget", *self._settings, arguments=(node,)), cwd=ROOT, check=True)

    def day(self, barks: int, notices: int) -> Path:
        """Replay a day with so many barks, spread over its hours, as another node; return its history.

        Parameters
        ----------
        notices : int
            Limit of notices a day.
        """
        samples, rate = soundfile.read(STREET, dtype="int16")
        bark = samples[round(_BARK_S[0] * rate) : round(_BARK_S[1] * rate)]
        midnight = datetime(2026, 5, 1).timestamp()
        recordings = self._folder / "day"
        recordings.mkdir()
        for hour in range(24):
            count = barks // 24 + (hour < barks % 24)
            file = recordings / f"{hour:02}.wav"
            soundfile.write(file, np.tile(bark, count), rate, subtype="PCM_16")
            # A recording ends at the time of its file.
            ended = midnight + 3600 * hour + 3000
            os.utime(file, (ended, ended))
        history = self._folder / "day.db"
        policy = f"notices.classes.dog_bark={{per_day: {notices}}}"
        command = self._command("replay", *self._settings, policy, arguments=(str(recordings),))
        command += ["--mqtt", "--states", "--node", DAY, "--history", str(history)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return history

    def announce_day(self) -> None:
        """Announce the node of :meth:`day`, with a second of silence."""
        silence = self._folder / "silence.wav"
        soundfile.write(silence, np.zeros(16000, np.int16), 16000)
        command = self._command("replay", *self._settings, arguments=(str(silence),))
        subprocess.run(
            [*command, "--mqtt", "--states", "--node", DAY], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )

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
