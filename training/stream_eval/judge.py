"""Detection figures on soundscapes: F1 of events and segments, PSDS, recall, delays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from monitor.settings import ClassSettings
from training.data.corpora import CLASSES
from training.mixing.soundscapes import RATE, Soundscape, Truth
from training.mixing.streams import Scored
from training.stream_eval.psds import psds, table
from training.stream_eval.replayed import Detections, Event, Hops, Profile, scored_events

ONSET_COLLAR_S = 0.5
LENGTH_SHARE = 0.5
SEGMENT_S = 1.0
TOGETHER_S = 1.0
"""Least overlap of a pair, both sounds of which should be detected."""
MOVES = (-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)
"""Shifts of all thresholds in log-odds, for the curve of recall over false alarms."""
_LATE_S = 2.0
"""Latest decision after a sound's offset that still counts as its detection."""


@dataclass(frozen=True)
class StreamClassFigures:
    """Figures of one class on soundscapes.

    Parameters
    ----------
    onset_f1
        F1 of onsets within 0.5 s.
    event_f1
        F1 of onsets within 0.5 s and offsets within 0.5 s or half the length.
    segment_f1
        F1 of segments of 1 s.
    delays_s
        Seconds from true onset to decision, for sounds detected by an event of their own.
    recordings
        For each recording, how many of its sounds were detected, and how many there are.
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
class SoundscapeFigures:
    """Figures of one profile on soundscapes: per class that occurs, and over all classes.

    Parameters
    ----------
    micro
        F1 over all events or segments, by measure.
    psds
        PSDS by scenario; empty where it cannot be computed.
    pairs
        For simultaneous sounds of two classes, by class names: their number, and both detected.
    curve
        Shift of all thresholds, sounds detected with it, number of sounds.
    """

    classes: tuple[StreamClassFigures, ...]
    micro: Mapping[str, float]
    psds: Mapping[str, float]
    pairs: Mapping[str, tuple[int, int]]
    curve: tuple[tuple[float, int, int], ...]

    def macro(self, measure: str) -> float:
        """Return the mean over the classes of ``onset_f1``, ``event_f1`` or ``segment_f1``."""
        return float(np.mean([getattr(row, measure) for row in self.classes]))

    @property
    def delays_s(self) -> tuple[float, ...]:
        return tuple(delay for row in self.classes for delay in row.delays_s)


def judge(scapes: Sequence[Soundscape], streams: Sequence[Hops], profile: Profile) -> SoundscapeFigures:
    """Return all figures of one profile on the soundscapes whose hops are ``streams``."""
    detected = profile.detected(streams)
    classes, micro = class_figures(scapes, detected)
    labels = [row.label for row in classes]
    tables = [table(hops, profile, labels) for hops in streams]
    curve = []
    for moved in MOVES:
        events = profile.detected(streams, moved).events
        found = [one for scape, mine in zip(scapes, events, strict=True) for one in _told(scape, mine)]
        curve.append((moved, sum(one.detected for one in found), len(found)))
    return SoundscapeFigures(
        tuple(classes), micro, psds(scapes, tables, labels), pairs(scapes, detected), tuple(curve)
    )


def class_figures(
    scapes: Sequence[Soundscape], detected: Detections
) -> tuple[list[StreamClassFigures], dict[str, float]]:
    """Evaluate with sed_eval; return a row per class that occurs, and each measure over all classes."""
    measures = _sed_eval(scapes, detected)
    found: dict[str, list[_Told]] = {label: [] for label in CLASSES}
    for scape, events in zip(scapes, detected.events, strict=True):
        for told in _told(scape, events):
            found[told.truth.label].append(told)
    figures = [
        _class_figures(label, sounds, {name: _f1(m, label) for name, m in measures.items()})
        for label, sounds in found.items()
        if sounds
    ]
    micro = {name: _number(m.results_overall_metrics()) for name, m in measures.items()}
    return figures, micro


def soundscape_figures(
    streams: Sequence[Scored], settings: Mapping[str, ClassSettings]
) -> tuple[StreamClassFigures, ...]:
    """Return a row per class that occurs, for soundscapes scored by a network in training."""
    lengths = tuple(float(stream.times_s[-1]) for stream in streams)
    scapes = [
        Soundscape(
            stream.name,
            np.zeros(round(length_s * RATE), np.float32),
            tuple(Truth(label, onset_s, offset_s, 0.0, "") for label, onset_s, offset_s in stream.truths),
        )
        for stream, length_s in zip(streams, lengths, strict=True)
    ]
    events = tuple(scored_events(stream, settings) for stream in streams)
    return tuple(class_figures(scapes, Detections(events, lengths))[0])


@dataclass(frozen=True)
class _Told:
    """Whether a sound was reported, and its delay after onset; None if by an earlier sound's event."""

    truth: Truth
    detected: bool
    delay_s: float | None


