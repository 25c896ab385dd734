"""State of the audio path: written by the audio thread and read by the thread that reports it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_WEIGHT = 1 / 8
"""Weight of the newest hop in the running averages, which therefore span about eight hops."""


@dataclass(frozen=True)
class SourceState:
    """Whether audio is coming in from a source.

    Parameters
    ----------
    state : Literal['starting', 'listening', 'lost', 'off']
        State of the source; ``off`` means deliberately switched off.
    reason : str or None
        Why the source is lost or off.
    """

    state: Literal["starting", "listening", "lost", "off"]
    reason: str | None = None


class Vitals:
    """The state of the audio path; one thread writes, any thread reads.

    Parameters
    ----------
    monotonic : Callable[[], float]
        Monotonic clock, seconds.
    name : str or None
        Name of the node, to tell it from the others of its process; None if it is the only one.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, *, name: str | None = None) -> None:
        self.prefix = "" if name is None else f"{name}: "
        """Begins every line about this audio path."""
        self._monotonic = monotonic
        self._began = self._beat = monotonic()
        self.source = SourceState("starting")
        self.dropped_s = 0.0
        """Seconds of audio lost since the start because the machine was too slow."""
        self.overflows = 0
        """Losses since the start that the driver reported, without saying how long they were."""
        self.inference_s: float | None = None
        """Running average of the model's time per hop, seconds."""
        self.delay_s: float | None = None
        """Running average of the age of the audio at the time of the decision, seconds."""

    @property
    def uptime_s(self) -> float:
        return self._monotonic() - self._began

    @property
    def idle_s(self) -> float:
        """Seconds since the last :meth:`beat` of the audio path."""
        return self._monotonic() - self._beat

    def beat(self) -> None:
        """Record that the audio path is working, or waiting for a source as expected."""
        self._beat = self._monotonic()

    def on_inference(self, took_s: float) -> None:
        self.inference_s = _of_late(self.inference_s, took_s)

    def on_hop(self, delay_s: float) -> None:
        self.beat()
        self.delay_s = _of_late(self.delay_s, delay_s)


def _of_late(before: float | None, newest: float) -> float:
    return newest if before is None else before + _WEIGHT * (newest - before)
