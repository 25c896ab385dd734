"""What all live sources share: from a ring to blocks, until the source is lost or the monitor stops."""

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
"""Longest time until a set ``stop`` is seen."""
_BLOCK_S = 0.5
"""Longest block: a reader that catches up still comes by often enough to be stopped."""


@dataclass(frozen=True)
class Patience:
    """How long a live source may be quiet before it counts as lost, in seconds.

    stall_s : without audio
    silence_s : with exact zeros only
    start_s : without audio after it was opened
    """

    stall_s: float = 3.0
    silence_s: float = 10.0
    start_s: float = 5.0


def live_blocks(
    ring: CaptureRing, rate: int, patience: Patience, stop: threading.Event
) -> Iterator[AudioBlock]:
    """Yield what the ring holds as soon as it is there; return when ``stop`` is set.

    Raises
    ------
    SourceLost : the writer ended (what it wrote is yielded first) or stalls
    SourceSilent : it writes zeros only
    """
    liveness = Liveness(
        stall_s=patience.stall_s,
        silence_s=patience.silence_s,
        start_s=patience.start_s,
        now=time.monotonic(),
    )
    max_frames = max(1, round(_BLOCK_S * rate))
    while not stop.is_set():
        ended = ring.ended  # asked first: what is written before the end is then seen by read()
        block = ring.read(max_frames, _POLL_S)
        # Taken before the block is handed on: a slow reader is no fault of the source.
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
