"""The laws of one class and of several, by hand-computed examples (rows a quarter of a second)."""

from __future__ import annotations

import numpy as np
import pytest
from tracking import HOP, QUIET, RATE, feed, hops, positions_of, tracker_of

from monitor.events.loud import LoudSettings
from monitor.events.machine import TRANSITIONS, State
from monitor.events.tracker import EventTracker
from monitor.records import Level
from monitor.settings import ClassSettings

PLAIN = ClassSettings(enter=0.5, exit=0.3, release_s=0.0)


def with_(**changes: float) -> ClassSettings:
    return ClassSettings.model_validate({**PLAIN.model_dump(), **changes})


def test_event_opens_at_the_first_row_and_ends_at_the_first_below_when_all_times_are_zero() -> None:
    assert hops(feed(tracker_of(PLAIN), [0.4, 0.5, 0.5, 0.2])) == [("start", 2, 2), ("end", 4, 4)]


def test_scores_between_exit_and_enter_neither_open_nor_end() -> None:
    tracker = tracker_of(PLAIN)
    assert feed(tracker, [0.3, 0.49, 0.4]) == []
    assert hops(feed(tracker_of(PLAIN), [0.4, 0.6, 0.3, 0.4, 0.29])) == [("start", 2, 2), ("end", 5, 5)]


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 0.9, 1.0])
def test_a_score_equal_to_the_threshold_is_at_it(threshold: float) -> None:
    tracker = tracker_of(with_(enter=threshold, exit=threshold, smoothing_s=0.75))
    assert hops(feed(tracker, [threshold] * 9)) == [("start", 1, 1)]


def test_attack_needs_every_row_from_the_first_until_it_has_passed() -> None:
    half = with_(attack_s=0.5)
    assert hops(feed(tracker_of(half), [0.6, 0.6, 0.6])) == [("start", 3, 1)]
    assert feed(tracker_of(half), [0.6, 0.6, 0.4, 0.6, 0.6, 0.4]) == []
    assert hops(feed(tracker_of(half), [0.6, 0.4, 0.6, 0.6, 0.6])) == [("start", 5, 3)]


def test_attack_between_two_hops_opens_at_the_later() -> None:
    assert hops(feed(tracker_of(with_(attack_s=0.3)), [0.6, 0.6, 0.6])) == [("start", 3, 1)]


def test_release_counts_from_the_first_row_below_and_joins_shorter_gaps() -> None:
    release = with_(release_s=0.5)
    joined = feed(tracker_of(release), [0.6, 0.1, 0.1, 0.3, 0.1, 0.1, 0.1])
    assert hops(joined) == [("start", 1, 1), ("end", 7, 5)]


