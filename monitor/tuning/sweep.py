"""Run the monitor's event logic over stored scores at many thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.events.background import BackgroundLevel
from monitor.events.tracker import EventTracker
from monitor.records import Decision, Level
from monitor.settings import ClassSettings
from monitor.tuning.poisson import interval
from monitor.tuning.scored import Recording
from monitor.tuning.tracks import Sound, Track

ENTERS = (0.02, 0.05, *(step / 40 for step in range(4, 38)), 0.95, 0.97, 0.98, 0.99, 0.995)
"""Thresholds to try, in addition to the present ones."""


@dataclass(frozen=True)
class Logic:
    """What the monitor uses to turn scores into events.

    Parameters
    ----------
    accepted : Callable[[NDArray[np.float32]], NDArray[np.float32]]
        Returns the scores that remain after the model's reject rule.
    can_switch_on : Callable[[str, ClassSettings], bool]
        Returns whether a label's settings allow any event.
    """

    labels: tuple[str, ...]
    classes: Mapping[str, ClassSettings]
    rate: int
    hop: int
    accepted: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    can_switch_on: Callable[[str, ClassSettings], bool]


@dataclass(frozen=True)
class Point:
    """Results at one threshold of one class.

    Parameters
    ----------
    alarms : int
        Alerts outside all labelled sounds of the class; all alerts if nothing is labelled.
    detected : int
        Labelled sounds, out of ``sounds``, that raised an alert.
    """

    enter: float
    exit: float
    alarms: int
    detected: int
    sounds: int
    hours: float

    @property
    def alarms_per_hour(self) -> float:
        return self.alarms / self.hours

    @property
    def limits_per_hour(self) -> tuple[float, float]:
        """The 95 % interval of :attr:`alarms_per_hour`."""
        low, high = interval(self.alarms)
        return low / self.hours, high / self.hours


@dataclass(frozen=True)
class Curve:
    """Results at all thresholds of one class, rising; ``present`` holds its current settings."""

    label: str
    present: ClassSettings
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Alert:
    """An event as the monitor would have raised it, in seconds of its recording."""

    label: str
    start_s: float
    end_s: float


def curves(
    recordings: Sequence[Recording],
    tracks: Sequence[Track],
    logic: Logic,
    collar_s: float,
    tick: Callable[[int, int], None],
) -> list[Curve]:
    """Return the results of every class at every threshold.

    Parameters
    ----------
    tracks : Sequence[Track]
        Labelled sounds of each recording.
    tick : Callable[[int, int], None]
        Called with the number of thresholds done and their total.
    """
    streams = [_Stream(recording, logic) for recording in recordings]
    hours = sum(recording.seconds for recording in recordings) / 3600
    enters = sorted({*ENTERS, *(settings.enter for settings in logic.classes.values())})
    points: dict[str, list[Point]] = {label: [] for label in logic.classes}
    for done, enter in enumerate(enters, 1):
        settings = {label: with_enter(present, enter) for label, present in logic.classes.items()}
        settings = {label: s for label, s in settings.items() if logic.can_switch_on(label, s)}
        alerts = [stream.alerts(logic, settings) for stream in streams]
        for label, tried in settings.items():
            detected, alarms, sounds = 0, 0, 0
            for found, track in zip(alerts, tracks, strict=True):
                own = [sound for sound in track if sound.label == label]
                more_detected, more_alarms = judge([a for a in found if a.label == label], own, collar_s)
                detected, alarms, sounds = detected + more_detected, alarms + more_alarms, sounds + len(own)
            points[label].append(Point(tried.enter, tried.exit, alarms, detected, sounds, hours))
        tick(done, len(enters))
    return [Curve(label, present, tuple(points[label])) for label, present in logic.classes.items()]


def with_enter(present: ClassSettings, enter: float) -> ClassSettings:
    """Return the settings with another ``enter``, and ``exit`` in the same proportion to it."""
    if enter == present.enter:
        return present
    share = present.exit / present.enter if present.enter else 1.0
    return present.model_copy(update={"enter": enter, "exit": min(enter, round(enter * share, 3))})


def judge(alerts: Sequence[Alert], sounds: Sequence[Sound], collar_s: float) -> tuple[int, int]:
    """Count the detected sounds and the false alerts of one class in one recording.

    An alert is true if it begins within a sound extended by ``collar_s`` on both sides. A sound is
    detected if a true alert is on during it, so one alert may cover several consecutive sounds.
    """
    true = [
        alert
        for alert in alerts
        if any(s.start_s - collar_s <= alert.start_s <= s.end_s + collar_s for s in sounds)
    ]
    detected = sum(
        any(a.start_s <= sound.end_s + collar_s and a.end_s >= sound.start_s - collar_s for a in true)
        for sound in sounds
    )
    return detected, len(alerts) - len(true)


class _Stream:
    """The rows of a recording in the form that the tracker takes."""

    def __init__(self, recording: Recording, logic: Logic) -> None:
        self._rate = logic.rate
        self._positions = positions(recording.times_s, logic.rate, logic.hop)
        self._scores = [logic.accepted(row) for row in recording.scores]
        background = BackgroundLevel(logic.hop / logic.rate)
        levels: list[float] = recording.levels_dbfs.tolist()
        self._levels = [Level(rms, rms, background.push(rms), 0) for rms in levels]

    def alerts(self, logic: Logic, settings: Mapping[str, ClassSettings]) -> list[Alert]:
        """Return all events that the settings raise, ordered by start."""
        starts = {}
        found = []
        for decision in self._decisions(logic, settings):
            if decision.type == "start":
                starts[decision.key] = decision.start_pos
            elif decision.end_pos is not None:
                start_s = starts[decision.key] / self._rate
                found.append(Alert(decision.label, start_s, decision.end_pos / self._rate))
        return sorted(found, key=lambda alert: alert.start_s)

    def _decisions(self, logic: Logic, settings: Mapping[str, ClassSettings]) -> Iterator[Decision]:
        tracker = EventTracker(logic.labels, settings, rate=logic.rate, hop=logic.hop)
        for position, scores, level in zip(self._positions, self._scores, self._levels, strict=True):
            yield from tracker.push(position, scores, level)
        yield from tracker.close(self._positions[-1], "stopped")


def positions(times_s: NDArray[np.float64], rate: int, hop: int) -> list[int]:
    """Return the sample positions of times that were rounded to milliseconds in a file.

    Rows lie on multiples of the hop but for a recording's last; a millisecond more or less
    would let an attack of whole hops miss its row.
    """
    exact = times_s * rate
    grid = np.round(exact / hop) * hop
    on_grid = np.abs(exact - grid) <= 0.6e-3 * rate
    return [int(value) for value in np.where(on_grid, grid, np.round(exact))]
