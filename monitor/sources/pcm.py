"""Raw PCM out of a file descriptor, read by a thread into a ring: standard input, ffmpeg.

The writer at the other end may be live (``arecord``, a camera) or not (``cat``). The clock
tells them apart: what runs ahead of real time by half a ring is not live, and its writer is
held back when the ring is full, so nothing is lost; what comes in real time is never held
back, and when the ring is full the oldest goes, counted.
"""

from __future__ import annotations

import os
import select
import threading
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitor.records import Samples
from monitor.sources.ring import CaptureRing

SampleFormat = Literal["s16le", "s32le", "f32le"]

_FORMATS: dict[str, tuple[str, float]] = {
    "s16le": ("<i2", 1 / 2**15),
    "s32le": ("<i4", 1 / 2**31),
    "f32le": ("<f4", 1.0),
}
_CHUNK_BYTES = 65536
"""What a pipe holds on Linux."""
_LIVE_PACE = 0.95
"""A live device may run 5 % fast by our clock, and what came in a burst is forgotten at that rate."""
_POLL_S = 0.1
"""Longest time until a reader that was told to close is gone."""


@dataclass(frozen=True)
class PcmFormat:
    """rate : Hz; channels : interleaved, 1 or more; sample_format : integers are full scale at ±1"""

    rate: int
    channels: int
    sample_format: SampleFormat

    @property
    def frame_bytes(self) -> int:
        return np.dtype(_FORMATS[self.sample_format][0]).itemsize * self.channels

    def decode(self, data: bytes) -> Samples:
        """Whole frames to float32, shape (n, channels), full scale ±1."""
        dtype, scale = _FORMATS[self.sample_format]
        raw: NDArray[np.generic] = np.frombuffer(data, dtype)
        samples: Samples = raw.astype(np.float32)
        samples *= np.float32(scale)
        return samples.reshape(-1, self.channels)


class PcmReader:
    """Reads ``fd`` until its end into :attr:`ring`; whoever opened ``fd`` closes it.

    Parameters
    ----------
    fd : readable; a pipe, a socket or a file
    buffer_s : seconds that the ring keeps
    """

    def __init__(self, fd: int, pcm: PcmFormat, buffer_s: float) -> None:
        self._fd = fd
        self._pcm = pcm
        self.ring = CaptureRing(max(1, round(buffer_s * pcm.rate)), pcm.channels, pcm.rate)
        self._due = 0.0
        """Monotonic seconds at which a live stream would have brought what came so far."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, name="pcm reader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading; what was read stays in the ring."""
        self._closing.set()
        self._thread.join()

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        # Half the ring at most, so that there can be room for it.
        frames = max(1, min(_CHUNK_BYTES // self._pcm.frame_bytes, self.ring.capacity // 2))
        rest = b""
        while not self._closing.is_set():
            if not poll.poll(_POLL_S * 1000):
                continue
            data = os.read(self._fd, frames * self._pcm.frame_bytes - len(rest))
            if not data:
                self.ring.end("the stream ended")
                return
            data = rest + data
            whole = len(data) - len(data) % self._pcm.frame_bytes
            rest = data[whole:]
            if whole:
                self._hand_on(self._pcm.decode(data[:whole]))

    def _hand_on(self, frames: Samples) -> None:
        """Write to the ring; wait for room first if the stream runs ahead of the clock."""
        rate = self._pcm.rate
        now = time.monotonic()
        self._due = max(self._due, now) + len(frames) / rate * _LIVE_PACE
        ahead_s = self._due - now
        if ahead_s > self.ring.capacity / rate / 2:
            while not self.ring.wait_for_room(len(frames), _POLL_S):
                if self._closing.is_set():
                    return
            self._due = time.monotonic() + ahead_s
        self.ring.write(frames, time.monotonic())
