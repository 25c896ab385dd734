"""How well a monitor listens: soundscapes and plain backgrounds through its own replay path."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monitor.assembly import Assembly
from monitor.errors import AudioError
from monitor.records import EventRecord, HopResult
from monitor.replay import Replay, ReplayOptions
from monitor.tuning.poisson import interval
from training.data import CLASSES, Clip
from training.errors import DataError
from training.soundscapes import Soundscape

ONSET_COLLAR_S = 0.5
SEGMENT_S = 1.0
_LATE_S = 2.0
"""A decision that comes so long after the sound's end still tells of it."""


class _Collector:
    """Keeps the records of each file."""

    def __init__(self) -> None:
        self.records: dict[str, list[EventRecord]] = {}
        self.seconds: dict[str, float] = {}

    def on_file(self, file: str, duration_s: float | None) -> None:
        self.records[file], self.seconds[file] = [], 0.0

    def on_hop(self, file: str, hop: HopResult) -> None:
        self.seconds[file] = hop.time_s

    def on_record(self, record: EventRecord) -> None:
        self.records[str(record.file)].append(record)


@dataclass(frozen=True)
class Event:
    """What the monitor reported: a label's on and off as it estimates them, and when it decided."""

    label: str
    onset_s: float
    offset_s: float
    decided_s: float


@dataclass(frozen=True)
class Heard:
    """The events of each file, and its length in seconds."""

    events: tuple[tuple[Event, ...], ...]
    seconds: tuple[float, ...]


def listen(assembly: Assembly, files: Sequence[Path]) -> Heard:
    """Replay the files.

    Raises
    ------
    DataError : a file cannot be read
    """
    collector = _Collector()
    options = ReplayOptions(node="stream-eval", deterministic=True)
    failed: list[AudioError] = []
    Replay(assembly, options, [collector], threading.Event()).run(files, failed.append)
    if failed:
        raise DataError(str(failed[0]))
    events = tuple(_events(collector.records[str(file)]) for file in files)
    return Heard(events, tuple(collector.seconds[str(file)] for file in files))


def _events(records: Sequence[EventRecord]) -> tuple[Event, ...]:
    ends = {record.event_id: record.end_s for record in records if record.type == "end"}
    return tuple(
        Event(r.label, r.start_s, max(float(ends[r.event_id] or 0.0), r.start_s), r.start_s + r.delay_s)
        for r in records
        if r.type == "start"
    )


@dataclass(frozen=True)
class ClassFigures:
    """One class on soundscapes: F1 by onsets and by segments, sounds heard, delays of the decisions."""

    label: str
    sounds: int
    heard: int
    onset_f1: float
    segment_f1: float
    delays_s: tuple[float, ...]


def scene_figures(scapes: Sequence[Soundscape], heard: Heard) -> list[ClassFigures]:
    """Score by sed_eval (onsets within 0.5 s; segments of 1 s); a row per class that occurs."""
    onset, segment = _sed_eval(scapes, heard)
    figures = []
    for label in CLASSES:
        delays = [_delay(label, t.onset_s, t.offset_s, events) for t, events in _truths(scapes, heard, label)]
        if not delays:
            continue
        figures.append(
            ClassFigures(
                label,
                len(delays),
                sum(delay is not None for delay in delays),
                _f1(onset, label),
                _f1(segment, label),
                tuple(delay for delay in delays if delay is not None),
            )
        )
    return figures


def _truths(scapes: Sequence[Soundscape], heard: Heard, label: str) -> list[tuple[Any, tuple[Event, ...]]]:
    pairs = zip(scapes, heard.events, strict=True)
    return [(truth, events) for scape, events in pairs for truth in scape.truths if truth.label == label]


def _delay(label: str, onset_s: float, offset_s: float, events: Sequence[Event]) -> float | None:
    """Seconds from the sound's onset to the first decision for its class while it could tell of it.

    An event that was on already when the sound began tells of it too, at once.
    """
    for event in events:
        if event.label != label or event.decided_s > offset_s + _LATE_S:
            continue
        if event.decided_s > onset_s:
            return event.decided_s - onset_s
        if event.offset_s > onset_s:
            return 0.0
    return None


def _sed_eval(scapes: Sequence[Soundscape], heard: Heard) -> tuple[Any, Any]:
    import sed_eval

    onset = sed_eval.sound_event.EventBasedMetrics(
        list(CLASSES), t_collar=ONSET_COLLAR_S, evaluate_onset=True, evaluate_offset=False
    )
    segment = sed_eval.sound_event.SegmentBasedMetrics(list(CLASSES), time_resolution=SEGMENT_S)
    for scape, events in zip(scapes, heard.events, strict=True):
        truth = [_row(scape.name, t.label, t.onset_s, t.offset_s) for t in scape.truths]
        found = [_row(scape.name, e.label, e.onset_s, max(e.offset_s, e.onset_s + 0.01)) for e in events]
        onset.evaluate(truth, found)
        segment.evaluate(truth, found, evaluated_length_seconds=scape.seconds)
    return onset, segment


def _row(name: str, label: str, onset_s: float, offset_s: float) -> dict[str, object]:
    return {"file": name, "event_label": label, "onset": onset_s, "offset": offset_s}


def _f1(metrics: Any, label: str) -> float:
    value = metrics.results_class_wise_metrics()[label]["f_measure"]["f_measure"]
    return 0.0 if value is None or np.isnan(value) else float(value)


@dataclass(frozen=True)
class Alarms:
    """False alarms on a kind of background."""

    kind: str
    hours: float
    count: int
    by_label: Mapping[str, int]

    @property
    def per_hour(self) -> tuple[float, float, float]:
        """The rate and its exact 95 % interval."""
        low, high = interval(self.count)
        return self.count / self.hours, low / self.hours, high / self.hours


def alarm_figures(clips: Sequence[Clip], heard: Heard) -> list[Alarms]:
    """Count the events on plain backgrounds, kind by kind, all together last."""
    rows = []
    for kind in [*dict.fromkeys(clip.label for clip in clips), "all"]:
        mine = [i for i, clip in enumerate(clips) if kind in (clip.label, "all")]
        labels = [event.label for i in mine for event in heard.events[i]]
        hours = sum(heard.seconds[i] for i in mine) / 3600
        rows.append(
            Alarms(kind, hours, len(labels), {label: labels.count(label) for label in sorted(set(labels))})
        )
    return rows
