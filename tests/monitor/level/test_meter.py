"""Laws of the meter: the standard's bursts and peaks, independence of block size, gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iec61672 import BURSTS_FAST, BURSTS_SLOW, EXPOSURES, PEAKS, RATES

from monitor.level.meter import FAST_S, SLOW_S, LevelMeter, decibels
from monitor.records import Reading, Samples


def sine(rate: int, hz: float, seconds: float, amplitude: float = 0.5) -> Samples:
    return (amplitude * np.sin(2 * np.pi * hz / rate * np.arange(round(seconds * rate)))).astype(np.float32)


def burst(rate: int, hz: float, seconds: float, sign: float = 1.0) -> Samples:
    """A tone burst from zero to zero in a second of silence before and three after."""
    return np.concatenate([sine(rate, 0, 1.0), sign * sine(rate, hz, seconds), sine(rate, 0, 3.0)])


def readings(rate: int, samples: Samples) -> list[Reading]:
    meter = LevelMeter(rate)
    return [*meter.push(samples), *meter.flush()]


def steady(rate: int, hz: float) -> Reading:
    return readings(rate, sine(rate, hz, 5.0))[-2]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("duration_ms", BURSTS_FAST)
def test_tone_bursts_with_time_weighting_f(rate: int, duration_ms: float) -> None:
    goal, low, high = BURSTS_FAST[duration_ms]
    highest = max(reading.fast_max for reading in readings(rate, burst(rate, 4000.0, duration_ms / 1000)))
    deviation = decibels(highest) - decibels(steady(rate, 4000.0).mean_square) - goal
    assert low <= deviation <= high
    assert abs(deviation) < 0.3 or duration_ms < 2


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("duration_ms", BURSTS_SLOW)
def test_tone_bursts_with_time_weighting_s(rate: int, duration_ms: float) -> None:
    goal, low, high = BURSTS_SLOW[duration_ms]
    highest = max(reading.slow_max for reading in readings(rate, burst(rate, 4000.0, duration_ms / 1000)))
    deviation = decibels(highest) - decibels(steady(rate, 4000.0).mean_square) - goal
    assert low <= deviation <= high
    assert abs(deviation) < 0.3


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("duration_ms", EXPOSURES)
def test_sound_exposure_of_tone_bursts(rate: int, duration_ms: float) -> None:
    goal, low, high = EXPOSURES[duration_ms]
    energy = sum(r.mean_square * r.samples for r in readings(rate, burst(rate, 4000.0, duration_ms / 1000)))
    deviation = decibels(energy / rate) - decibels(steady(rate, 4000.0).mean_square) - goal
    assert low <= deviation <= high


@pytest.mark.parametrize("rate", [32000, 44100, 48000])
@pytest.mark.parametrize(("hz", "signal"), PEAKS)
def test_the_c_weighted_peak(rate: int, hz: float, signal: str) -> None:
    goal, limit = PEAKS[hz, signal]
    sign = -1.0 if signal == "negative half" else 1.0
    samples = burst(rate, hz, (1.0 if signal == "cycle" else 0.5) / hz, sign)
    highest = max(reading.peak for reading in readings(rate, samples))
    # LC of the steady tone: its peak is √2 over its level.
    level = decibels(steady(rate, hz).peak ** 2 / 2)
    assert decibels(highest**2) - level == pytest.approx(goal, abs=limit)


@pytest.mark.parametrize("rate", [22050, 48000])
def test_the_decay_rates_of_f_and_s(rate: int) -> None:
    samples = np.concatenate([sine(rate, 4000.0, 5.0), sine(rate, 0, 2.0)])
    found = readings(rate, samples)
    chunk_s = found[0].samples / rate
    silent = [r for r in found if r.end > 5.6 * rate and r.samples == found[0].samples]
    fast = decibels(silent[0].fast) - decibels(silent[1].fast)
    slow = decibels(silent[0].slow_max) - decibels(silent[1].slow_max)
    assert 31.0 <= fast / chunk_s <= 38.5
    assert 3.6 <= slow / chunk_s <= 5.1


@pytest.mark.parametrize("rate", [8000, *RATES, 192000])
def test_f_s_and_equivalent_level_of_a_steady_tone_agree(rate: int) -> None:
    reading = steady(rate, 1000.0)
    level = 10 * math.log10(0.5**2 / 2)
    shown = [reading.mean_square, reading.fast_max, reading.slow_max, reading.peak**2 / 2]
    assert [decibels(value) for value in shown] == pytest.approx([level] * 4, abs=0.1)


def test_a_steady_sound_is_shown_at_its_level_from_the_first_reading_on() -> None:
    first = readings(48000, sine(48000, 1000.0, 1.0))[0]
    assert decibels(first.fast) == pytest.approx(decibels(0.125), abs=0.1)


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=12), st.sampled_from([8000, 22050, 48000]))
@settings(max_examples=40, deadline=None)
def test_readings_are_the_same_bytes_in_any_blocks(sizes: list[int], rate: int) -> None:
    samples = np.random.default_rng(len(sizes)).normal(0.1, 0.1, 3 * rate).astype(np.float32)
    meter, found, start, turn = LevelMeter(rate), [], 0, 0
    while start < len(samples):
        found += meter.push(samples[start : start + sizes[turn % len(sizes)]])
        start += sizes[turn % len(sizes)]
        turn += 1
    found += meter.flush()
    assert found == readings(rate, samples)
    assert sum(reading.samples for reading in found) == len(samples)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 4000])
def test_a_stream_shorter_than_a_chunk_is_measured_as_it_is(count: int) -> None:
    samples = sine(16000, 1000.0, 1.0)[:count]
    (reading,) = readings(16000, samples)
    assert reading.samples == reading.end == count


def test_after_a_gap_nothing_before_it_is_heard() -> None:
    loud, quiet = sine(16000, 1000.0, 1.3, 1.0), sine(16000, 1000.0, 1.0, 0.001)
    meter = LevelMeter(16000)
    assert len([*meter.push(loud), *meter.flush()]) == 6
    meter.begin(10**6)
    found = [*meter.push(quiet), *meter.flush()]
    assert max(reading.fast_max for reading in found) < 1e-6
    assert found[-1].end == 10**6 + len(quiet)


def test_digital_silence_has_the_lowest_level() -> None:
    found = readings(16000, np.zeros(16000, np.float32))
    assert {decibels(reading.fast_max) for reading in found} == {-120.0}


def test_overload_is_shown_and_time_constants_are_the_standards() -> None:
    assert [r.overload for r in readings(16000, sine(16000, 1000.0, 0.2, 1.0))] == [True]
    assert [r.overload for r in readings(16000, sine(16000, 1000.0, 0.2, 0.9))] == [False]
    assert (FAST_S, SLOW_S) == (0.125, 1.0)
