"""Each class that came near has exactly one reason unless it is on, and each reason means what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracking import HOP, QUIET, RATE, class_settings, levels, scores, steps, tracker_of

from monitor.events.loud import LoudSettings
from monitor.events.machine import ClassMachine
from monitor.events.tracker import EventTracker
from monitor.events.why import NEAR_SHARE, near_text
from monitor.records import Level, Near
from monitor.settings import ClassSettings

PLAIN = ClassSettings(enter=0.6, exit=0.3, release_s=0.0)
LOUD_ROW = Level(rms_dbfs=-20.0, peak_dbfs=-10.0, background_dbfs=-55.0, clipped=0)


def reasons(
    settings: ClassSettings, rows: list[float], *, level: Level = QUIET, rejected: bool = False
) -> list[str | None]:
    """The reason of each row of one class; None where there is none."""
    tracker = tracker_of(settings)
    found: list[str | None] = []
    for index, row in enumerate(rows, 1):
        raw = np.array([row], np.float32)
        accepted = np.zeros_like(raw) if rejected else raw
        tracker.push(index * HOP, accepted, level)
        near = tracker.near(raw, level, accepted=accepted)
        assert len(near) <= 1
        found.append(near[0].reason if near else None)
    return found


def test_a_score_from_half_of_the_threshold_is_near_and_below_it() -> None:
    assert reasons(PLAIN, [0.29, 0.31, 0.59, 0.6]) == [None, "below_threshold", "below_threshold", None]


def test_a_quiet_row_over_the_threshold_is_too_quiet() -> None:
    settings = PLAIN.model_copy(update={"min_level_dbfs": -40.0})
    assert reasons(settings, [0.7]) == ["too_quiet"]
    assert reasons(settings, [0.7], level=LOUD_ROW) == [None]


def test_an_attack_run_that_goes_on_or_ends_is_not_held() -> None:
    settings = PLAIN.model_copy(update={"attack_s": 0.5})
    assert reasons(settings, [0.7, 0.7, 0.4, 0.4, 0.7, 0.7, 0.7]) == [
        "attack_not_held",
        "attack_not_held",
        "attack_not_held",
        "below_threshold",
        "attack_not_held",
        "attack_not_held",
        None,
    ]


def test_after_an_event_the_cooldown_is_the_reason() -> None:
    settings = PLAIN.model_copy(update={"cooldown_s": 0.5})
    assert reasons(settings, [0.7, 0.0, 0.7, 0.7]) == [None, None, "cooldown", None]


def test_a_row_that_the_reject_rule_takes_is_rejected() -> None:
    assert reasons(PLAIN, [0.7, 0.2], rejected=True) == ["rejected", None]


def test_a_class_that_makes_no_events_is_not_enabled() -> None:
    tracker = EventTracker(["siren", "bell"], {"siren": PLAIN}, rate=RATE, hop=HOP, disabled={"bell": 0.6})
    row = np.array([0.1, 0.7], np.float32)
    assert tracker.push(HOP, row, QUIET) == ()
    (near,) = tracker.near(row, QUIET, accepted=row)
    assert (near.label, near.reason, near.limit) == ("bell", "not_enabled", 0.6)


def test_disabled_labels_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="bell"):
        EventTracker(["siren"], {"siren": PLAIN}, rate=RATE, hop=HOP, disabled={"bell": 0.6})


def test_a_reason_reads_as_a_line() -> None:
    near = Near("dog_bark", 0.44, "below_threshold", 0.41, 0.55)
    assert near_text(near) == "dog_bark           0.44  below threshold, smoothed 0.41 of 0.55"
    assert "never reported" in near_text(Near("dog_bark", 0.99, "below_threshold", 0.99, 1.0))


@given(
    st.fixed_dictionaries({label: class_settings() for label in ("a", "b")}),
    st.lists(
        st.tuples(steps, st.tuples(scores, scores, scores), levels, st.booleans()), min_size=1, max_size=40
    ),
)
def test_a_class_that_came_near_is_on_or_has_exactly_one_reason(
    settings: dict[str, ClassSettings], rows: list[tuple[int, tuple[float, ...], Level, bool]]
) -> None:
    enter = {"a": settings["a"].enter, "b": settings["b"].enter, "c": 0.5}
    tracker = EventTracker(
        list("abc"), settings, rate=RATE, hop=HOP, loud=LoudSettings(), disabled={"c": enter["c"]}
    )
    position = 0
    for step, row, level, rejected in rows:
        position += step
        raw = np.array(row, np.float32)
        accepted = np.zeros_like(raw) if rejected else raw
        decisions = tracker.push(position, accepted, level)
        near = tracker.near(raw, level, accepted=accepted)
        labels = [one.label for one in near]
        assert len(set(labels)) == len(labels)
        assert not {d.label for d in decisions if d.type == "start"} & set(labels)
        assert not set(tracker.active) & set(labels)
        for label, score in zip("abc", raw, strict=True):
            if score >= np.float32(NEAR_SHARE * enter[label]) and label not in tracker.active:
                assert label in labels


@given(class_settings(), st.lists(st.tuples(scores, levels, st.booleans()), min_size=1, max_size=30))
def test_what_the_reason_says_is_true(settings: ClassSettings, rows: list[tuple[float, Level, bool]]) -> None:
    """Lifting the one thing that a reason names would have changed what the machine did."""
    tracker = tracker_of(settings)
    enter = float(np.float32(settings.enter))
    for index, (row, level, rejected) in enumerate(rows, 1):
        raw = np.array([row], np.float32)
        accepted = np.zeros_like(raw) if rejected else raw
        tracker.push(index * HOP, accepted, level)
        for near in tracker.near(raw, level, accepted=accepted):
            if near.reason == "below_threshold":
                assert near.value < near.limit == enter
                assert accepted == raw
            elif near.reason == "too_quiet":
                assert near.value < near.limit == settings.min_level_dbfs
            elif near.reason == "rejected":
                assert rejected
            else:
                assert near.reason in ("attack_not_held", "cooldown")
                expected = settings.attack_s if near.reason == "attack_not_held" else settings.cooldown_s
                assert near.limit == pytest.approx(expected, abs=1 / RATE)
                assert near.value >= 0


@given(class_settings(), st.lists(st.tuples(scores, levels), min_size=1, max_size=30))
def test_a_run_shorter_than_its_attack_is_what_attack_not_held_reports(
    settings: ClassSettings, rows: list[tuple[float, Level]]
) -> None:
    machine = ClassMachine("siren", settings, rate=RATE, next_key=lambda: 1)
    for index, (row, level) in enumerate(rows, 1):
        machine.push(index * HOP, float(np.float32(row)), level)
        standing = machine.standing
        if standing.attack is not None and machine.smoothed >= machine.limits.enter and not machine.on:
            assert standing.attack < machine.limits.attack or level.rms_dbfs < settings.min_level_dbfs
