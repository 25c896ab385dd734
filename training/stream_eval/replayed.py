"""The monitor's output on files: one replay for the scores, its event logic for every profile."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.errors import AudioError
from monitor.events.tracker import EventTracker
from monitor.listeners import Listener
from monitor.records import Decision, HopResult
from monitor.settings import ClassSettings
from monitor.stream.assembly import Assembly
from monitor.stream.replay import Replay, ReplayOptions
from training.data.corpora import LABELS
from training.errors import DataError
from training.mixing.streams import Scored

Hops = tuple[HopResult, ...]


@dataclass(frozen=True)
class Event:
    """An event reported by the monitor: a label's estimated onset and offset, and the decision time."""

    label: str
    onset_s: float
    offset_s: float
    decided_s: float


@dataclass(frozen=True)
class Detections:
    """The events of each file, and its length in seconds."""

    events: tuple[tuple[Event, ...], ...]
    seconds: tuple[float, ...]


class _Collector(Listener):
    """Collects the hops of each file."""

    def __init__(self) -> None:
        self.hops: dict[str, list[HopResult]] = {}

    def on_file(self, file: str, duration_s: float | None) -> None:
        self.hops[file] = []

    def on_hop(self, file: str, hop: HopResult) -> None:
        # Features and embeddings of hours would fill the memory and are not needed here.
        self.hops[file].append(replace(hop, features=None, embedding=None))


def listen(assembly: Assembly, files: Sequence[Path]) -> list[Hops]:
    """Replay the files and return the hops of each.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    collector = _Collector()
    options = ReplayOptions(node="stream-eval", deterministic=True)
    failed: list[AudioError] = []
    Replay(assembly, options, [collector], threading.Event()).run(files, failed.append)
    if failed:
        raise DataError(str(failed[0]))
    return [tuple(collector.hops[str(file)]) for file in files]


class Profile:
    """Runs the monitor's event logic over hops with the settings of one profile.

    ``classes`` may differ from those of the replay, as scores do not depend on them.
    """

    def __init__(self, assembly: Assembly) -> None:
        card = assembly.model.card
        self.labels, self.classes = assembly.labels, assembly.classes
        self.rate, self.hop = card.sample_rate, card.hop
        self._accepted = assembly.new_parts().classifier.accepted

    def detected(self, streams: Iterable[Hops], moved: float = 0.0) -> Detections:
        """Return the events of every stream, with all thresholds shifted by ``moved`` in log-odds."""
        settings = {label: _moved(one, moved) for label, one in self.classes.items()}
        pairs = [(self._events(hops, settings), hops[-1].time_s) for hops in streams]
        return Detections(tuple(events for events, _ in pairs), tuple(seconds for _, seconds in pairs))

    def _events(self, hops: Hops, settings: Mapping[str, ClassSettings]) -> tuple[Event, ...]:
        tracker = EventTracker(self.labels, settings, rate=self.rate, hop=self.hop)
        decisions: list[Decision] = []
        for hop in hops:
            decisions += tracker.push(hop.position, self._accepted(hop.scores), hop.level)
        decisions += tracker.close(hops[-1].position, "stopped")
        ends = {d.key: d.end_pos for d in decisions if d.type == "end"}
        return tuple(self._event(d, ends[d.key]) for d in decisions if d.type == "start")

    def _event(self, start: Decision, end_pos: int | None) -> Event:
        onset_s, offset_s, decided_s = (
            position / self.rate
            for position in (start.start_pos, max(end_pos or 0, start.start_pos), start.decided_pos)
        )
        return Event(start.label, onset_s, offset_s, decided_s)


def _moved(settings: ClassSettings, by: float) -> ClassSettings:
    if not by:
        return settings
    return settings.model_copy(
        update={"enter": _shifted(settings.enter, by), "exit": _shifted(settings.exit, by)}
    )


def _shifted(threshold: float, by: float) -> float:
    """Return a threshold shifted by ``by`` in log-odds; 0 and 1 are unchanged."""
    if not 0.0 < threshold < 1.0:
        return threshold
    return 1.0 / (1.0 + math.exp(-(math.log(threshold / (1.0 - threshold)) + by)))


_POSITIONS_RATE = 16_000
"""Any rate at which a hop is a whole number of samples."""


def scored_events(stream: Scored, settings: Mapping[str, ClassSettings]) -> tuple[Event, ...]:
    """Return the monitor's events for rows scored by a network in training."""
    hop = round(stream.hop_s * _POSITIONS_RATE)
    tracker = EventTracker(LABELS, settings, rate=_POSITIONS_RATE, hop=hop)
    decisions: list[Decision] = []
    for row, (scores, level) in enumerate(zip(stream.scores, stream.levels, strict=True)):
        decisions += tracker.push((row + 1) * hop, scores, level)
    decisions += tracker.close(len(stream.scores) * hop, "stopped")
    ends = {one.key: one.end_pos for one in decisions if one.type == "end"}
    return tuple(
        Event(
            one.label,
            one.start_pos / _POSITIONS_RATE,
            max(ends[one.key] or 0, one.start_pos) / _POSITIONS_RATE,
            one.decided_pos / _POSITIONS_RATE,
        )
        for one in decisions
        if one.type == "start"
    )
