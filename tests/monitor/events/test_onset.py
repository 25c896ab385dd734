"""Laws of an event's date: from within the rise of its score, whatever the threshold that noticed it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracking import HOP, HOP_S, QUIET, RATE, feed, tracker_of

from monitor.events.machine import ClassMachine
from monitor.events.onset import LEAST, RISE_SHARE, Rise, log_odds
from monitor.settings import ClassSettings

SLOW = ClassSettings(enter=0.5, exit=0.3, attack_s=0.5, release_s=0.0, rise_s=1.0)


def of_odds(*odds: float) -> list[float]:
    return [float(1 / (1 + np.exp(-one))) for one in odds]


def begin_hops(settings: ClassSettings, scores: list[float]) -> list[float]:
    decisions = feed(tracker_of(settings), scores)
    return [d.start_pos / HOP for d in decisions if d.type == "start"]


def test_an_event_is_dated_where_its_score_had_come_two_fifths_up() -> None:
    # From -4 in row 2 to 4 in row 6: -0.8 lies between rows 3 and 4.
    scores = of_odds(-4, -4, -2, 0.0, 2, 4)
    (begin,) = begin_hops(SLOW, scores)
    assert begin == pytest.approx(3 + 1.2 / 2, abs=1e-3)


def test_the_date_does_not_depend_on_the_threshold_that_the_rise_passes() -> None:
    scores = of_odds(-4, -4, -2, 0.5, 2, 4, 4, 4)
    begins = [
        begin_hops(SLOW.model_copy(update={"enter": enter, "exit": 0.1}), scores)
        for enter in (0.15, 0.3, 0.6, 0.8)
    ]
    assert begins == [begins[0]] * 4
    assert len(begins[0]) == 1


def test_a_rise_further_back_than_is_looked_for_dates_nothing() -> None:
    early = of_odds(-6, -2, -2, -2, -2, -2, 3, 3, 3)
    late = of_odds(-2, -2, -2, -2, -2, -2, 3, 3, 3)
    assert begin_hops(SLOW, early) == begin_hops(SLOW, late)


def test_a_run_that_begins_a_stream_is_dated_from_its_first_row() -> None:
    assert begin_hops(SLOW, [0.9, 0.9, 0.9]) == [1.0]


def test_lost_audio_counts_as_silence() -> None:
    # Rows 3 to 5 never came.
    positions = [HOP * n for n in (1, 2, 6, 7, 8)]
    lost = feed(tracker_of(SLOW), [0.3, 0.3, 0.9, 0.9, 0.9], positions=positions)
    silent = feed(tracker_of(SLOW), [0.3, 0.3, 0.0, 0.0, 0.0, 0.9, 0.9, 0.9])
    assert [d.start_pos for d in lost] == [d.start_pos for d in silent]
    assert 5.0 < lost[0].start_pos / HOP < 6.0


def test_smoothing_lets_the_rise_begin_as_much_earlier() -> None:
    scores = of_odds(-4, -4, 4, 4, 4, 4, 4, 4, 4)
    smooth = SLOW.model_copy(update={"smoothing_s": 2.0, "rise_s": 0.5})
    assert begin_hops(smooth, scores) == [pytest.approx(2 + RISE_SHARE, abs=1e-3)]


@given(
    st.lists(st.sampled_from([0.0, 0.01, 0.2, 0.5, 0.9, 1.0]), min_size=1, max_size=30),
    st.sampled_from([0.0, 0.25, 0.6]),
    st.sampled_from([0.25, 1.0, 5.0]),
)
def test_the_date_lies_between_the_look_back_and_the_decision(
    scores: list[float], attack_s: float, rise_s: float
) -> None:
    settings = ClassSettings(enter=0.4, exit=0.4, attack_s=attack_s, release_s=0.0, rise_s=rise_s)
    machine = ClassMachine("siren", settings, rate=RATE, next_key=lambda: 1)
    run, ended = 0, 0
    for row, score in enumerate(scores, start=1):
        run = run + 1 if score >= 0.4 else 0
        decision = machine.push(row * HOP, score, QUIET)
        if decision is None:
            continue
        if decision.type == "start":
            first = row - run + 1
            earliest = max(ended, first * HOP - round(rise_s * RATE), HOP)
            assert earliest <= decision.start_pos <= decision.decided_pos
        ended = decision.end_pos or ended


def test_scores_at_the_ends_count_as_the_least_that_can_be_told_from_them() -> None:
    assert log_odds(0.0) == log_odds(LEAST) == pytest.approx(-log_odds(1.0))


def test_only_the_rows_that_can_matter_are_kept() -> None:
    rise = Rise(round(1.0 / HOP_S) * HOP)
    for row in range(1, 1000):
        rise.push(row * HOP, 0.5, row * HOP)
    assert len(rise._rows) == 5
