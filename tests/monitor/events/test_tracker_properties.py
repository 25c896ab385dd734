"""Laws that hold for any settings and any rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from tracking import HOP, QUIET, RATE, class_settings, feed, levels, positions_of, scores, steps, tracker_of

from monitor.events.loud import LoudSettings
from monitor.events.tracker import EventTracker
from monitor.records import Decision, Level
from monitor.settings import ClassSettings

LABELS = ("a", "b", "c")
Row = tuple[int, tuple[float, ...], Level]

streams = st.lists(st.tuples(steps, st.tuples(scores, scores, scores), levels), min_size=1, max_size=40)
three_classes = st.fixed_dictionaries({label: class_settings() for label in LABELS})


def track(
    settings: dict[str, ClassSettings], rows: list[Row], *, start: int = 0, loud: LoudSettings | None = None
) -> list[Decision]:
    """Decisions of a whole stream whose first row ends one step after ``start``, closed where it ends."""
    ordered = {label: settings[label] for label in LABELS if label in settings}
    return _track(tracker_of(ordered, loud), rows, start)


def _track(tracker: EventTracker, rows: list[Row], start: int = 0) -> list[Decision]:
    positions = [start + position for position in positions_of([step for step, _, _ in rows])]
    decisions = feed(
        tracker, [row for _, row, _ in rows], positions=positions, levels=[level for *_, level in rows]
    )
    return decisions + list(tracker.close(positions[-1], "stopped"))


def alone(decisions: list[Decision], label: str) -> list[Decision]:
    """One label's decisions without what depends on the others."""
    return [replace(d, key=0, overlapping=()) for d in decisions if d.label == label]


