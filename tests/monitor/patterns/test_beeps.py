"""Regular beeps are found without a description; alarms, notes and calls are none."""

from __future__ import annotations

import numpy as np
import pytest
from alarms import RATE, alarm, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.patterns.detector import PatternScores
from monitor.patterns.spec import BEEPS, CO_ALARM, SMOKE_ALARM, Pattern, Regular

ENTER = 0.85
SECONDS = 18.0
FRIDGE = Pattern("fridge", ((1900.0, 2100.0),), 0.3, 0.7, 1, 0.7)


def regular(beep_s: float, gap_s: float) -> Pattern:
    return Pattern("x", ((1.0, 2.0),), beep_s, gap_s, 1, gap_s)


def found(
    samples: np.ndarray, patterns: tuple[Pattern | Regular, ...] = (BEEPS,), rate: int = RATE
) -> set[str]:
    detector = PatternScores(patterns, rate)
    rows = [detector.push(part) for part in np.array_split(samples.astype(np.float32), 80)]
    return {label for label, best in zip(detector.labels, np.max(rows, axis=0), strict=True) if best >= ENTER}


def notes(fade_s: float, jitter: float, slide: float, seed: int) -> np.ndarray:
    """A note every 0.6 s that fades, comes early or late, or slides."""
    rng = np.random.default_rng(seed)
    time, signal = np.arange(round(SECONDS * RATE)) / RATE, np.zeros(round(SECONDS * RATE))
    for at in np.arange(0.5, SECONDS - 1.0, 0.6):
        begin = at + jitter * rng.uniform(-1.0, 1.0)
        since = time - begin
        on = (since >= 0.0) & (since < 0.3)
        hz = 1500.0 * (1.0 + slide * since)
        signal += on * np.exp(-since.clip(0.0) / fade_s) * np.sin(2 * np.pi * hz * since)
    return 0.1 * signal + noise(SECONDS, -60, seed)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    hz=st.floats(450.0, 7000.0),
    beep_s=st.floats(0.15, 1.0),
    gap_s=st.floats(0.15, 1.5),
    start_s=st.floats(0.0, 1.5),
    rate=st.sampled_from([16000, 32000, 44100]),
)
def test_a_tone_that_beeps_regularly_is_found_whatever_its_frequency_and_length(
    hz: float, beep_s: float, gap_s: float, start_s: float, rate: int
) -> None:
    samples = alarm(regular(beep_s, gap_s), hz, SECONDS, rate=rate, start_s=start_s) * 0.1
    assert found(samples + noise(SECONDS, -40, rate=rate), rate=rate) == {"beeps"}


@pytest.mark.parametrize("hz", [520.0, 3000.0])
@pytest.mark.parametrize("pattern", [SMOKE_ALARM, CO_ALARM], ids=lambda pattern: pattern.label)
def test_a_smoke_or_co_alarm_is_none(pattern: Pattern, hz: float) -> None:
    samples = alarm(pattern, hz, 30.0) * 0.1 + noise(30.0, -50)
    assert found(samples) == set()
    assert found(samples, (BEEPS, pattern)) == {pattern.label}


def test_what_a_pattern_of_ones_own_describes_is_reported_as_that_alone() -> None:
    samples = alarm(FRIDGE, 2000.0, SECONDS) * 0.1 + noise(SECONDS, -50)
    assert found(samples) == {"beeps"}
    assert found(samples, (BEEPS, FRIDGE)) == {"fridge"}


@pytest.mark.parametrize("count", [2, 3, 4])
def test_groups_with_pauses_are_none(count: int) -> None:
    groups = Pattern("x", ((1.0, 2.0),), 0.2, 0.2, count, 1.2)
    assert found(alarm(groups, 2000.0, SECONDS) * 0.1 + noise(SECONDS, -50)) == set()


def test_four_beeps_are_none() -> None:
    samples = alarm(regular(0.4, 0.4), 2000.0, SECONDS, start_s=0.0)
    samples[round(4 * 0.8 * RATE) :] = 0.0
    assert found(samples * 0.1 + noise(SECONDS, -50)) == set()


@pytest.mark.parametrize("seed", range(3))
def test_notes_that_fade_slide_or_come_unevenly_are_none(seed: int) -> None:
    assert found(notes(fade_s=9.0, jitter=0.0, slide=0.0, seed=seed)) == {"beeps"}
    assert found(notes(fade_s=0.15, jitter=0.0, slide=0.0, seed=seed)) == set()
    assert found(notes(fade_s=9.0, jitter=0.15, slide=0.0, seed=seed)) == set()
    assert found(notes(fade_s=9.0, jitter=0.0, slide=2.0, seed=seed)) == set()


def test_steady_tones_sweeps_noise_and_silence_are_none() -> None:
    time = np.arange(round(SECONDS * RATE)) / RATE
    siren = np.sin(2 * np.pi * 1000 * time + 1500 * np.sin(2 * np.pi * 0.25 * time))
    for signal in (np.sin(2 * np.pi * 3000 * time), siren, np.zeros(len(time))):
        assert found(0.1 * signal + noise(SECONDS, -60)) == set()


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 9 * RATE), max_size=30))
def test_scores_do_not_depend_on_the_blocks(cuts: list[int]) -> None:
    samples = (alarm(regular(0.3, 0.5), 2500.0, 9.0) * 0.1 + noise(9.0, -40)).astype(np.float32)
    whole, pieces = (PatternScores((SMOKE_ALARM, BEEPS), RATE) for _ in range(2))
    expected = whole.push(samples)
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(samples)], strict=True):
        got = pieces.push(samples[begin:end])
    np.testing.assert_array_equal(got, expected)
    assert expected[1] >= ENTER