def _class_figures(label: str, found: Sequence[_Told], f1: Mapping[str, float]) -> StreamClassFigures:
    recordings: dict[str, tuple[int, int]] = {}
    for told in found:
        detected, sounds = recordings.get(told.truth.recording, (0, 0))
        recordings[told.truth.recording] = (detected + told.detected, sounds + 1)
    delays = tuple(told.delay_s for told in found if told.delay_s is not None)
    detected = sum(told.detected for told in found)
    return StreamClassFigures(label, len(found), detected, **f1, delays_s=delays, recordings=recordings)


def _told(scape: Soundscape, events: Sequence[Event]) -> list[_Told]:
    """Return the sounds of a soundscape by class, and which were reported."""
    return [
        told
        for label in CLASSES
        for told in _told_of(
            [truth for truth in scape.truths if truth.label == label],
            [event for event in events if event.label == label],
        )
    ]


def pairs(scapes: Sequence[Soundscape], detected: Detections) -> dict[str, tuple[int, int]]:
    """Count simultaneous sounds of two classes, and the pairs of which both were detected.

    The key is both class names, sorted and joined by a plus.
    """
    found: dict[str, tuple[int, int]] = {}
    for scape, events in zip(scapes, detected.events, strict=True):
        for one, other in combinations(_told(scape, events), 2):
            first, second = one.truth, other.truth
            together_s = min(first.offset_s, second.offset_s) - max(first.onset_s, second.onset_s)
            if first.label != second.label and together_s >= TOGETHER_S:
                name = "+".join(sorted((first.label, second.label)))
                count, both = found.get(name, (0, 0))
                found[name] = count + 1, both + (one.detected and other.detected)
    return found


def _told_of(truths: Sequence[Truth], events: Sequence[Event]) -> list[_Told]:
    """Match the sounds of one class in one soundscape with its events.

    An event matches a sound if it was decided during the sound or shortly after. An event that was already
    on matches too, provided that it correctly reported another sound: a false alarm does not become a
    detection because a sound begins during it.
    """

    def by(event: Event, truth: Truth) -> bool:
        return truth.onset_s < event.decided_s <= truth.offset_s + _LATE_S

    right = [event for event in events if any(by(event, truth) for truth in truths)]
    found = []
    for truth in truths:
        own = [event.decided_s - truth.onset_s for event in right if by(event, truth)]
        going_on = any(event.decided_s <= truth.onset_s < event.offset_s for event in right)
        found.append(_Told(truth, bool(own) or going_on, None if going_on or not own else min(own)))
    return found


def _sed_eval(scapes: Sequence[Soundscape], detected: Detections) -> dict[str, Any]:
    from sed_eval.sound_event import EventBasedMetrics, SegmentBasedMetrics

    labels = list(CLASSES)
    onset = EventBasedMetrics(labels, t_collar=ONSET_COLLAR_S, evaluate_onset=True, evaluate_offset=False)
    both = EventBasedMetrics(
        labels, t_collar=ONSET_COLLAR_S, percentage_of_length=LENGTH_SHARE, evaluate_onset=True,
        evaluate_offset=True,
    )  # fmt: skip
    segment = SegmentBasedMetrics(labels, time_resolution=SEGMENT_S)
    for scape, events in zip(scapes, detected.events, strict=True):
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
