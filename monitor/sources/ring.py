"""The ring buffer between a live source and its reader."""

from __future__ import annotations

import threading

import numpy as np

from monitor.records import AudioBlock, Samples


class CaptureRing:
    """Keeps the newest samples of a live stream; overwrites the oldest and counts them.

    One thread writes and one reads. Each holds the lock for one copy; the writer does not allocate.

    Parameters
    ----------
    capacity : int
        Number of frames to hold, 1 or more (a frame is one sample of each channel).
    channels : int
        Number of channels, 1 or more.
    rate : int
        Frames per second, Hz; used to compute the age of samples before the newest.
    """

    def __init__(self, capacity: int, channels: int, rate: int) -> None:
        if min(capacity, channels, rate) < 1:
            raise ValueError(f"capacity {capacity}, channels {channels}, rate {rate}: must be 1 or more")
        self._frames = np.zeros((capacity, channels), np.float32)
        self._rate = rate
        self._changed = threading.Condition()
        self._written = 0
        self._read = 0
        self._arrived = 0.0
        self._ended: str | None = None
        self.dropped = 0
        """Frames that were overwritten before they were read; positions jump over them."""

    @property
    def capacity(self) -> int:
        return len(self._frames)

    @property
    def ended(self) -> str | None:
        """Why the writer has ended; None while it may write."""
        return self._ended

    def write(self, frames: Samples, arrived: float) -> None:
        """Append frames, shape (n, channels); the last one arrived at ``arrived``, monotonic seconds."""
        capacity = len(self._frames)
        count = len(frames)
        kept = frames[-capacity:]
        with self._changed:
            start = (self._written + count - len(kept)) % capacity
            first = min(len(kept), capacity - start)
            self._frames[start : start + first] = kept[:first]
            self._frames[: len(kept) - first] = kept[first:]
            self._written += count
            self._arrived = arrived
            overwritten = self._written - capacity - self._read
            if overwritten > 0:
                self._read += overwritten
                self.dropped += overwritten
            self._changed.notify_all()

    def end(self, reason: str) -> None:
        """Mark the writer as ended; the rest of the ring can still be read. The first reason is kept."""
        with self._changed:
            if self._ended is None:
                self._ended = reason
            self._changed.notify_all()

    def read(self, max_frames: int, timeout_s: float) -> AudioBlock | None:
        """Remove and return the oldest frames, at most ``max_frames``; wait up to ``timeout_s`` for any.

        Returns None on timeout. Samples have the shape (n,) for one channel, else (n, channels),
        and belong to the caller.
        """
        capacity = len(self._frames)
        with self._changed:
            self._changed.wait_for(lambda: self._written > self._read or self._ended is not None, timeout_s)
            count = min(self._written - self._read, max_frames)
            if count <= 0:
                return None
            start = self._read % capacity
            first = min(count, capacity - start)
            samples = np.empty((count, self._frames.shape[1]), np.float32)
            samples[:first] = self._frames[start : start + first]
            samples[first:] = self._frames[: count - first]
            position = self._read
            self._read += count
            arrived = self._arrived - (self._written - self._read) / self._rate
            self._changed.notify_all()
        return AudioBlock(samples[:, 0] if samples.shape[1] == 1 else samples, position, arrived)

    def wait_for_room(self, frames: int, timeout_s: float) -> bool:
        """Wait until ``frames`` can be written without loss; return False on timeout."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._written - self._read + frames <= len(self._frames), timeout_s
            )
