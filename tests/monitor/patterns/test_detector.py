"""Patterns are found within their tolerance, whatever the blocks; what is no pattern is none."""

from __future__ import annotations

import numpy as np
import pytest
from alarms import RATE, alarm, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.patterns.detector import PatternScores
from monitor.patterns.spec import CO_ALARM, SMOKE_ALARM, Pattern

ENTER = 0.85
BOTH = (SMOKE_ALARM, CO_ALARM)
CYCLES = {SMOKE_ALARM: 4.0, CO_ALARM: 5.7}


def scores(samples: np.ndarray, patterns: tuple[Pattern, ...] = BOTH, rate: int = RATE) -> np.ndarray:
    """The scores at every quarter of a second, shape (rows, patterns)."""
    detector = PatternScores(patterns, rate)
    step = rate // 4
    return np.stack([detector.push(samples[at : at + step]) for at in range(0, len(samples), step)])


def found(samples: np.ndarray, patterns: tuple[Pattern, ...] = BOTH, rate: int = RATE) -> list[bool]:
    return [bool(column.max() >= ENTER) for column in scores(samples, patterns, rate).T]


@pytest.mark.parametrize("pattern", BOTH, ids=lambda pattern: pattern.label)
@pytest.mark.parametrize("rate", [16000, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize("hz", [520.0, 2500.0, 3100.0, 4000.0])
def test_an_alarm_is_found_within_two_cycles_at_every_rate_and_the_other_is_not(
    pattern: Pattern, rate: int, hz: float
) -> None:
    start_s, cycle_s = 1.3, CYCLES[pattern]
    samples = alarm(pattern, hz, 16.0, rate=rate, start_s=start_s) * 0.1 + noise(16.0, -50, rate=rate)
    rows = scores(samples, rate=rate)
    own, other = rows[:, BOTH.index(pattern)], rows[:, 1 - BOTH.index(pattern)]
    at_s = (int(np.argmax(own >= ENTER)) + 1) * 0.25
    assert own.max() >= ENTER
    # Half a second more than two cycles: rows lie a quarter of a second apart, chunks a second.
    assert at_s - start_s <= 2 * cycle_s + 0.5
    assert other.max() < ENTER


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize(
    "pattern",
    [*BOTH, Pattern("own", ((3000.0, 3200.0),), 0.1, 0.5, 2, 2.0)],
    ids=lambda pattern: pattern.label,
)
def test_a_pattern_alone_is_found_whatever_its_place_among_the_chunks(pattern: Pattern, rate: int) -> None:
    for start_s in np.arange(0.0, 1.1, 0.11):
        samples = alarm(pattern, 3100.0, 16.0, rate=rate, start_s=start_s) * 0.1
        assert found(samples.astype(np.float32) + noise(16.0, -50, rate=rate), (pattern,), rate) == [True]


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    hz=st.floats(2500.0, 4000.0),
    start_s=st.floats(0.0, 2.0),
    clock=st.floats(-0.09, 0.09),
    seed=st.integers(0, 1000),
)
def test_a_smoke_alarm_of_any_clock_within_the_tolerance_is_recognised(
    hz: float, start_s: float, clock: float, seed: int
) -> None:
    samples = alarm(BOTH[0], hz, 28.0, start_s=start_s, clock=clock) * 0.1 + noise(28.0, -40, seed)
    assert found(samples)[0]


@pytest.mark.parametrize("rate", [16000, 32000])
def test_a_co_alarm_of_any_clock_within_the_tolerance_is_recognised_within_two_cycles(rate: int) -> None:
    rng = np.random.default_rng(5)
    for seed in range(24):
        hz, start_s, clock = rng.uniform(2500.0, 4000.0), rng.uniform(0.0, 2.0), rng.uniform(-0.09, 0.09)
        hz = 2500.0 if seed % 4 == 0 else hz
        samples = alarm(CO_ALARM, hz, 16.0, rate=rate, start_s=start_s, clock=clock) * 0.1
        rows = scores(samples.astype(np.float32) + noise(16.0, -40, seed, rate), rate=rate)[:, 1]
        assert rows.max() >= ENTER
        assert (int(np.argmax(rows >= ENTER)) + 1) * 0.25 - start_s <= 2 * 5.7 * (1 + clock) + 0.5


@pytest.mark.parametrize("pattern", BOTH, ids=lambda pattern: pattern.label)
@pytest.mark.parametrize("clock", [-0.3, 0.3])
def test_a_clock_far_outside_the_tolerance_is_refused(pattern: Pattern, clock: float) -> None:
    samples = alarm(pattern, 3000.0, 24.0, clock=clock) * 0.1 + noise(24.0, -50)
    assert found(samples) == [False, False]


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 12 * RATE), max_size=40), seed=st.integers(0, 100))
def test_scores_do_not_depend_on_the_blocks(cuts: list[int], seed: int) -> None:
    samples = alarm(SMOKE_ALARM, 3200.0, 12.0) * 0.1 + noise(12.0, -40, seed)
    whole = PatternScores(BOTH, RATE)
    expected = whole.push(samples)
    pieces = PatternScores(BOTH, RATE)
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(samples)], strict=True):
        got = pieces.push(samples[begin:end])
    np.testing.assert_array_equal(got, expected)
    assert expected[0] >= ENTER


