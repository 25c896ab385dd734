"""Decide whether a live source still delivers audio. Pure: times are arguments, monotonic seconds.

A dead microphone rarely raises an error. It stops calling back, or it delivers exact zeros
indefinitely (muted, or unplugged behind a sound server that keeps running). Both are detected by
age alone:

    age of the last block        ≥ stall_s (start_s before the first)  → "no audio for …"
    age of the last other than 0 ≥ silence_s                            → "digital silence for …"

Real microphones never deliver exact zeros for seconds, even in a quiet room: the converter's own
noise changes the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass


class Liveness:
    """Decides when a live source counts as lost.

    Parameters
    ----------
    stall_s : float
        Seconds without a block, above 0.
    silence_s : float
        Seconds of exact zeros, above 0.
    start_s : float
        Seconds allowed until the first block (a sound server wakes, a camera connects).
    now : float
        Time at which the source was opened.
    """

    def __init__(self, *, stall_s: float, silence_s: float, start_s: float, now: float) -> None:
        if min(stall_s, silence_s, start_s) <= 0:
            raise ValueError(f"stall_s {stall_s}, silence_s {silence_s}, start_s {start_s}: must be above 0")
        self._stall_s = stall_s
        self._silence_s = silence_s
        self._limit_s = max(start_s, stall_s)
        self._heard = now
        self._sounded: float | None = None

    def feed(self, now: float, all_zero: bool) -> None:
        """Note that a block arrived; ``all_zero`` if all of its samples are exactly 0."""
        self._heard = now
        self._limit_s = self._stall_s
        if not all_zero or self._sounded is None:
            self._sounded = now

    def stalled(self, now: float) -> str | None:
        """Return the reason once there has been no audio for too long, else None."""
        if now - self._heard >= self._limit_s:
            return f"no audio for {self._limit_s:g} s"
        return None

    def silent(self, now: float) -> str | None:
        """Return the reason once there have been only zeros for too long, else None."""
        if self._sounded is not None and now - self._sounded >= self._silence_s:
            return f"digital silence for {self._silence_s:g} s"
        return None


@dataclass
class Backoff:
    """Delays between attempts: ``first_s``, twice that, and so on, at most ``cap_s``."""

    first_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 30.0

    def __post_init__(self) -> None:
        if not (0 < self.first_s <= self.cap_s and self.factor >= 1):
            raise ValueError(f"{self}: must have 0 < first_s <= cap_s and factor >= 1")
        self._next_s = self.first_s

    def next_s(self) -> float:
        """Return the seconds to wait now and increase the next delay."""
        wait_s = self._next_s
        self._next_s = min(wait_s * self.factor, self.cap_s)
        return wait_s

    def reset(self) -> None:
        """Start again with ``first_s`` after a success."""
        self._next_s = self.first_s
