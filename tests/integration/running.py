"""``sound-monitor run`` as a process of its own, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import soundfile
from mosquitto import PATIENCE_S

ROOT = Path(__file__).parents[2]
STREET = ROOT / "examples" / "street.wav"
NODE = "sound-monitor/balcony"

# Every class switches on fast, so that the tests are short; what is right is tested elsewhere.
EAGER = ("enter=0.3", "exit=0.1", "attack_s=0", "smoothing_s=0", "release_s=1")


def piece_of_street(folder: Path, start_s: float, stop_s: float) -> Path:
    """Cut a recording out of the example."""
    samples, rate = soundfile.read(STREET, dtype="int16")
    file = folder / f"street-{start_s:g}-{stop_s:g}.wav"
    soundfile.write(file, samples[round(start_s * rate) : round(stop_s * rate)], rate, subtype="PCM_16")
    return file


class Monitor:
    """A running ``sound-monitor run`` and what it says."""

    def __init__(
        self,
        folder: Path,
        *settings: str,
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] = os.environ,
        stdin: int | IO[Any] = subprocess.DEVNULL,
        fixed: tuple[str, ...] | None = None,
    ) -> None:
        if fixed is None:
            fixed = ("node=balcony", f"history.path={folder / 'history.db'}", "mqtt.discovery=false")
        eager = (f"events.defaults.{setting}" for setting in EAGER)
        sets = [word for setting in (*fixed, *eager, *settings) for word in ("--set", setting)]
        # A folder without a config.yaml: the shipped one holds.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "run", *options, *sets],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder)},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self.printed: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines))
            for stream, lines in ((self.process.stderr, self.said), (self.process.stdout, self.printed))
        ]
        for reader in self._readers:
            reader.start()

    def wait_said(self, words: str) -> None:
        """Wait until a line of stderr holds the words."""
        self._wait_line(self.said, words)

    def wait_printed(self, words: str) -> None:
        """Wait until a line of stdout holds the words."""
        self._wait_line(self.printed, words)

    def wait_printed_after(self, words: str, count: int) -> None:
        """Wait until a line of stdout beyond the first ``count`` holds the words."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: any(words in line for line in self.printed[count:]), PATIENCE_S
            ), self.said

    def wait_end(self) -> int:
        code = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        return code

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait_end()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait_end()

    def _wait_line(self, lines: list[str], words: str) -> None:
        with self._changed:
            there = self._changed.wait_for(lambda: any(words in line for line in lines), PATIENCE_S)
            assert there, f"{words!r} is not in {lines}; stderr: {self.said}"

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