def test_event_stays_on_for_its_minimum_but_ends_where_the_score_fell() -> None:
    tracker = tracker_of(with_(attack_s=0.25, min_duration_s=1.0))
    decisions = feed(tracker, [0.6, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert hops(decisions) == [("start", 2, 1), ("end", 6, 3)]


def test_cooldown_counts_from_the_end_decision_and_no_attack_run_begins_in_it() -> None:
    tracker = tracker_of(with_(cooldown_s=1.0, attack_s=0.25))
    decisions = feed(tracker, [0.6, 0.6, 0.1, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])
    assert hops(decisions) == [("start", 2, 1), ("end", 3, 3), ("start", 8, 7)]


def test_smoothing_is_the_trailing_mean_over_its_span() -> None:
    tracker = tracker_of(with_(smoothing_s=1.0))
    # means: 0, 0.4, 0.533, 0.6 | 0.8, 0.6, 0.4, 0.2
    decisions = feed(tracker, [0.0, 0.8, 0.8, 0.8, 0.8, 0.0, 0.0, 0.0])
    assert hops(decisions) == [("start", 3, 3), ("end", 8, 8)]
    assert decisions[1].score == pytest.approx(0.8)
    assert decisions[1].score_mean == pytest.approx((1.6 / 3 + 0.6 + 0.8 + 0.6 + 0.4) / 5)


def test_smoothing_spans_time_not_rows() -> None:
    tracker = tracker_of(with_(smoothing_s=1.0))
    late = feed(tracker, [0.0, 0.0, 0.0, 0.6], positions=[HOP, 2 * HOP, 3 * HOP, 7 * HOP])
    assert hops(late) == [("start", 7, 7)]


def test_quiet_rows_begin_and_carry_no_attack_run_but_keep_an_event_on() -> None:
    loud, quiet = Level(-30, -20, -55, 0), Level(-40.1, -20, -55, 0)
    settings = with_(min_level_dbfs=-40, attack_s=0.25)
    rows = [0.9] * 6
    levels = [quiet, loud, quiet, loud, loud, quiet]
    assert hops(feed(tracker_of(settings), rows, levels=levels)) == [("start", 5, 4)]


def test_shifts_move_start_and_end_within_the_stream_and_the_event() -> None:
    tracker = tracker_of(with_(onset_shift_s=0.5, offset_shift_s=0.25))
    decisions = feed(tracker, [0.6, 0.1, 0.1, 0.1, 0.1, 0.6, 0.6, 0.1])
    assert hops(decisions) == [("start", 1, 0), ("end", 2, 1), ("start", 6, 4), ("end", 8, 7)]
    assert hops(feed(tracker_of(with_(offset_shift_s=9)), [0.6, 0.1])) == [("start", 1, 1), ("end", 2, 1)]
    ahead = with_(onset_shift_s=-9, offset_shift_s=-9)
    assert hops(feed(tracker_of(ahead), [0.6, 0.1])) == [("start", 1, 1), ("end", 2, 2)]


def test_a_start_is_never_shifted_into_the_event_before() -> None:
    tracker = tracker_of(with_(onset_shift_s=1.0))
    decisions = feed(tracker, [0.1, 0.6, 0.1, 0.6])
    assert hops(decisions) == [("start", 2, 0), ("end", 3, 3), ("start", 4, 3)]


def test_peak_mean_and_levels_cover_the_run_up_to_the_last_row_at_or_above_exit() -> None:
    tracker = tracker_of(with_(attack_s=0.25, release_s=0.5))
    rows = [0.5, 0.75, 0.25, 1.0, 0.25, 0.0, 0.0]
    over = [10.0, 5.0, 25.0, 12.0, 90.0, 90.0, 90.0]
    levels = [Level(-50 + db, 0, -50, 0) for db in over]
    start, end = feed(tracker, rows, levels=levels)
    assert (start.score, start.score_mean, start.level_dbfs) == (0.75, 0.625, -40.0)
    assert (end.score, end.score_mean, end.level_dbfs) == (1.0, 0.625, -25.0)
    assert (start.over_background_db, end.over_background_db) == (10.0, 25.0)
    assert end.threshold == 0.5


def test_every_gap_that_joins_counts_once_in_the_mean() -> None:
    tracker = tracker_of(with_(release_s=0.5))
    end = feed(tracker, [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0])[1]
    assert end.score_mean == pytest.approx(3 / 5)


def test_close_ends_an_event_that_had_a_gap_where_the_stream_ends() -> None:
    tracker = tracker_of(with_(release_s=0.5))
    feed(tracker, [0.6, 0.1, 0.6, 0.6])
    assert [d.end_pos for d in tracker.close(4 * HOP, "stopped")] == [4 * HOP]


def test_level_over_background_is_the_largest_not_that_of_the_loudest_row() -> None:
    levels = [Level(-20, 0, -30, 0), Level(-40, 0, -70, 0), QUIET]
    end = feed(tracker_of(PLAIN), [0.6, 0.6, 0.1], levels=levels)[1]
    assert (end.level_dbfs, end.over_background_db) == (-20, 30)


def test_a_gap_longer_than_the_release_ends_the_event_where_audio_stopped() -> None:
    tracker = tracker_of(with_(release_s=1.0))
    decisions = feed(tracker, [0.6, 0.6, 0.6], positions=[HOP, 2 * HOP, 42 * HOP])
    assert hops(decisions) == [("start", 1, 1), ("end", 7, 3), ("start", 42, 42)]


def test_a_gap_shorter_than_the_release_joins() -> None:
    tracker = tracker_of(with_(release_s=1.0))
    assert hops(feed(tracker, [0.6, 0.6], positions=[HOP, 6 * HOP])) == [("start", 1, 1)]


def test_a_lost_row_breaks_an_attack_run_but_a_loss_of_less_than_a_row_does_not() -> None:
    settings = with_(attack_s=0.5)
    assert feed(tracker_of(settings), [0.6, 0.6], positions=[HOP, 3 * HOP]) == []
    assert hops(feed(tracker_of(settings), [0.6, 0.6], positions=[HOP, 3 * HOP - 1])) == []
    whole = feed(tracker_of(settings), [0.6, 0.6, 0.6], positions=positions_of([HOP, HOP, HOP + 700]))
    assert hops(whole) == [("start", 3.175, 1)]


def test_cooldown_runs_on_through_a_gap() -> None:
    tracker = tracker_of(with_(cooldown_s=1.0))
    decisions = feed(tracker, [0.6, 0.6], positions=[HOP, 42 * HOP])
    assert hops(decisions) == [("start", 1, 1), ("end", 2, 2), ("start", 42, 42)]


def test_close_ends_what_is_on_and_drops_attack_runs() -> None:
    names = ["on", "releasing", "attacking", "idle"]
    settings = {name: with_(release_s=5.0, attack_s=0.25) for name in names}
    tracker = tracker_of(settings)
    feed(tracker, [[0.6, 0.6, 0, 0], [0.6, 0.6, 0, 0], [0.6, 0.1, 0.6, 0]])
    ends = tracker.close(3 * HOP + 50, "source_lost")
    assert [(d.label, d.type, d.end_pos, d.reason) for d in ends] == [
        ("on", "end", 3 * HOP + 50, "source_lost"),
        ("releasing", "end", 3 * HOP, "source_lost"),
    ]
    assert [d.overlapping for d in ends] == [("releasing",), ("on",)]
    assert tracker.active == ()
    assert tracker.close(3 * HOP + 50, "stopped") == ()
    assert tracker.push(4 * HOP, np.full(4, 0.6, np.float32), QUIET) == ()


def test_a_released_end_repeats_the_key_of_its_start_and_says_why() -> None:
    settings = {"a": PLAIN, "b": PLAIN}
    decisions = feed(tracker_of(settings), [[0.6, 0], [0.6, 0.6], [0, 0.6], [0, 0], [0.6, 0]])
    told = [(d.type, d.label, d.key, d.reason) for d in decisions]
    assert told == [
        ("start", "a", 1, None),
        ("start", "b", 2, None),
        ("end", "a", 1, "released"),
        ("end", "b", 2, "released"),
        ("start", "a", 3, None),
    ]


def test_one_row_tells_ends_before_starts_and_each_in_label_order() -> None:
    settings = dict.fromkeys("abcd", PLAIN)
    decisions = feed(tracker_of(settings), [[0, 0.6, 0, 0.6], [0.6, 0, 0.6, 0]])
    assert [(d.type, d.label) for d in decisions[2:]] == [
        ("end", "b"),
        ("end", "d"),
        ("start", "a"),
        ("start", "c"),
    ]


def test_overlapping_names_those_on_beside_the_event_in_label_order() -> None:
    settings = dict.fromkeys("abcd", PLAIN)
    rows = [[0, 0, 0, 0.6], [0, 0.6, 0, 0.6], [0.6, 0, 0.6, 0.6], [0, 0, 0, 0.6]]
    beside = [(d.type, d.label, "".join(d.overlapping)) for d in feed(tracker_of(settings), rows)]
    assert beside == [
        ("start", "d", ""),
        ("start", "b", "d"),
        ("end", "b", "d"),
        ("start", "a", "cd"),
        ("start", "c", "ad"),
        ("end", "a", "cd"),
        ("end", "c", "ad"),
    ]


def test_events_that_end_in_a_gap_end_in_the_order_of_time() -> None:
    settings = {"a": with_(release_s=2.0), "b": with_(release_s=1.0), "c": with_(release_s=60.0)}
    tracker = tracker_of(settings)
    decisions = feed(tracker, [[0.6] * 3, [0.6] * 3], positions=[HOP, 50 * HOP])[3:]
    told = [(d.type, d.label, d.decided_pos // HOP, "".join(d.overlapping)) for d in decisions]
    assert told == [
        ("end", "b", 6, "ac"),
        ("end", "a", 10, "c"),
        ("start", "a", 50, "bc"),
        ("start", "b", 50, "ac"),
    ]


def test_active_names_classes_that_are_on_or_releasing() -> None:
    settings = {"a": with_(release_s=1.0), "b": with_(attack_s=1.0), "c": PLAIN}
    tracker = tracker_of(settings, LoudSettings())
    feed(tracker, [[0.6, 0.6, 0.6], [0.1, 0.6, 0.6]], levels=[QUIET, fast(-20, -55)])
    assert tracker.active == ("a", "c", "loud")


def test_labels_without_settings_make_no_events() -> None:
    tracker = EventTracker(["background", "siren", "horn"], {"siren": PLAIN}, rate=RATE, hop=HOP)
    decisions = feed(tracker, [[0.9, 0.2, 0.9], [0.9, 0.6, 0.9]])
    assert [(d.label, d.score) for d in decisions] == [("siren", pytest.approx(0.6))]


def fast(lafmax_dbfs: float, l90_dbfs: float) -> Level:
    """A hop whose weighted levels differ from its RMS."""
    return Level(-33, 0, -33, 0, lafmax_dbfs=lafmax_dbfs, l90_dbfs=l90_dbfs)


def test_loud_runs_on_decibels_of_the_fast_level_over_l90() -> None:
    over = [19.9, 20.0, 35.0, 10.0, 9.9, 50.0]
    tracker = tracker_of({}, LoudSettings(release_s=0.0))
    decisions = feed(tracker, [[]] * 6, levels=[fast(-55 + db, -55) for db in over])
    assert hops(decisions) == [("start", 2, 2), ("end", 5, 5), ("start", 6, 6)]
    assert {d.label for d in decisions} == {"loud"}
    assert [d.score for d in decisions] == [0.5, 0.875, 1.0]
    assert [d.over_l90_db for d in decisions] == [20.0, 35.0, 50.0]
    assert [d.lafmax_dbfs for d in decisions] == [-35.0, -20.0, -5.0]
    assert {(d.level_dbfs, d.over_background_db) for d in decisions} == {(-33.0, 0.0)}
    assert decisions[0].threshold == 0.5


def test_loud_has_a_level_of_its_own() -> None:
    tracker = tracker_of({}, LoudSettings(min_level_dbfs=-60.0))
    assert feed(tracker, [[], []], levels=[fast(-61, -100), fast(-120, -100)]) == []


NIGHT = {"from": "22:00", "to": "07:00", "enter_db": 10, "exit_db": 5, "min_level_dbfs": -80}


@pytest.mark.parametrize(
    ("clock", "night"),
    [("21:59", False), ("22:00", True), ("00:00", True), ("06:59", True), ("07:00", False)],
)
def test_loud_hours_cover_local_times_across_midnight(clock: str, night: bool) -> None:
    loud = LoudSettings(hours=[NIGHT], cooldown_s=3.0)
    now = loud.at(60.0 * (60 * int(clock[:2]) + int(clock[3:])))
    assert (now.enter_db, now.exit_db, now.min_level_dbfs) == ((10, 5, -80) if night else (20, 10, -60))
    assert now.cooldown_s == 3.0


def test_loud_follows_the_threshold_of_the_hour() -> None:
    times = {HOP * n: (22 * 3600.0 if n >= 3 else 21 * 3600.0) for n in range(1, 7)}
    loud = LoudSettings(hours=[NIGHT], release_s=0.0)
    tracker = EventTracker([], {}, rate=RATE, hop=HOP, loud=loud, time_of_day_s=times.__getitem__)
    decisions = feed(tracker, [[]] * 6, levels=[fast(-40, -55)] * 4 + [fast(-51, -55)] * 2)
    assert hops(decisions) == [("start", 3, 3), ("end", 5, 5)]
    assert [d.threshold for d in decisions] == [0.25, 0.25]


def test_an_open_loud_event_ends_by_the_threshold_of_the_new_hour() -> None:
    times = {HOP * n: (7 * 3600.0 if n >= 3 else 6 * 3600.0) for n in range(1, 5)}
    loud = LoudSettings(hours=[NIGHT], release_s=0.0)
    tracker = EventTracker([], {}, rate=RATE, hop=HOP, loud=loud, time_of_day_s=times.__getitem__)
    decisions = feed(tracker, [[]] * 4, levels=[fast(-47, -55)] * 4)
    assert decisions == []
    tracker.reset()
    decisions = feed(tracker, [[]] * 4, levels=[fast(-44, -55)] * 2 + [fast(-46, -55)] * 2)
    assert hops(decisions) == [("start", 1, 1), ("end", 3, 3)]


def test_loud_hours_refuse_times_and_thresholds_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="from"):
        LoudSettings(hours=[{**NIGHT, "from": "24:00"}])
    with pytest.raises(ValueError, match="exit_db 10 is above enter_db 8"):
        LoudSettings(hours=[{"from": "22:00", "to": "07:00", "enter_db": 8}])


def test_loud_refuses_an_exit_above_enter() -> None:
    with pytest.raises(ValueError, match="exit_db 21 is above enter_db 20"):
        LoudSettings(exit_db=21)


def test_positions_that_do_not_rise_are_a_bug_and_raise() -> None:
    tracker = tracker_of(PLAIN)
    feed(tracker, [0.1])
    with pytest.raises(ValueError, match="position 4000 is not after 4000"):
        tracker.push(HOP, np.zeros(1, np.float32), QUIET)


def test_settings_of_unknown_labels_and_a_label_called_loud_are_refused() -> None:
    with pytest.raises(ValueError, match="sirren"):
        EventTracker(["siren"], {"sirren": PLAIN}, rate=RATE, hop=HOP)
    with pytest.raises(ValueError, match="loud"):
        tracker_of({"loud": PLAIN}, LoudSettings())


def test_the_table_lets_every_state_be_reached_and_left() -> None:
    assert {state for state, _ in TRANSITIONS} == set(State)
    assert set(TRANSITIONS.values()) == set(State)
