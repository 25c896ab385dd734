"""Is there still audio? Pure: time comes in as an argument, seconds of one monotonic clock.

A dead microphone rarely raises an error. It stops calling back, or it delivers exact
zeros for ever (muted, unplugged behind a sound server that goes on). Both are told by
age alone:

    age of the last block        ≥ stall_s (start_s before the first)  → "no audio for …"
    age of the last other than 0 ≥ silence_s                            → "digital silence for …"

Real microphones, also in a quiet room, never deliver exact zeros for seconds: the
converter's own noise moves the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass


class Liveness:
    """Tells when a live source must be taken as lost.

    Parameters
    ----------
    stall_s : seconds without a block, above 0
    silence_s : seconds of exact zeros, above 0
    start_s : seconds allowed for the first block (a sound server wakes up, a camera connects)
    now : when the source was opened
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
        """A block came; ``all_zero`` if every sample of it is exactly 0."""
        self._heard = now
        self._limit_s = self._stall_s
        if not all_zero or self._sounded is None:
            self._sounded = now

    def stalled(self, now: float) -> str | None:
        """Return for how long nothing came, in a few words, once that is too long."""
        if now - self._heard >= self._limit_s:
            return f"no audio for {self._limit_s:g} s"
        return None

    def silent(self, now: float) -> str | None:
        """Return for how long only zeros came, once that is too long."""
        if self._sounded is not None and now - self._sounded >= self._silence_s:
            return f"digital silence for {self._silence_s:g} s"
        return None


@dataclass
class Backoff:
    """How long to wait before the next attempt: first_s, twice that, … at most cap_s."""

    first_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 30.0

    def __post_init__(self) -> None:
        if not (0 < self.first_s <= self.cap_s and self.factor >= 1):
            raise ValueError(f"{self}: must have 0 < first_s <= cap_s and factor >= 1")
        self._next_s = self.first_s

    def next_s(self) -> float:
        """Seconds to wait now; the next answer is longer."""
        wait_s = self._next_s
        self._next_s = min(wait_s * self.factor, self.cap_s)
        return wait_s

    def reset(self) -> None:
        """The attempt succeeded."""
        self._next_s = self.first_s
