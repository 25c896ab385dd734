"""Read blocks from a ring buffer until the live source is lost or the monitor stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.health.liveness import Liveness
from monitor.records import AudioBlock
from monitor.sources.base import SourceLost, SourceSilent
from monitor.sources.ring import CaptureRing

_POLL_S = 0.1
"""Longest delay until ``stop`` takes effect, seconds."""
_BLOCK_S = 0.5
"""Longest block, seconds: a reader that catches up still checks ``stop`` often enough."""


@dataclass(frozen=True)
class Patience:
    """Time limits after which a live source counts as lost.

    Parameters
    ----------
    stall_s : float
        Seconds without audio.
    silence_s : float
        Seconds of exact zeros.
    start_s : float
        Seconds without audio after opening.
    """

    stall_s: float = 3.0
    silence_s: float = 10.0
    start_s: float = 5.0


def live_blocks(
    ring: CaptureRing, rate: int, patience: Patience, stop: threading.Event
) -> Iterator[AudioBlock]:
    """Yield audio from the ring as it arrives; return when ``stop`` is set.

    Raises
    ------
    SourceLost
        If the writer ended (what it wrote is yielded first) or stalls.
    SourceSilent
        If it writes zeros only.
    """
    liveness = Liveness(
        stall_s=patience.stall_s,
        silence_s=patience.silence_s,
        start_s=patience.start_s,
        now=time.monotonic(),
    )
    max_frames = max(1, round(_BLOCK_S * rate))
    while not stop.is_set():
        ended = ring.ended  # checked before read(), which then sees all that was written before the end
        block = ring.read(max_frames, _POLL_S)
        # Taken before the block is yielded: a slow reader is not the source's fault.
        now = time.monotonic()
        if block is not None:
            liveness.feed(now, not block.samples.any())
            yield block
        elif ended is not None:
            raise SourceLost(ended)
        if reason := liveness.stalled(now):
            raise SourceLost(reason)
        if reason := liveness.silent(now):
            raise SourceSilent(reason)
