"""Laws of the level of a hop and of the background."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.background import BackgroundLevel
from monitor.events.level import measure
from monitor.records import Samples

N = 8000


def sine(amplitude: float = 1.0) -> Samples:
    """Whole periods at 100 samples each, peaks on a sample."""
    return (amplitude * np.sin(2 * np.pi * np.arange(N) / 100)).astype(np.float32)


def test_a_full_scale_sine_has_3_db_below_full_scale_and_clips_only_at_its_peaks() -> None:
    rms, peak, clipped = measure(sine())
    assert rms == pytest.approx(10 * math.log10(0.5), abs=1e-4)
    assert peak == pytest.approx(0.0, abs=1e-4)
    assert clipped == 2 * N // 100


@pytest.mark.parametrize("samples", [np.zeros(N, np.float32), np.full(N, 0.7, np.float32), sine(1e-7)])
def test_silence_with_or_without_offset_is_the_lowest_level(samples: Samples) -> None:
    assert measure(samples)[:2] == (-120.0, -120.0)


@pytest.mark.parametrize("amplitude", [1.0, 0.1, 1e-4])
def test_halving_takes_6_db(amplitude: float) -> None:
    whole, half = measure(sine(amplitude)), measure(sine(amplitude / 2))
    assert whole[0] - half[0] == pytest.approx(6.0206, abs=1e-3)
    assert whole[1] - half[1] == pytest.approx(6.0206, abs=1e-3)


@pytest.mark.parametrize("offset", [0.5, -0.9])
def test_an_offset_does_not_change_the_level_of_a_quiet_sound(offset: float) -> None:
    quiet = sine(1e-4)
    rms, peak, _ = measure(quiet + np.float32(offset))
    assert (rms, peak) == pytest.approx(measure(quiet)[:2], abs=0.1)


def test_levels_never_exceed_full_scale() -> None:
    assert measure(sine(4.0))[:2] == (0.0, 0.0)


def test_clipping_counts_both_ends_of_16_bits_and_beyond() -> None:
    samples = np.array([-32768, -32767, -32766, 0, 32766, 32767], np.float32) / 32768
    assert measure(np.append(samples, np.float32(1.5)))[2] == 4


def test_measuring_leaves_the_samples_alone() -> None:
    samples = sine() + np.float32(0.2)
    before = samples.copy()
    measure(samples)
    assert np.array_equal(samples, before)


def test_background_begins_with_the_first_level() -> None:
    assert BackgroundLevel(0.5).push(-33.0) == -33.0


def test_background_is_unmoved_by_sounds_that_fill_most_of_a_minute() -> None:
    background = BackgroundLevel(0.5)
    heard = [background.push(level) for level in [-60.0] * 120 + [-20.0] * 95]
    assert set(heard) == {-60.0}


def test_background_follows_a_lasting_change_within_a_minute() -> None:
    background = BackgroundLevel(0.5)
    heard = [background.push(level) for level in [-60.0] * 500 + [-20.0] * 120 + [-70.0] * 30]
    assert heard[619] == -20.0
    assert heard[649] == -70.0


def test_digital_silence_neither_enters_nor_ages_the_background() -> None:
    background = BackgroundLevel(0.5)
    assert background.push(-120.0) == -120.0
    assert background.push(-50.0) == -50.0
    assert {background.push(-120.0) for _ in range(1000)} == {-50.0}


def test_reset_forgets_the_background() -> None:
    background = BackgroundLevel(0.5)
    background.push(-60.0)
    background.reset()
    assert background.push(-20.0) == -20.0


@given(
    st.lists(st.floats(-119.0, 0.0) | st.just(-40.0), min_size=1, max_size=60),
    st.sampled_from([1.0, 6.0, 30.0, 90.0]),
)
def test_background_is_the_quantile_of_the_last_minute(levels: list[float], hop_s: float) -> None:
    background = BackgroundLevel(hop_s)
    span = max(1, round(60 / hop_s))
    for end, level in enumerate(levels, 1):
        minute = levels[max(0, end - span) : end]
        assert background.push(level) == np.quantile(minute, 0.2, method="lower")
