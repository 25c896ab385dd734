"""A limit on false alarms is divided where it detects most, by rates that few alarms could not show."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.settings import ClassSettings
from training.data.corpora import LABELS
from training.mixing.streams import Scored
from training.scoring.allocation import TAIL, Candidate, Limit, Tail, allocate
from training.scoring.calibration import BUDGETS, TEMPERS, CalibrationStreams
from training.scoring.candidates import candidates
from training.scoring.event_logic import Tape

HOP_S = 0.5


def candidate(worth: float, per_hour: float, others: float = 0.0) -> Candidate:
    return Candidate(ClassSettings(enter=0.5, exit=0.1), worth, per_hour, others)


def stream(scores: np.ndarray, **facts: object) -> Scored:
    rows = np.repeat(scores[:, None], len(LABELS), axis=1).astype(np.float32)
    times = HOP_S * np.arange(1, len(scores) + 1)
    return Scored("", "", 0.0, 0.0, times, rows, (), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("excess", [0.3, 1.0, 2.0])
def test_the_rate_of_an_exponential_tail_is_found_where_no_peak_is(excess: float) -> None:
    hours, estimates = 100.0, []
    level = 5 * excess + excess * math.log(10)
    for seed in range(60):
        peaks = np.sort(np.random.default_rng(seed).exponential(excess, 36_000))[::-1]
        estimates.append(Tail(peaks, hours).per_hour(level))
    # 360 an hour, exp(−5)/10 of them above the level.
    assert np.median(estimates) == pytest.approx(36 * math.exp(-5), rel=0.25)


def test_frequent_peaks_are_counted() -> None:
    tail = Tail(np.arange(100.0, 0.0, -1.0), 2.0)
    assert tail.per_hour(50.5) == 25.0
    assert tail.per_hour(100.5 - TAIL) == TAIL / 2.0
    rates = [tail.per_hour(level) for level in np.linspace(0, 150, 300)]
    assert rates == sorted(rates, reverse=True)


def test_the_limit_goes_where_it_detects_most() -> None:
    dear = [candidate(0.2, 1.0), candidate(0.1, 0.1)]
    cheap = [candidate(0.9, 0.8), candidate(0.3, 0.1)]
    chosen = allocate({"dear": dear, "cheap": cheap}, Limit(1.0, 0.02))
    assert (chosen["dear"], chosen["cheap"]) == (dear[1], cheap[0])
    assert allocate({"dear": dear, "cheap": cheap}, Limit(2.0, 0.02))["dear"] == dear[0]


def test_no_class_is_silent_for_anothers_sake() -> None:
    weak = [candidate(0.01, 0.2), candidate(0.0, 0.0)]
    strong = [candidate(0.9, 0.9), candidate(0.5, 0.2)]
    chosen = allocate({"weak": weak, "strong": strong}, Limit(1.0, 0.02))
    assert (chosen["weak"], chosen["strong"]) == (weak[0], strong[1])


def test_sounds_of_no_class_are_limited_too() -> None:
    some = [candidate(0.9, 0.1, others=0.05), candidate(0.5, 0.1, others=0.01)]
    assert allocate({"one": some}, Limit(1.0, 0.02))["one"] == some[1]
    assert allocate({"one": some}, Limit(1.0, 0.06))["one"] == some[0]


def test_without_a_way_to_keep_the_limit_alarms_are_fewest() -> None:
    some = [candidate(0.9, 5.0), candidate(0.1, 3.0)]
    assert allocate({"one": some}, Limit(1.0, 0.02))["one"] == some[1]


def test_peaks_are_held_for_the_attack_and_repeats_are_left_out() -> None:
    scores = np.full(80, 0.01)
    scores[5] = 0.9
    scores[30:33] = 0.7
    scores[70] = 0.99
    tape = Tape([stream(scores, again=((35.0, 40.0),))], 0, 0.0, HOP_S)
    odds = [math.log(p / (1 - p)) for p in (0.9, 0.7, 0.01)]
    np.testing.assert_allclose(tape.peaks(0.0, 10.0)[:3], odds, atol=1e-4)
    np.testing.assert_allclose(tape.peaks(0.5, 10.0)[:2], odds[1:], atol=1e-4)


def test_settings_that_alarm_on_speech_are_no_candidates_and_others_are_counted() -> None:
    loud = np.full(200, 0.01)
    loud[50:60] = 0.8
    quiet, others = stream(np.full(400, 0.01)), stream(loud)
    scene = Scored("", "siren", 25.0, 30.0, others.times_s, others.scores, ())
    speech = Scored("speech/one", "", 0.0, 0.0, others.times_s, others.scores, ())
    temper, budget, limit = TEMPERS["siren"], BUDGETS["quiet"], Limit(9.0, 0.1)
    heard = CalibrationStreams((scene,), (speech,), (), 1.28, HOP_S)
    assert (
        min(one.settings.enter for one in candidates("siren", 0, heard, temper, budget, Limit(9.0, 0.1)))
        > 0.8
    )
    heard = CalibrationStreams((scene,), (quiet,), (others,), 1.28, HOP_S)
    found = candidates("siren", 0, heard, temper, budget, limit)
    best = max(found, key=lambda one: one.worth)
    assert best.worth > 0.9
    # One of twenty sounds of five seconds.
    assert best.others == pytest.approx(0.05)
    assert min(one.others for one in found) == 0.0
