"""Decide which events lead to a notification: quiet hours, rates, counts and durations. No side effects.

Every event is recorded. Its record says whether to notify, and if not, why:

- ``quiet_hours``: the event began in quiet hours.
- ``count``: fewer events so far than the policy requires, such as three in five minutes.
- ``duration``: the event was too short. With a minimum duration, the notice is issued at the end of
  the event.
- ``interval``: too little time has passed since the last notice.
- ``daily_limit``: the number of notices allowed per day has been reached.

The labels of a group share the group's policy, counts and limits.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from monitor.events.sun import HORIZON_DEG, elevation_deg
from monitor.records import EventRecord, HeldBack

DARK = "dark"
"""Quiet hours from sunset to sunrise."""
OFF = "off"
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d) ?- ?([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True)
class Policy:
    """When an event leads to a notice.

    Parameters
    ----------
    quiet_hours : str
        ``22:00-07:00`` in local time, ``dark`` or ``off``.
    interval_s : float
        Minimum time between two notices, seconds.
    per_day : int
        Maximum number of notices per local day; 0 = no limit.
    count, within_s : int, float
        Number of events required within a time in seconds.
    min_duration_s : float
        Shorter events, in seconds, lead to no notice.
    """

    quiet_hours: str = OFF
    interval_s: float = 0.0
    per_day: int = 0
    count: int = 1
    within_s: float = 300.0
    min_duration_s: float = 0.0


@dataclass(frozen=True)
class Place:
    """The location for which ``dark`` is computed, degrees north and east."""

    latitude: float
    longitude: float


@dataclass(frozen=True)
class _Rules:
    policies: Mapping[str, Policy]
    group_of: Mapping[str, str]
    default: Policy
    place: Place | None

    def name(self, label: str) -> str:
        """What a label is counted under: its group, or itself."""
        return self.group_of.get(label, label)

    def policy(self, label: str) -> Policy:
        return self.policies.get(self.name(label), self.default)


@dataclass
class _Past:
    """The events and notices so far under one policy."""

    events: deque[float] = field(default_factory=deque)
    last_s: float | None = None
    day: date | None = None
    today: int = 0


class Notices:
    """Judges the records of one monitor, in order.

    Parameters
    ----------
    policies : mapping
        Policies by label.
    groups : mapping
        Labels by the name of their group; ``policies`` has an entry under the same name.
    default : Policy
        Policy of labels without their own.
    place : Place or None
        Location; required by ``dark``.
    local : callable
        Converts seconds since 1970 to local time.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy],
        groups: Mapping[str, Sequence[str]],
        default: Policy,
        place: Place | None,
        local: Callable[[float], datetime],
    ) -> None:
        self._local = local
        self._past: dict[str, _Past] = {}
        self.configure(policies, groups, default, place)

    def configure(
        self,
        policies: Mapping[str, Policy],
        groups: Mapping[str, Sequence[str]],
        default: Policy,
        place: Place | None,
    ) -> None:
        """Use other policies from the next record on; counts are kept."""
        group_of = {label: group for group, labels in groups.items() for label in labels}
        # A single assignment, since another thread may be in judge().
        self._rules = _Rules(dict(policies), group_of, default, place)

    def judge(self, record: EventRecord, utc: float) -> EventRecord:
        """Return the record with its verdict.

        Parameters
        ----------
        record : EventRecord
            A start or an end.
        utc : float
            Start of the event, seconds since 1970.
        """
        policy = self._rules.policy(record.label)
        waits = policy.min_duration_s > 0
        if (record.type == "end") != waits:
            # The verdict was given at the start, or will be given at the end.
            return replace(record, notify=False, held_back="duration" if waits else None)
        held_back = self._held_back(record, policy, utc)
        return replace(record, notify=held_back is None, held_back=held_back)

    def remember(self, record: EventRecord, utc: float) -> None:
        """Count a record of an earlier run."""
        past = self._past_of(record.label)
        waits = self._rules.policy(record.label).min_duration_s > 0
        if (record.type == "end") == waits:
            past.events.append(utc)
        if record.notify:
            self._count(past, utc)

    def _past_of(self, label: str) -> _Past:
        return self._past.setdefault(self._rules.name(label), _Past())

    def _held_back(self, record: EventRecord, policy: Policy, utc: float) -> HeldBack | None:
        past = self._past_of(record.label)
        if policy.min_duration_s and (record.duration_s or 0.0) < policy.min_duration_s:
            return "duration"
        past.events.append(utc)
        # If the system clock was set back, later events have earlier times.
        past.events = deque(at for at in past.events if abs(utc - at) <= policy.within_s)
        if is_quiet(policy.quiet_hours, self._local(utc), utc, self._rules.place):
            return "quiet_hours"
        if len(past.events) < policy.count:
            return "count"
        if past.last_s is not None and abs(utc - past.last_s) < policy.interval_s:
            return "interval"
        if policy.per_day and past.day == self._local(utc).date() and past.today >= policy.per_day:
            return "daily_limit"
        self._count(past, utc)
        return None

    def _count(self, past: _Past, utc: float) -> None:
        day = self._local(utc).date()
        past.today = past.today + 1 if past.day == day else 1
        past.day, past.last_s = day, utc
        past.events.clear()


def is_quiet(hours: str, local: datetime, utc: float, place: Place | None) -> bool:
    """Return whether a moment lies in the quiet hours.

    Parameters
    ----------
    hours : str
        See :class:`Policy`; checked by :func:`check_hours`.
    local : datetime
        The moment in local time.
    utc : float
        The same moment, seconds since 1970.
    place : Place or None
        Location; required by ``dark``.
    """
    if hours == OFF:
        return False
    if hours == DARK:
        return place is not None and elevation_deg(utc, place.latitude, place.longitude) < HORIZON_DEG
    begin, end = _minutes(hours)
    now = 60 * local.hour + local.minute
    return begin <= now < end if begin <= end else now >= begin or now < end


def check_hours(hours: str) -> str:
    """Return quiet hours unchanged if they are valid.

    Raises
    ------
    ValueError
        Neither two times, nor ``dark``, nor ``off``.
    """
    if hours not in (OFF, DARK):
        _minutes(hours)
    return hours


def _minutes(hours: str) -> tuple[int, int]:
    match = _CLOCK.fullmatch(hours)
    if match is None:
        raise ValueError("must be two times such as 22:00-07:00, dark or off")
    begin_h, begin_m, end_h, end_m = map(int, match.groups())
    return 60 * begin_h + begin_m, 60 * end_h + end_m
