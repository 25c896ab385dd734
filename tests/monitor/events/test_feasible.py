"""Laws of the check for classes that cannot be detected by construction."""

from __future__ import annotations

import math

import hypothesis
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tracking import HOP, QUIET, RATE, class_settings, feed, tracker_of

from monitor.events.feasible import check_feasible
from monitor.settings import ClassSettings


def severity(settings: ClassSettings, shortest_s: float, window_s: float, hop_s: float) -> str | None:
    problem = check_feasible("gun_shot", settings, shortest_s, window_s, hop_s)
    return problem and problem.severity


def test_the_defaults_suit_any_sound() -> None:
    assert severity(ClassSettings(), 0.01, 0.96, 0.48) is None


@pytest.mark.parametrize(
    ("attack_s", "verdict"),
    # Sound 0.5 s, window 1 s, hop 0.25 s: at best 6 rows, five hops from first to last; at least
    # half filled 4 rows, three hops.
    [(0.0, None), (0.75, None), (0.76, "warn"), (1.0, "warn"), (1.25, "warn"), (1.26, "refuse")],
)
def test_attack_is_held_against_the_rows_that_a_sound_can_fill(attack_s: float, verdict: str | None) -> None:
    assert severity(ClassSettings(attack_s=attack_s), 0.5, 1.0, 0.25) == verdict


@pytest.mark.parametrize(
    ("smoothing_s", "enter", "verdict"),
    # Sound 0.25 s, window 0.5 s, hop 0.25 s: at best 3 rows, at least half filled 2.
    [(0.5, 1.0, None), (0.75, 0.9, "warn"), (1.0, 0.75, "warn"), (1.0, 0.8, "refuse"), (2.0, 0.25, None)],
)
def test_smoothing_is_held_against_them_too(smoothing_s: float, enter: float, verdict: str | None) -> None:
    settings = ClassSettings(enter=enter, exit=0.1, smoothing_s=smoothing_s)
    assert severity(settings, 0.25, 0.5, 0.25) == verdict


def test_a_hop_longer_than_window_and_sound_may_miss_the_sound() -> None:
    assert severity(ClassSettings(), 0.2, 0.5, 1.0) == "warn"


def test_a_level_gate_shortens_the_attack_that_fits() -> None:
    settings = ClassSettings(attack_s=0.75)
    assert severity(settings, 0.5, 1.0, 0.25) is None
    gated = settings.model_copy(update={"min_level_dbfs": -40.0})
    problem = check_feasible("gun_shot", gated, 0.5, 1.0, 0.25)
    assert problem is not None
    assert problem.severity == "warn"
    assert "attack_s must be 0.5 or less while min_level_dbfs -40 must hold too" in problem.text


def test_the_text_names_label_numbers_and_the_largest_attack_that_works() -> None:
    problem = check_feasible("gun_shot", ClassSettings(attack_s=3.0), 0.5, 1.0, 0.25)
    assert problem is not None
    assert problem.text == (
        "gun_shot (shortest sound 0.5 s, window 1 s, hop 0.25 s) can never switch on: "
        "attack_s 3 asks for more than it can give; attack_s must be 1.25 or less"
    )
    assert severity(ClassSettings(attack_s=1.25), 0.5, 1.0, 0.25) != "refuse"


def test_the_text_says_when_no_attack_works() -> None:
    problem = check_feasible("gun_shot", ClassSettings(enter=0.9, smoothing_s=5.0), 0.5, 1.0, 0.25)
    assert problem is not None
    assert problem.severity == "refuse"
    assert "lower smoothing_s or enter" in problem.text


def opens(settings: ClassSettings, seen_s: float, phase: int) -> bool:
    """Does a class open whose model scores 1 in rows that end within ``seen_s`` of a moment, else 0?"""
    first = 40 * HOP + phase
    seen = [first < (row + 1) * HOP < first + seen_s * RATE for row in range(120)]
    return bool(feed(tracker_of(settings), [float(one) for one in seen], levels=[QUIET] * 120))


whole_settings = class_settings().map(
    lambda s: s.model_copy(update={"attack_s": round(s.attack_s * 4), "min_level_dbfs": -120.0})
)
lengths = st.sampled_from([0.05, 0.25, 0.3, 0.5, 1.0, 2.1])


@given(whole_settings, lengths, lengths)
def test_refused_is_undetectable_and_what_is_not_refused_opens_at_some_moment(
    settings: ClassSettings, shortest_s: float, window_s: float
) -> None:
    verdict = severity(settings, shortest_s, window_s, HOP / RATE)
    phases = range(1, HOP, 333)
    assert any(opens(settings, window_s + shortest_s, phase) for phase in phases) == (verdict != "refuse")


# Most drawn settings are warned of: more than hypothesis takes for right.
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.filter_too_much])
@given(whole_settings, lengths, lengths)
def test_what_is_not_warned_of_opens_at_every_moment(
    settings: ClassSettings, shortest_s: float, window_s: float
) -> None:
    half_s = max(window_s, shortest_s)
    verdict = severity(settings, shortest_s, window_s, HOP / RATE)
    assume(verdict is None)
    assert all(opens(settings, half_s, phase) for phase in range(1, HOP, 333))


def test_half_of_the_shorter_lies_in_the_windows_that_end_within_the_longer() -> None:
    """The geometry behind the warning, on a fine grid of window ends."""
    for window_s, sound_s in [(1.0, 0.3), (0.5, 2.0), (1.0, 1.0)]:
        step = 0.001
        ends = [i * step for i in range(1, math.ceil((window_s + sound_s) / step))]
        overlaps = [min(end, sound_s) - max(0.0, end - window_s) for end in ends]
        half = sum(overlap >= min(window_s, sound_s) / 2 for overlap in overlaps) * step
        assert half == pytest.approx(max(window_s, sound_s), abs=3 * step)
