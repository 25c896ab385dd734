"""An episode's peak is the highest threshold at which the state machine reports it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.machine import ClassMachine
from monitor.records import Level
from monitor.settings import ClassSettings
from monitor.tuning.peaks import FLOOR, EpisodePeaks, alerts_at

RATE, HOP = 16000, 4000
LEVEL = Level(-40.0, -30.0, -60.0, 0)


def peaks_of(settings: ClassSettings, scores: list[float]) -> list[float]:
    follower = EpisodePeaks(settings, RATE)
    found = [follower.push(row * HOP, score) for row, score in enumerate(scores, 1)]
    return [peak for peak in (*found, follower.close()) if peak is not None]


def starts(settings: ClassSettings, scores: list[float]) -> int:
    machine = ClassMachine("siren", settings, rate=RATE, next_key=lambda: 1)
    decisions = [machine.push(row * HOP, score, LEVEL) for row, score in enumerate(scores, 1)]
    return sum(d is not None and d.type == "start" for d in decisions)


def test_a_run_is_as_high_as_its_lowest_row() -> None:
    held = ClassSettings(attack_s=0.5, release_s=0.0)
    assert peaks_of(held, [0.0, 0.9, 0.6, 0.7, 0.0, 0.8, 0.0]) == [0.6]
    assert peaks_of(ClassSettings(release_s=0.0), [0.0, 0.9, 0.6, 0.0, 0.8, 0.0]) == [0.9, 0.8]


def test_a_gap_shorter_than_the_release_joins() -> None:
    assert peaks_of(ClassSettings(release_s=0.5), [0.5, 0.0, 0.9, 0.0, 0.0, 0.0, 0.7]) == [0.9, 0.7]


def test_alerts_are_the_peaks_at_or_above_the_threshold() -> None:
    assert [alerts_at([0.2, 0.6, 0.9], threshold) for threshold in (0.1, 0.6, 0.95)] == [3, 2, 0]


@given(
    st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.8]), min_size=1, max_size=25),
    st.sampled_from([0.0, 0.25, 0.5, 0.6]),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from([0.15, 0.4, 0.6]),
)
def test_the_machine_reports_something_exactly_where_a_peak_reaches_the_threshold(
    scores: list[float], attack_s: float, smoothing_s: float, threshold: float
) -> None:
    scores = [float(np.float32(score)) for score in scores]
    settings = ClassSettings(
        enter=threshold, exit=FLOOR, attack_s=attack_s, smoothing_s=smoothing_s, release_s=0.25
    )
    found = alerts_at(peaks_of(settings, scores), float(np.float32(threshold)))
    reported = starts(settings, scores)
    assert found == reported
