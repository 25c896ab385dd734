"""Plays known sounds over a faint noise into the virtual microphone, and remembers when."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from campaign import STREET
from mosquitto import find
from pulse import PulseServer

RATE = 48000
_CHUNK = RATE // 20
_NOISE_DBFS = -66.0
_PIECES_S = ((3.6, 7.4), (15.0, 17.8), (20.0, 22.6), (25.9, 29.0), (32.6, 36.0), (39.9, 42.3))
"""The sounds of the example street."""
_GAP_S = (3.0, 6.0)
_SERVER_S = 0.3


@dataclass(frozen=True)
class Played:
    """One sound: its first and last sample, seconds of the system clock."""

    began: float
    ended: float


class Player:
    """A thread that feeds ``pacat``, starting it again whenever the sound server is back."""

    def __init__(self, server: PulseServer, seed: int) -> None:
        samples, rate = soundfile.read(STREET, dtype="float32")
        self._pieces = [
            soxr.resample(samples[round(a * rate) : round(b * rate)], rate, RATE) for a, b in _PIECES_S
        ]
        noise = np.random.default_rng(seed).standard_normal(10 * RATE) * 10 ** (_NOISE_DBFS / 20)
        self._noise = noise.astype(np.float32)
        self._chance = random.Random(seed)
        self._server = server
        self._stop = threading.Event()
        self._quiet = threading.Event()
        self.played: list[Played] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def silence(self) -> None:
        """Play noise alone from now on."""
        self._quiet.set()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(20.0)

    def _run(self) -> None:
        command = [find("pacat"), "--playback", "--latency-msec=50", "--rate=48000", "--channels=1"]
        while not self._stop.is_set():
            pacat = subprocess.Popen(
                [*command, "--format=s16le", "-d", "vmic"], env=self._server.environment,
                stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, pipesize=4096,
            )  # fmt: skip
            assert pacat.stdin is not None
            with suppress(BrokenPipeError), pacat.stdin:
                while not self._stop.is_set():
                    self._play(pacat)
            pacat.kill()
            pacat.wait()
            self._stop.wait(_SERVER_S)

    def _play(self, pacat: subprocess.Popen[bytes]) -> None:
        """Play a pause, then a sound."""
        self._write(pacat, np.zeros(round(self._chance.uniform(*_GAP_S) * RATE), np.float32))
        if self._quiet.is_set():
            return
        piece = self._chance.choice(self._pieces)
        began = time.time()
        self._write(pacat, piece)
        self.played.append(Played(began, began + len(piece) / RATE))

    def _write(self, pacat: subprocess.Popen[bytes], samples: np.ndarray) -> None:
        assert pacat.stdin is not None
        for start in range(0, len(samples), _CHUNK):
            if self._stop.is_set():
                return
            chunk = samples[start : start + _CHUNK]
            chunk = chunk + self._noise[(at := start % (len(self._noise) - _CHUNK)) : at + len(chunk)]
            pacat.stdin.write((np.clip(chunk, -1, 1) * 32767).astype("<i2").tobytes())
            pacat.stdin.flush()
