"""Read raw PCM from a file descriptor into a ring, in a thread: standard input, ffmpeg.

The writer may be live (``arecord``, a camera) or not (``cat``). A writer that is ahead of real
time by half a ring is not live: it has to wait when the ring is full, and nothing is lost. A
writer in real time never waits: when the ring is full, the oldest audio is dropped and counted.
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
"""Capacity of a pipe on Linux."""
_LIVE_PACE = 0.95
"""A live device may run 5 % fast by our clock; the lead of a burst decays at that rate."""
_POLL_S = 0.1
"""Longest delay until a closed reader's thread ends, seconds."""


@dataclass(frozen=True)
class PcmFormat:
    """Format of interleaved PCM without a header.

    Parameters
    ----------
    rate : int
        Sample rate, Hz.
    channels : int
        Number of channels, 1 or more.
    sample_format : str
        Type of the samples; integers are scaled to ±1.
    """

    rate: int
    channels: int
    sample_format: SampleFormat

    @property
    def frame_bytes(self) -> int:
        return np.dtype(_FORMATS[self.sample_format][0]).itemsize * self.channels

    def decode(self, data: bytes) -> Samples:
        """Convert complete frames to float32, shape (n, channels), full scale ±1."""
        dtype, scale = _FORMATS[self.sample_format]
        raw: NDArray[np.generic] = np.frombuffer(data, dtype)
        samples: Samples = raw.astype(np.float32)
        samples *= np.float32(scale)
        return samples.reshape(-1, self.channels)


class PacedWriter:
    """Writes to a ring at the pace of its writer; see the module.

    Parameters
    ----------
    ring : CaptureRing
        Receives the audio.
    rate : int
        Sample rate, Hz.
    closing : threading.Event
        Ends a wait for room when set.
    """

    def __init__(self, ring: CaptureRing, rate: int, closing: threading.Event) -> None:
        self._ring = ring
        self._rate = rate
        self._closing = closing
        self._due = 0.0
        """Monotonic seconds at which a live stream would have delivered the audio so far."""

    def write(self, frames: Samples) -> None:
        """Write to the ring; wait for room first if the stream runs ahead of the clock."""
        now = time.monotonic()
        self._due = max(self._due, now) + len(frames) / self._rate * _LIVE_PACE
        ahead_s = self._due - now
        if ahead_s > self._ring.capacity / self._rate / 2:
            while not self._ring.wait_for_room(len(frames), _POLL_S):
                if self._closing.is_set():
                    return
            self._due = time.monotonic() + ahead_s
        self._ring.write(frames, time.monotonic())


class PcmReader:
    """Reads ``fd`` to its end into :attr:`ring`; the caller closes ``fd``.

    Parameters
    ----------
    fd : int
        Readable file descriptor of a pipe, a socket or a file.
    pcm : PcmFormat
        Format of the samples.
    buffer_s : float
        Seconds of audio that the ring holds.
    """

    def __init__(self, fd: int, pcm: PcmFormat, buffer_s: float) -> None:
        self._fd = fd
        self._pcm = pcm
        self.ring = CaptureRing(max(1, round(buffer_s * pcm.rate)), pcm.channels, pcm.rate)
        self._closing = threading.Event()
        self._writer = PacedWriter(self.ring, pcm.rate, self._closing)
        self._thread = threading.Thread(target=self._read, name="pcm reader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading; audio that was read stays in the ring."""
        self._closing.set()
        self._thread.join()

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        # At most half the ring, so that there can be room for it.
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
                self._writer.write(self._pcm.decode(data[:whole]))
