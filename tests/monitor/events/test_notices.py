"""Notices are few; events stay what they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import ended, record

from monitor.events.notices import OFF, Notices, Place, Policy, check_hours, is_quiet
from monitor.events.sun import HORIZON_DEG, elevation_deg
from monitor.records import EventRecord

ZONE = timezone(timedelta(hours=2))
MIDNIGHT = datetime(2026, 6, 21, tzinfo=ZONE).timestamp()
HOUR = 3600.0
BERLIN = Place(52.52, 13.405)


def local(utc: float) -> datetime:
    return datetime.fromtimestamp(utc, ZONE)


def judged(
    times: list[float], policy: Policy, *, groups: dict[str, list[str]] | None = None, label: str = "siren"
) -> list[EventRecord]:
    """The starts of events at these times, seconds since local midnight."""
    name = next(iter(groups)) if groups else label
    notices = Notices({name: policy}, groups or {}, Policy(), BERLIN, local)
    return [notices.judge(record(i, label=label), MIDNIGHT + at) for i, at in enumerate(times)]


def notified(records: list[EventRecord]) -> list[int]:
    return [one.seq for one in records if one.notify]


def test_without_a_policy_every_start_notifies_and_no_end() -> None:
    notices = Notices({}, {}, Policy(), None, local)
    start = record(1)
    assert notices.judge(start, MIDNIGHT) == replace(start, notify=True)
    assert notices.judge(ended(2, start), MIDNIGHT) == ended(2, start)


def test_barks_notify_by_count_interval_and_day() -> None:
    barks = [60.0 * i for i in range(500)]
    policy = Policy(count=3, within_s=300, interval_s=HOUR, per_day=4)
    records = judged(barks, policy)
    assert len(records) == 500
    assert notified(records) == [2, 62, 122, 182]
    assert {one.held_back for one in records} == {None, "count", "interval", "daily_limit"}


def test_the_day_begins_anew_at_local_midnight() -> None:
    records = judged([22 * HOUR, 23 * HOUR, 24 * HOUR - 1, 24 * HOUR, 25 * HOUR], Policy(per_day=2))
    assert notified(records) == [0, 1, 3, 4]


def test_quiet_hours_hold_back_and_an_event_in_them_does_not_start_an_interval() -> None:
    records = judged([21 * HOUR, 22 * HOUR, 31 * HOUR - 60, 31 * HOUR], Policy("22:00-07:00", 10 * HOUR))
    assert [one.held_back for one in records] == [None, "quiet_hours", "quiet_hours", None]


def test_a_least_duration_puts_the_notice_at_the_end() -> None:
    notices = Notices({"siren": Policy(min_duration_s=1.5)}, {}, Policy(), None, local)
    start = record(1)
    assert notices.judge(start, MIDNIGHT).held_back == "duration"
    assert notices.judge(ended(2, start), MIDNIGHT).notify
    short = replace(ended(4, record(3)), duration_s=1.0)
    verdict = notices.judge(short, MIDNIGHT)
    assert (verdict.notify, verdict.held_back) == (False, "duration")


def test_labels_of_a_group_share_its_limits() -> None:
    notices = Notices(
        {"emergency": Policy(interval_s=60)}, {"emergency": ["siren", "gun_shot"]}, Policy(), None, local
    )
    labels = ["siren", "gun_shot", "dog_bark", "gun_shot"]
    verdicts = [notices.judge(record(i, label=label), MIDNIGHT + 25 * i) for i, label in enumerate(labels)]
    assert [one.held_back for one in verdicts] == [None, "interval", None, None]


policies = st.builds(
    Policy,
    quiet_hours=st.sampled_from([OFF, "22:00-07:00", "07:00-22:00", "dark"]),
    interval_s=st.sampled_from([0.0, 60.0, 7200.0]),
    per_day=st.integers(0, 3),
    count=st.integers(1, 4),
    within_s=st.sampled_from([60.0, 600.0]),
)
gaps = st.lists(st.sampled_from([1.0, 30.0, 90.0, 3600.0, 20000.0]), max_size=60)


@given(policies, gaps)
def test_no_limit_is_ever_passed_and_every_event_has_a_verdict(policy: Policy, steps: list[float]) -> None:
    times = [sum(steps[: i + 1]) for i in range(len(steps))]
    records = judged(times, policy)
    assert len(records) == len(times)
    assert all(one.notify == (one.held_back is None) for one in records)
    told = [times[seq] for seq in notified(records)]
    assert all(later - earlier >= policy.interval_s for earlier, later in pairwise(told))
    days = [local(MIDNIGHT + at).date() for at in told]
    assert all(not policy.per_day or days.count(day) <= policy.per_day for day in days)
    for at in told:
        utc = MIDNIGHT + at
        assert not is_quiet(policy.quiet_hours, local(utc), utc, BERLIN)
        assert sum(at - policy.within_s <= other <= at for other in times) >= policy.count


@given(policies, gaps, st.integers(0, 60))
def test_a_restart_repeats_no_notice(policy: Policy, steps: list[float], at: int) -> None:
    times = [sum(steps[: i + 1]) for i in range(len(steps))]
    whole = judged(times, policy)
    after = Notices({"siren": policy}, {}, Policy(), BERLIN, local)
    for one, time_s in zip(whole[:at], times[:at], strict=True):
        after.remember(one, MIDNIGHT + time_s)
    again = [after.judge(record(i, label="siren"), MIDNIGHT + times[i]) for i in range(at, len(times))]
    assert again == whole[at:]


@pytest.mark.parametrize(
    "hours", ["22:00", "24:00-07:00", "22:60-07:00", "22:00-7:00", "", "night", "22:00–07:00"]
)
def test_hours_that_are_none_are_refused(hours: str) -> None:
    with pytest.raises(ValueError, match="two times such as 22:00-07:00, dark or off"):
        check_hours(hours)


@pytest.mark.parametrize(
    ("place", "day", "sunrise", "sunset"),
    [
        # UTC, as almanacs give them to the minute
        (BERLIN, (2026, 6, 21), "02:43", "19:33"),
        (BERLIN, (2026, 12, 21), "07:15", "14:54"),
        (Place(-33.87, 151.21), (2026, 3, 20), "19:59", "08:06"),
    ],
)
def test_the_sun_rises_and_sets_when_almanacs_say(
    place: Place, day: tuple[int, int, int], sunrise: str, sunset: str
) -> None:
    for clock, rising in ((sunrise, True), (sunset, False)):
        hour, minute = map(int, clock.split(":"))
        moment = datetime(*day, hour, minute, tzinfo=timezone.utc).timestamp()
        earlier, later = (
            elevation_deg(moment + shift, place.latitude, place.longitude) > HORIZON_DEG
            for shift in (-180, 180)
        )
        assert (earlier, later) == (not rising, rising)
