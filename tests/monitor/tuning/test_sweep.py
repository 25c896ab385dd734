"""The sweep runs the monitor's own event logic, and counts alerts against labelled sounds by one rule."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.settings import ClassSettings
from monitor.tuning.choice import choose
from monitor.tuning.poisson import interval
from monitor.tuning.scored import Recording
from monitor.tuning.sweep import Alert, Curve, Logic, Point, curves, judge, positions, with_enter
from monitor.tuning.tracks import Sound

RATE, HOP = 1000, 500
BELL = ClassSettings(enter=0.6, exit=0.3)


def recording(scores: list[float], levels: list[float] | None = None, name: str = "a.wav") -> Recording:
    rows = np.array(scores, np.float32)[:, None]
    times_s = np.arange(1, len(rows) + 1) * HOP / RATE
    return Recording(name, times_s, np.array(levels or [-30.0] * len(rows), np.float32), rows)


def logic(settings: ClassSettings = BELL, **changes: object) -> Logic:
    values = {"accepted": lambda row: row, "can_switch_on": lambda label, settings: True, **changes}
    return Logic(("bell",), {"bell": settings}, RATE, HOP, **values)


def curve(recordings: list[Recording], how: Logic, *tracks: tuple[Sound, ...]) -> dict[float, Point]:
    sounds = tracks or ((),) * len(recordings)
    (only,) = curves(recordings, sounds, how, 1.0, lambda done, total: None)
    return {point.enter: point for point in only.points}


PEAKS = recording([0.1] * 4 + [0.9] * 2 + [0.1] * 10 + [0.5] * 2 + [0.1] * 6)


def test_each_threshold_raises_what_reaches_it() -> None:
    points = curve([PEAKS], logic())
    assert {enter: points[enter].alarms for enter in (0.4, 0.5, 0.6, 0.9, 0.95)} == {
        0.4: 2, 0.5: 2, 0.6: 1, 0.9: 1, 0.95: 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"attack_s": 1.0}, {"smoothing_s": 1.5}, {"min_level_dbfs": -20.0}, {"cooldown_s": 3600.0}],
    ids=lambda change: next(iter(change)),
)
def test_attack_smoothing_level_and_cooldown_count(change: dict[str, float]) -> None:
    alarms = curve([PEAKS], logic(BELL.model_copy(update=change)))[0.5].alarms
    assert (
        alarms == {"attack_s": 0, "smoothing_s": 1, "min_level_dbfs": 0, "cooldown_s": 1}[next(iter(change))]
    )


def test_rows_that_the_reject_rule_voids_raise_nothing() -> None:
    assert (
        curve([PEAKS], logic(accepted=lambda row: np.zeros_like(row) if row[0] > 0.8 else row))[0.5].alarms
        == 1
    )


def test_thresholds_that_can_never_switch_on_are_left_out() -> None:
    points = curve([PEAKS], logic(can_switch_on=lambda label, settings: settings.enter <= 0.5))
    assert max(points) == 0.5


def test_an_event_of_one_recording_does_not_last_into_the_next() -> None:
    loud = recording([0.9] * 4)
    assert curve([loud, loud], logic())[0.6].alarms == 2


def test_hours_are_those_of_all_recordings_and_intervals_follow_them() -> None:
    point = curve([PEAKS, PEAKS], logic())[0.6]
    assert point.hours == pytest.approx(2 * 12 / 3600)
    assert point.alarms_per_hour == pytest.approx(300)
    assert point.limits_per_hour == pytest.approx([limit / point.hours for limit in interval(2)])


def test_labelled_sounds_are_heard_and_other_alerts_are_false() -> None:
    # The peaks begin with the rows that end at 2.5 and at 8.5 s.
    points = curve([PEAKS], logic(), (Sound("bell", 2.0, 3.0), Sound("bell", 11.0, 12.0)))
    assert (points[0.6].detected, points[0.6].sounds, points[0.6].alarms) == (1, 2, 0)
    assert (points[0.4].detected, points[0.4].alarms) == (1, 1)
    assert points[0.95].detected == 0


@pytest.mark.parametrize(("start_s", "heard"), [(8.9, 0), (9.0, 1), (21.0, 1), (21.1, 0)])
def test_an_alert_is_true_from_a_collar_before_the_sound_to_one_after(start_s: float, heard: int) -> None:
    alert = Alert("bell", start_s, start_s + 0.5)
    assert judge([alert], [Sound("bell", 10.0, 20.0)], 1.0) == (heard, 1 - heard)


def test_one_alert_stands_for_all_sounds_that_it_lasts_through_but_for_none_after() -> None:
    sounds = [Sound("bell", start, start + 1.0) for start in (10.0, 13.0, 20.0)]
    assert judge([Alert("bell", 10.5, 14.0)], sounds, 1.0) == (2, 0)


def test_a_false_alert_that_goes_on_into_a_sound_does_not_hear_it() -> None:
    assert judge([Alert("bell", 2.0, 12.0)], [Sound("bell", 10.0, 20.0)], 1.0) == (0, 1)


def test_times_rounded_to_milliseconds_give_the_exact_positions() -> None:
    rate, hop = 16_000, 7_800
    exact = [hop * row for row in range(1, 50)] + [hop * 49 + 1234]
    rounded = np.array([round(position / rate, 3) for position in exact])
    found = positions(rounded, rate, hop)
    assert found[:-1] == exact[:-1]
    assert found[-1] == pytest.approx(exact[-1], abs=8)


def test_exit_keeps_its_proportion_to_enter() -> None:
    assert with_enter(BELL, 0.9).exit == 0.45
    assert with_enter(ClassSettings(enter=0.0, exit=0.0), 0.5).exit == 0.5
    level = ClassSettings(enter=0.6, exit=0.6)
    assert with_enter(level, 0.6127).exit == 0.6127


@pytest.mark.parametrize("count", [0, 1, 2, 7, 50, 400])
def test_limits_of_a_count_are_garwoods(count: int) -> None:
    chi2 = pytest.importorskip("scipy.stats").chi2
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    assert interval(count) == pytest.approx((low, chi2.ppf(0.975, 2 * count + 2) / 2), abs=1e-5)


def test_no_alarm_may_still_be_three_point_seven() -> None:
    assert interval(0) == pytest.approx((0.0, 3.6889), abs=1e-4)


def picked(*points: tuple[float, int, int], sounds: int = 0, per_hour: float = 0.5) -> float | None:
    """The choice among points of (enter, alarms in ten hours, heard)."""
    made = tuple(Point(enter, 0.0, alarms, heard, sounds, 10.0) for enter, alarms, heard in points)
    chosen = choose(Curve("bell", BELL, made), per_hour)
    return None if chosen is None else chosen.enter


def test_without_labels_the_lowest_is_chosen_that_is_not_below_the_present() -> None:
    assert picked((0.5, 3, 0), (0.6, 2, 0), (0.7, 1, 0)) == 0.6
    assert picked((0.5, 9, 0), (0.6, 8, 0), (0.7, 5, 0), (0.8, 1, 0)) == 0.7


def test_a_threshold_counts_only_if_all_above_it_keep_to_the_target() -> None:
    assert picked((0.6, 2, 0), (0.7, 6, 0), (0.8, 5, 0)) == 0.8
    assert picked((0.6, 2, 0), (0.7, 6, 0)) is None


def test_with_labels_the_most_heard_then_the_quietest_then_the_middle_is_chosen() -> None:
    assert picked((0.2, 9, 9), (0.3, 5, 8), (0.4, 0, 7), sounds=9) == 0.3
    assert picked((0.3, 5, 8), (0.4, 1, 8), (0.5, 1, 8), (0.6, 1, 8), (0.7, 0, 2), sounds=9) == 0.5
