"""Summarise the events of a time span: when, how long, how loud and how often. No side effects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from monitor.clock import parse_utc
from monitor.records import EventRecord

_HOUR_S = 3600.0


@dataclass(frozen=True)
class Occurrence:
    """One event.

    Parameters
    ----------
    label : str
        Label of the event.
    start : float
        Seconds since 1970.
    duration_s : float or None
        Duration in seconds; None while the event is open or if its end is unknown.
    level_dbfs, lafmax_db : float
        Maximum levels; ``lafmax_db`` is None if the microphone is not calibrated.
    """

    label: str
    start: float
    duration_s: float | None
    level_dbfs: float
    lafmax_db: float | None


@dataclass(frozen=True)
class Day:
    """A local day.

    Parameters
    ----------
    day : date
        The day.
    events : int
        Number of events that began on it.
    seconds : tuple of float
        Duration of sound in each of its 24 hours, seconds.
    """

    day: date
    events: int
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Report:
    """The summary of a time span.

    Parameters
    ----------
    occurrences : tuple of Occurrence
        Events in order of their start.
    days : tuple of Day
        Every day from that of the first event to that of the last, including days without events.
    """

    occurrences: tuple[Occurrence, ...]
    days: tuple[Day, ...]

    @property
    def seconds(self) -> float:
        """Total duration of all events, seconds."""
        return sum(one.duration_s or 0.0 for one in self.occurrences)


def occurrences(records: Iterable[EventRecord]) -> tuple[Occurrence, ...]:
    """Return one occurrence per event, made from its end record if there is one, else from its start."""
    events: dict[str, EventRecord] = {}
    for record in records:
        if record.type == "end" or record.event_id not in events:
            events[record.event_id] = record
    found = [
        Occurrence(
            record.label, parse_utc(record.start), record.duration_s, record.level_dbfs, record.lafmax_db
        )
        for record in events.values()
    ]
    return tuple(sorted(found, key=lambda one: (one.start, one.label)))


def make_report(found: Sequence[Occurrence], local: Callable[[float], datetime]) -> Report:
    """Summarise events by day and hour in local time.

    Parameters
    ----------
    found : sequence of Occurrence
        Events in order of their start.
    local : callable
        Converts seconds since 1970 to local time.
    """
    begun: dict[date, int] = {}
    seconds: dict[tuple[date, int], float] = {}
    for one in found:
        day = local(one.start).date()
        begun[day] = begun.get(day, 0) + 1
        for cell, length in _hours(one, local):
            seconds[cell] = seconds.get(cell, 0.0) + length
    known = [*begun, *(day for day, _ in seconds)]
    days = []
    day, last = min(known, default=date.max), max(known, default=date.min)
    while day <= last:
        hours = tuple(seconds.get((day, hour), 0.0) for hour in range(24))
        days.append(Day(day, begun.get(day, 0), hours))
        day += timedelta(days=1)
    return Report(tuple(found), tuple(days))


def _hours(one: Occurrence, local: Callable[[float], datetime]) -> Iterable[tuple[tuple[date, int], float]]:
    """Split an event at full hours."""
    at, left = one.start, one.duration_s or 0.0
    while left > 0:
        here = local(at)
        into = 60.0 * here.minute + here.second + here.microsecond / 1e6
        length = min(left, max(_HOUR_S - into, 1e-3))
        yield (here.date(), here.hour), length
        at, left = at + length, left - length
