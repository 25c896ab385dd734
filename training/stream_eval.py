"""How well a monitor listens to soundscapes: F1 of events and segments, PSDS, recall, delays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data import CLASSES
from training.soundscapes import Soundscape, Truth
from training.stream_hearing import Event, Heard, Hops, Profile
from training.stream_psds import psds, table

ONSET_COLLAR_S = 0.5
LENGTH_SHARE = 0.5
SEGMENT_S = 1.0
MOVES = (-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)
"""By how much all thresholds are moved, in log-odds, to draw recall against false alarms."""
_LATE_S = 2.0
"""A decision that comes so long after the sound's end still tells of it."""


@dataclass(frozen=True)
class ClassFigures:
    """One class on soundscapes.

    onset_f1 : onsets within 0.5 s; event_f1 : and ends within 0.5 s or half the length; segment_f1 : of 1 s
    delays_s : from true onset to decision, of the sounds heard
    recordings : of each recording, how many of its sounds were heard, and how many there are
    """

    label: str
    sounds: int
    heard: int
    onset_f1: float
    event_f1: float
    segment_f1: float
    delays_s: tuple[float, ...]
    recordings: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class SceneFigures:
    """One profile on soundscapes: a row per class that occurs, and all classes together.

    micro : F1 over all events or segments alike, by the name of the measure
    psds : by scenario; empty where it cannot be computed
    curve : thresholds moved by so much, sounds heard then, sounds
    """

    classes: tuple[ClassFigures, ...]
    micro: Mapping[str, float]
    psds: Mapping[str, float]
    curve: tuple[tuple[float, int, int], ...]

    def macro(self, measure: str) -> float:
        """Mean over the classes of ``onset_f1``, ``event_f1`` or ``segment_f1``."""
        return float(np.mean([getattr(row, measure) for row in self.classes]))

    @property
    def delays_s(self) -> tuple[float, ...]:
        return tuple(delay for row in self.classes for delay in row.delays_s)


def judge(scapes: Sequence[Soundscape], streams: Sequence[Hops], profile: Profile) -> SceneFigures:
    """Everything that is asked of one profile on the soundscapes whose hops are ``streams``."""
    heard = profile.heard(streams)
    classes, micro = scene_figures(scapes, heard)
    labels = [row.label for row in classes]
    tables = [table(hops, profile, labels) for hops in streams]
    curve = []
    for moved in MOVES:
        found = _delays(scapes, profile.heard(streams, moved))
        told = [delay is not None for delays in found.values() for _, delay in delays]
        curve.append((moved, sum(told), len(told)))
    return SceneFigures(tuple(classes), micro, psds(scapes, tables, labels), tuple(curve))


def scene_figures(scapes: Sequence[Soundscape], heard: Heard) -> tuple[list[ClassFigures], dict[str, float]]:
    """Score by sed_eval; return a row per class that occurs, and each measure over all classes alike."""
    measures = _sed_eval(scapes, heard)
    figures = [
        _class_figures(label, found, {name: _f1(m, label) for name, m in measures.items()})
        for label, found in _delays(scapes, heard).items()
    ]
    micro = {name: _number(m.results_overall_metrics()) for name, m in measures.items()}
    return figures, micro


def _class_figures(
    label: str, found: Sequence[tuple[Truth, float | None]], f1: Mapping[str, float]
) -> ClassFigures:
    recordings: dict[str, tuple[int, int]] = {}
    for truth, delay in found:
        heard, sounds = recordings.get(truth.recording, (0, 0))
        recordings[truth.recording] = (heard + (delay is not None), sounds + 1)
    delays = tuple(delay for _, delay in found if delay is not None)
    return ClassFigures(label, len(found), len(delays), **f1, delays_s=delays, recordings=recordings)


def _delays(scapes: Sequence[Soundscape], heard: Heard) -> dict[str, list[tuple[Truth, float | None]]]:
    """The sounds of each class that occurs, with the delay of their decision; None = not heard."""
    found: dict[str, list[tuple[Truth, float | None]]] = {label: [] for label in CLASSES}
    for scape, events in zip(scapes, heard.events, strict=True):
        for truth in scape.truths:
            delay = _delay(truth.label, truth.onset_s, truth.offset_s, events)
            found[truth.label].append((truth, delay))
    return {label: sounds for label, sounds in found.items() if sounds}


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


def _sed_eval(scapes: Sequence[Soundscape], heard: Heard) -> dict[str, Any]:
    from sed_eval.sound_event import EventBasedMetrics, SegmentBasedMetrics

    labels = list(CLASSES)
    onset = EventBasedMetrics(labels, t_collar=ONSET_COLLAR_S, evaluate_onset=True, evaluate_offset=False)
    both = EventBasedMetrics(
        labels, t_collar=ONSET_COLLAR_S, percentage_of_length=LENGTH_SHARE, evaluate_onset=True,
        evaluate_offset=True,
    )  # fmt: skip
    segment = SegmentBasedMetrics(labels, time_resolution=SEGMENT_S)
    for scape, events in zip(scapes, heard.events, strict=True):
        truth = [_row(scape.name, t.label, t.onset_s, t.offset_s) for t in scape.truths]
        found = [_row(scape.name, e.label, e.onset_s, max(e.offset_s, e.onset_s + 0.01)) for e in events]
        onset.evaluate(truth, found)
        both.evaluate(truth, found)
        segment.evaluate(truth, found, evaluated_length_seconds=scape.seconds)
    return {"onset_f1": onset, "event_f1": both, "segment_f1": segment}


def _row(name: str, label: str, onset_s: float, offset_s: float) -> dict[str, object]:
    return {"file": name, "event_label": label, "onset": onset_s, "offset": offset_s}


def _f1(metrics: Any, label: str) -> float:
    return _number(metrics.results_class_wise_metrics()[label])


def _number(results: Mapping[str, Any]) -> float:
    value = results["f_measure"]["f_measure"]
    return 0.0 if value is None or np.isnan(value) else float(value)
