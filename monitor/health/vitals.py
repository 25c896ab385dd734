"""How the audio path is: written by its own thread, read by the one that tells others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_WEIGHT = 1 / 8
"""Of the newest hop in the figures "of late": they follow within about eight hops."""


@dataclass(frozen=True)
class Hearing:
    """Whether a source is heard.

    Parameters
    ----------
    microphone : Literal['starting', 'listening', 'lost', 'off']
        ``off`` on purpose.
    reason : str or None
        Why it is lost or off.
    """

    microphone: Literal["starting", "listening", "lost", "off"]
    reason: str | None = None


class Vitals:
    """The state of the audio path; one thread writes, any thread reads.

    Parameters
    ----------
    monotonic : Callable[[], float]
        Clock, seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began = self._beat = monotonic()
        self.hearing = Hearing("starting")
        self.dropped_s = 0.0
        """Audio lost since the start because the machine was too slow."""
        self.inference_s: float | None = None
        """Of late: the model's time a hop."""
        self.delay_s: float | None = None
        """Of late: age of the audio when it was decided on."""

    @property
    def uptime_s(self) -> float:
        return self._monotonic() - self._began

    @property
    def idle_s(self) -> float:
        """Seconds since the audio path last gave a sign of life."""
        return self._monotonic() - self._beat

    def beat(self) -> None:
        """The audio path is at work, or waits for a source as it should."""
        self._beat = self._monotonic()

    def on_inference(self, took_s: float) -> None:
        self.inference_s = _of_late(self.inference_s, took_s)

    def on_hop(self, delay_s: float) -> None:
        self.beat()
        self.delay_s = _of_late(self.delay_s, delay_s)


def _of_late(before: float | None, newest: float) -> float:
    return newest if before is None else before + _WEIGHT * (newest - before)
