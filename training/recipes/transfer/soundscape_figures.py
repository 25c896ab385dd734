"""Events of held-out soundscapes, judged by sed_eval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from monitor.events.tracker import EventTracker
from monitor.records import Decision
from monitor.settings import ClassSettings
from training.data.corpora import LABELS
from training.mixing.soundscapes import Soundscape, Truth
from training.mixing.streams import Scored
from training.stream_eval.judge import StreamClassFigures, scene_figures
from training.stream_eval.replayed import Detections, Event

_RATE = 16_000
"""Of positions; any rate of which a hop is a whole number of samples would do."""


def soundscape_figures(
    streams: Sequence[Scored], settings: Mapping[str, ClassSettings]
) -> tuple[StreamClassFigures, ...]:
    """Return a row per class that occurs."""
    scapes = [_scape(stream) for stream in streams]
    heard = Detections(
        tuple(_events(stream, settings) for stream in streams),
        tuple(float(stream.times_s[-1]) for stream in streams),
    )
    return tuple(scene_figures(scapes, heard)[0])


def _scape(stream: Scored) -> Soundscape:
    truths = tuple(Truth(label, onset_s, offset_s, 0.0, "") for label, onset_s, offset_s in stream.truths)
    return Soundscape(
        stream.name, np.zeros(round(float(stream.times_s[-1]) * _RATE), np.float32), truths, _RATE
    )


def _events(stream: Scored, settings: Mapping[str, ClassSettings]) -> tuple[Event, ...]:
    hop = round(stream.hop_s * _RATE)
    tracker = EventTracker(LABELS, settings, rate=_RATE, hop=hop)
    decisions: list[Decision] = []
    for row, (scores, level) in enumerate(zip(stream.scores, stream.levels, strict=True)):
        decisions += tracker.push((row + 1) * hop, scores, level)
    decisions += tracker.close(len(stream.scores) * hop, "stopped")
    ends = {one.key: one.end_pos for one in decisions if one.type == "end"}
    return tuple(
        Event(
            one.label,
            one.start_pos / _RATE,
            max(ends[one.key] or 0, one.start_pos) / _RATE,
            one.decided_pos / _RATE,
        )
        for one in decisions
        if one.type == "start"
    )
