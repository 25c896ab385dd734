"""Soundscapes, a listener that is told the truth, and a small waveform model for the monitor."""

from __future__ import annotations

from collections.abc import Sequence

from training.mixing.soundscapes import Soundscape
from training.stream_eval.replayed import Detections, Event


def told(scapes: Sequence[Soundscape], late_s: float = 0.0) -> Detections:
    """Report every sound at its true times, decided ``late_s`` after its onset."""
    events = tuple(
        tuple(Event(t.label, t.onset_s, t.offset_s, t.onset_s + late_s) for t in scape.truths)
        for scape in scapes
    )
    return Detections(events, tuple(scape.seconds for scape in scapes))