@given(three_classes, streams)
def test_starts_and_ends_alternate_and_match(settings: dict[str, ClassSettings], rows: list[Row]) -> None:
    decisions = track(settings, rows, loud=LoudSettings())
    assert [d.key for d in decisions if d.type == "start"] == list(
        range(1, sum(d.type == "start" for d in decisions) + 1)
    )
    assert [d.decided_pos for d in decisions] == sorted(d.decided_pos for d in decisions)
    for label in (*LABELS, "loud"):
        own = [d for d in decisions if d.label == label]
        assert [d.type for d in own] == ["start", "end"] * (len(own) // 2)
        last_end = 0
        for start, end in zip(own[::2], own[1::2], strict=True):
            assert (start.key, start.start_pos) == (end.key, end.start_pos)
            assert start.end_pos is None
            assert end.end_pos is not None
            assert last_end <= start.start_pos <= start.decided_pos <= end.decided_pos
            assert start.start_pos <= end.end_pos <= end.decided_pos
            assert start.score <= end.score
            assert start.level_dbfs <= end.level_dbfs
            last_end = end.end_pos


@given(three_classes, streams)
def test_classes_do_not_influence_each_other(settings: dict[str, ClassSettings], rows: list[Row]) -> None:
    together = track(settings, rows)
    for column, label in enumerate(LABELS):
        own = [(step, (row[column],), level) for step, row, level in rows]
        assert alone(together, label) == alone(track({label: settings[label]}, own), label)


@given(three_classes, streams, st.integers(0, 60))
def test_after_reset_the_same_rows_give_the_same_decisions(
    settings: dict[str, ClassSettings], rows: list[Row], before: int
) -> None:
    tracker = tracker_of(settings)
    feed(tracker, [row for _, row, _ in rows[:before]])
    tracker.reset()
    fresh = tracker_of(settings)
    assert _track(tracker, rows) == _track(fresh, rows)


@given(three_classes, streams, st.integers(1, 10**6))
def test_later_rows_give_the_same_decisions_later(
    settings: dict[str, ClassSettings], rows: list[Row], shift_hops: int
) -> None:
    base = 2 * RATE  # the longest onset shift: otherwise the stream's beginning holds a start back
    shift = shift_hops * HOP
    moved = [
        replace(
            d,
            decided_pos=d.decided_pos + shift,
            start_pos=d.start_pos + shift,
            end_pos=None if d.end_pos is None else d.end_pos + shift,
        )
        for d in track(settings, rows, start=base)
    ]
    assert track(settings, rows, start=base + shift) == moved


SILENT = Level(rms_dbfs=-120.0, peak_dbfs=-120.0, background_dbfs=-55.0, clipped=0)


@example(
    ClassSettings(enter=0.1, exit=0.1, release_s=0.0, min_duration_s=0.6),
    [(HOP, (0.0,), QUIET), (HOP, (0.1,), SILENT), (2 * HOP, (0.0,), SILENT), (HOP, (0.1,), SILENT)],
)
@given(class_settings(), streams)
def test_rows_that_are_missing_are_like_rows_of_silence(settings: ClassSettings, rows: list[Row]) -> None:
    settings = settings.model_copy(update={"smoothing_s": 0.0})
    on_grid = [(max(1, step // HOP), row[:1], level) for step, row, level in rows]
    sparse = [(count * HOP, row, level) for count, row, level in on_grid]
    # The first row begins the stream: nothing is missing before it.
    dense: list[Row] = sparse[:1]
    for count, row, level in on_grid[1:]:
        dense += [(HOP, (0.0,), SILENT)] * (count - 1) + [(HOP, row, level)]
    # Except that a mean is one of the rows that were heard.
    heard, filled = track({"a": settings}, sparse), track({"a": settings}, dense)
    assert [replace(d, score_mean=0) for d in heard] == [replace(d, score_mean=0) for d in filled]


@given(class_settings(), st.lists(st.tuples(scores, levels), max_size=40))
def test_one_class_equals_its_definition(settings: ClassSettings, rows: list[tuple[float, Level]]) -> None:
    tracker = tracker_of(settings)
    decisions = feed(tracker, [score for score, _ in rows], levels=[level for _, level in rows])
    decided = [d.decided_pos for d in decisions]
    assert decided == [position for event in _events(settings, rows) for position in event]


def _events(settings: ClassSettings, rows: list[tuple[float, Level]]) -> list[list[int]]:
    """Positions at which events open and end, read off the whole list by the definitions."""
    at = [(index + 1) * HOP for index in range(len(rows))]
    raw = np.array([score for score, _ in rows], np.float32).astype(float)
    enter, exit_ = float(np.float32(settings.enter)), float(np.float32(settings.exit))
    span = max(1, settings.smoothing_s * RATE)
    mean = [np.mean([raw[j] for j in range(i + 1) if at[j] > at[i] - span]) for i in range(len(rows))]
    rises = [m >= enter and level.rms_dbfs >= settings.min_level_dbfs for m, (_, level) in zip(mean, rows)]  # noqa: B905
    events: list[list[int]] = []
    free = 0
    while True:
        opens = [
            (first, opened)
            for first in range(free, len(rows))
            for opened in range(first, len(rows))
            if at[opened] - at[first] >= settings.attack_s * RATE and all(rises[first : opened + 1])
        ]
        if not opens:
            return events
        _, opened = min(opens)
        ends = [
            end
            for end in range(opened, len(rows))
            for below in range(opened, end + 1)
            if max(mean[below : end + 1]) < exit_
            and at[end] - at[below] >= settings.release_s * RATE
            and at[end] - at[opened] >= settings.min_duration_s * RATE
        ]
        if not ends:
            return [*events, [at[opened]]]
        events.append([at[opened], at[min(ends)]])
        rested = [i for i in range(len(rows)) if at[i] - events[-1][1] >= settings.cooldown_s * RATE]
        free = rested[0] if rested else len(rows)


@given(three_classes, three_classes, streams, st.data())
def test_settings_changed_within_a_stream_keep_its_laws(
    before: dict[str, ClassSettings], after: dict[str, ClassSettings], rows: list[Row], data: st.DataObject
) -> None:
    kept = data.draw(st.sets(st.sampled_from(LABELS)))
    at = data.draw(st.integers(0, len(rows)))
    positions = positions_of([step for step, _, _ in rows])
    tracker = tracker_of({label: before[label] for label in LABELS})
    decisions: list[Decision] = []
    for index, (_, row, level) in enumerate(rows):
        if index == at:
            on = set(tracker.active)
            ended = tracker.configure({label: after[label] for label in kept}, loud=None, disabled=None)
            assert {d.label for d in ended} == on - kept
            assert all(d.type == "end" and d.reason == "stopped" for d in ended)
            assert set(tracker.active) == on & kept
            decisions += ended
        decisions += tracker.push(positions[index], np.array(row, np.float32), level)
    decisions += tracker.close(positions[-1], "stopped")
    for label in LABELS:
        own = [d for d in decisions if d.label == label]
        assert [d.type for d in own] == ["start", "end"] * (len(own) // 2)
        assert (
            label in kept
            or at == len(rows)
            or all(d.decided_pos <= (positions[at - 1] if at else 0) for d in own)
        )
        ends = [d.end_pos for d in own if d.end_pos is not None]
        assert all(end <= start.start_pos for end, start in zip(ends, own[2::2], strict=False))


@given(three_classes, streams, st.integers(0, 40))
def test_settings_that_stay_the_same_change_nothing(
    settings: dict[str, ClassSettings], rows: list[Row], at: int
) -> None:
    tracker = tracker_of({label: settings[label] for label in LABELS})
    positions = positions_of([step for step, _, _ in rows])
    decisions: list[Decision] = []
    for index, (_, row, level) in enumerate(rows):
        if index == at:
            assert tracker.configure(settings, loud=None, disabled=None) == ()
        decisions += tracker.push(positions[index], np.array(row, np.float32), level)
    decisions += tracker.close(positions[-1], "stopped")
    assert decisions == track(settings, rows)