def test_a_beep_longer_than_a_chunk_is_found() -> None:
    washer = Pattern("washer", ((4000.0, 4100.0),), 0.78, 0.53, 3, 1.8)
    for start_s in np.arange(0.0, 0.8, 0.05):
        samples = alarm(washer, 4030.0, 14.0, rate=44100, start_s=start_s) * 0.1 + noise(
            14.0, -50, rate=44100
        )
        assert found(samples.astype(np.float32), (washer,), 44100) == [True]


def test_after_a_reset_nothing_of_the_past_counts() -> None:
    samples = alarm(SMOKE_ALARM, 3200.0, 24.0) * 0.1 + noise(24.0, -40)
    used, fresh = PatternScores(BOTH, RATE), PatternScores(BOTH, RATE)
    used.push(samples[: 9 * RATE])
    used.reset()
    rest = samples[9 * RATE : 14 * RATE]
    np.testing.assert_array_equal(used.push(rest), fresh.push(rest))
    assert fresh.push(rest[:0]).max() < ENTER


def test_the_score_holds_between_groups_and_drops_within_a_cycle_after_the_last() -> None:
    seconds, last = 40.0, 24.0
    samples = alarm(SMOKE_ALARM, 3200.0, seconds)
    samples[round(last * RATE) :] = 0.0
    rows = scores(samples * np.float32(0.1) + noise(seconds, -50))[:, 0] >= ENTER
    on = np.flatnonzero(rows)
    assert rows[on[0] : on[-1] + 1].all()
    assert last - 2.0 <= on[-1] * 0.25 <= last + SMOKE_ALARM.hold_s + 1.0


def regular(beep_s: float, gap_s: float) -> np.ndarray:
    time = np.arange(24 * RATE) / RATE
    return np.where(time % (beep_s + gap_s) < beep_s, np.sin(2 * np.pi * 3000 * time), 0.0) * 0.1


@settings(max_examples=15, deadline=None)
@given(beep_s=st.floats(0.05, 2.0), gap_s=st.floats(0.05, 6.0))
def test_regular_beeps_are_no_alarm(beep_s: float, gap_s: float) -> None:
    assert found(regular(beep_s, gap_s).astype(np.float32) + noise(24.0, -60)) == [False, False]


def test_regular_beeps_of_the_standards_lengths_are_no_alarm() -> None:
    for beep_s, gap_s in ((0.5, 0.5), (0.1, 0.1), (0.1, 5.0), (0.5, 1.5), (0.7, 5.0), (2.5, 1.5)):
        assert found(regular(beep_s, gap_s).astype(np.float32) + noise(24.0, -60)) == [False, False]


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_three_beeps_are_smoke_and_no_other_number(count: int) -> None:
    other = Pattern("other", ((100.0, 200.0),), 0.5, 0.5, count, 1.5)
    assert not found(alarm(other, 3000.0, 24.0) * 0.1 + noise(24.0, -50))[0]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
def test_four_beeps_are_carbon_monoxide_and_no_other_number(count: int) -> None:
    other = Pattern("other", ((100.0, 200.0),), 0.1, 0.1, count, 5.0)
    assert not found(alarm(other, 3000.0, 24.0) * 0.1 + noise(24.0, -50))[1]


def test_steady_and_sweeping_tones_noise_and_silence_are_no_alarm() -> None:
    time = np.arange(30 * RATE) / RATE
    steady = np.sin(2 * np.pi * 3000 * time)
    siren = np.sin(2 * np.pi * 1000 * time + 1500 * np.sin(2 * np.pi * 0.25 * time))
    for signal in (steady, siren, np.zeros(len(time)), steady * (1 + np.sin(2 * np.pi * time)) / 2):
        assert found((0.1 * signal).astype(np.float32) + noise(30.0, -60)) == [False, False]


@pytest.mark.parametrize("seed", range(4))
def test_melodies_are_no_alarm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    time = np.arange(30 * RATE) / RATE
    music = np.zeros(len(time))
    at, beat_s = 0.0, float(rng.uniform(0.3, 1.0))
    while at < 30:
        hz = 440 * 2 ** (rng.integers(0, 36) / 12)
        note = slice(round(at * RATE), round((at + beat_s * rng.choice([0.5, 1, 2])) * RATE))
        for harmonic in range(1, 6):
            music[note] += np.sin(2 * np.pi * hz * harmonic * time[note]) / harmonic
        at += beat_s * rng.choice([0.5, 0.5, 1, 1, 2])
    assert found((music * 0.05).astype(np.float32) + noise(30.0, -60)) == [False, False]


def test_two_alarms_at_once_are_both_found() -> None:
    smoke = alarm(SMOKE_ALARM, 3100.0, 20.0, clock=0.02) + alarm(SMOKE_ALARM, 3350.0, 20.0, start_s=2.2)
    co = alarm(CO_ALARM, 2750.0, 20.0, start_s=1.7)
    assert found((smoke + co) * np.float32(0.1) + noise(20.0, -45)) == [True, True]


def test_a_clipped_alarm_is_found() -> None:
    samples = np.clip(alarm(SMOKE_ALARM, 3000.0, 16.0) * 20 + noise(16.0, -20), -1.0, 1.0)
    assert found(samples.astype(np.float32))[0]


def test_a_pattern_of_ones_own_is_found_at_its_tone_alone() -> None:
    washer = Pattern("washer", ((2030.0, 2160.0),), 0.3, 0.2, 5, 4.0, tolerance=0.1)
    right, wrong = (alarm(washer, hz, 25.0) * 0.1 + noise(25.0, -50) for hz in (2093.0, 2400.0))
    assert found(right, (washer,)) == [True]
    assert found(wrong, (washer,)) == [False]


def test_values_that_are_no_audio_do_no_harm() -> None:
    samples = alarm(SMOKE_ALARM, 3000.0, 16.0)
    assert np.isfinite(scores(samples * np.float32(4.0))).all()
    assert np.isfinite(scores(np.full(4 * RATE, -4.0, np.float32))).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beep_s": 0.01}, "beep_s"),
        ({"count": 0}, "count"),
        ({"pause_s": 0.5}, "pause_s"),
        ({"tolerance": 0.5}, "tolerance"),
        ({"bands": ((3000.0, 2000.0),)}, "band"),
        ({"pause_s": 29.0}, "fit into"),
        ({"beep_s": 0.06, "gap_s": 0.06, "pause_s": 20.0, "tolerance": 0.2}, "lower tolerance"),
    ],
)
def test_a_pattern_that_is_none_is_refused(changes: dict[str, object], message: str) -> None:
    values = {"label": "x", "bands": ((1.0, 2.0),), "beep_s": 0.5, "gap_s": 0.5, "count": 3, "pause_s": 1.5}
    with pytest.raises(ValueError, match=message):
        Pattern(**{**values, **changes})  # type: ignore[arg-type]
