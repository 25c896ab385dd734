"""Laws of minutes and of what is put together from them: energies, percentiles, Lden."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from monitor.level.blocks import ChunkFilter
from monitor.level.meter import LevelMeter, decibels
from monitor.level.minutes import Minute, Minutes, distribution, exceeded, spread
from monitor.level.summary import day_evening_night, joined, period_of, summarise
from monitor.level.weighting import design
from monitor.records import Reading

RATE = 8000


def reading(level_dbfs: float, end: int, samples: int = 2048) -> Reading:
    power = 10 ** (level_dbfs / 10)
    return Reading(end, samples, power, power, power, power, math.sqrt(2 * power), False)


def minute(number: int, level: float, *, offset_db: float | None = None, seconds: float = 60.0) -> Minute:
    packed = distribution([level] * 240)
    return Minute(number, seconds, level, level + 9, level + 15, level, level, level, 0.0, offset_db, packed)


def day(levels: dict[str, float], offset_db: float | None = None) -> list[Minute]:
    """24 hours from midnight on, by the period of the hour."""
    return [minute(n, levels[period_of(n // 60)], offset_db=offset_db) for n in range(1440)]


def test_a_minute_is_the_mean_of_its_energies_and_the_maximum_of_its_readings() -> None:
    minutes = Minutes(RATE)
    for index, level in enumerate((-50.0, -30.0)):
        assert minutes.push(reading(level, 2048 * (index + 1)), 120.0 + index) is None
    done = minutes.push(reading(-70.0, 6144), 180.0)
    assert done is not None
    assert done.minute == 2
    assert done.duration_s == pytest.approx(2 * 2048 / RATE)
    assert done.laeq_dbfs == pytest.approx(decibels((1e-5 + 1e-3) / 2))
    assert (done.lafmax_dbfs, done.lcpeak_dbfs) == pytest.approx((-30.0, -30.0 + 10 * math.log10(2)))


def test_a_clock_that_goes_back_a_little_reopens_no_minute_and_one_that_was_set_does() -> None:
    minutes = Minutes(RATE)
    minutes.push(reading(-50.0, 2048), 179.99)
    assert minutes.push(reading(-50.0, 4096), 180.01) is not None
    assert minutes.push(reading(-50.0, 6144), 179.99) is None
    done = minutes.push(reading(-50.0, 8192), 60.0)
    assert done is not None
    assert done.minute == 3


@given(st.integers(0, 2**32 - 1))
def test_percentiles_of_a_minute_are_those_of_all_its_readings(seed: int) -> None:
    levels = np.random.default_rng(seed).normal(-50, 8, 240)
    minutes = Minutes(RATE)
    for index, level in enumerate(levels):
        minutes.push(reading(level, 2048 * (index + 1)), 60.0 + index / 4)
    done = minutes.flush()
    assert done is not None
    ordered = np.sort(levels)
    for share, found in ((0.9, done.l10_dbfs), (0.5, done.l50_dbfs), (0.1, done.l90_dbfs)):
        assert ordered[int(share * 239)] - 1e-9 <= found <= ordered[min(239, int(share * 239) + 1)] + 1e-9


def test_l90_of_noise_is_that_of_a_meter_read_at_every_block() -> None:
    rng = np.random.default_rng(3)
    swell = 10 ** (np.interp(np.arange(60 * RATE), np.arange(61) * RATE, rng.uniform(-2, -1, 61)))
    samples = (swell * rng.standard_normal(60 * RATE)).astype(np.float32)
    minutes, meter = Minutes(RATE), LevelMeter(RATE)
    for found in meter.push(samples):
        minutes.push(found, found.end / RATE)
    done = minutes.flush()
    assert done is not None
    assert (done.l10_dbfs, done.l50_dbfs, done.l90_dbfs) == pytest.approx(
        _exceeded_at_every_sample(samples), abs=0.3
    )


def _exceeded_at_every_sample(samples: np.ndarray) -> tuple[float, float, float]:
    """By brute force: A-weighting in chunks of another size, F by its recursion, and sorting."""
    filtering = ChunkFilter(design(RATE), 10, 1)
    chunks = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    weighted = np.concatenate([filtering.push(chunk)[0].ravel() for chunk in chunks]).astype(np.float64)
    decay = math.exp(-1 / (0.125 * RATE))
    fast = lfilter([1 - decay], [1, -decay], weighted**2)[RATE // 4 :]
    return exceeded(10 * np.log10(fast))


@given(st.lists(st.floats(-119.0, 5.0), min_size=1, max_size=250))
def test_a_distribution_keeps_every_level_to_a_decibel(levels: list[float]) -> None:
    back = np.sort(spread(distribution(levels)))
    assert np.floor(back).tolist() == np.floor(np.sort(levels)).tolist()
    assert np.abs(back - np.sort(levels)).max() <= 1.0


def test_a_distribution_too_large_for_bytes_keeps_its_shape() -> None:
    back = spread(distribution([-50.5] * 3000 + [-40.5] * 1000))
    assert np.mean(back < -45) == pytest.approx(0.75, abs=0.01)


def test_an_hour_is_the_energy_of_its_minutes_and_not_the_mean_of_their_levels() -> None:
    found = summarise([minute(0, -60.0), minute(1, -40.0), minute(2, -60.0, seconds=30.0)])
    assert found is not None
    assert found.laeq == pytest.approx(10 * math.log10((60e-6 + 60e-4 + 30e-6) / 150))
    assert (found.lafmax, found.duration_s, found.unit) == (-31.0, 150.0, "dBFS")


@given(st.integers(0, 2**32 - 1))
def test_percentiles_of_an_hour_are_those_of_all_its_readings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = [rng.normal(rng.uniform(-60, -40), 5, 240) for _ in range(60)]
    minutes = [
        replace(minute(n, -50.0), distribution=distribution(list(level))) for n, level in enumerate(levels)
    ]
    found = summarise(minutes)
    assert found is not None
    assert (found.l10, found.l50, found.l90) == pytest.approx(exceeded(np.concatenate(levels)), abs=0.3)


def test_lden_of_a_constant_noise_lies_6_4_db_above_it() -> None:
    found = day_evening_night(day({"day": -50, "evening": -50, "night": -50}), lambda n: n // 60)
    assert found.lden == pytest.approx(-50 + 10 * math.log10((12 + 4 * 10**0.5 + 8 * 10) / 24))
    assert found.covered == pytest.approx(1.0)


def test_lden_weighs_each_period_with_its_penalty() -> None:
    found = day_evening_night(day({"day": 60, "evening": 55, "night": 50}, offset_db=0.0), lambda n: n // 60)
    assert found.lden == pytest.approx(60.0)
    assert (found.day, found.evening, found.night, found.unit) == pytest.approx((60, 55, 50, "dB"))


def test_lden_is_unknown_without_a_night_and_says_how_much_was_measured() -> None:
    found = day_evening_night(
        day({"day": -50, "evening": -50, "night": -50})[8 * 60 : 22 * 60], lambda n: n // 60
    )
    assert (found.lden, found.night, found.covered) == (None, None, 0.0)


def test_decibels_are_only_said_of_minutes_that_were_all_calibrated() -> None:
    calibrated = [minute(0, -60.0, offset_db=120.0), minute(1, -60.0, offset_db=120.0)]
    found, mixed = summarise(calibrated), summarise([*calibrated, minute(2, -60.0)])
    assert found is not None
    assert mixed is not None
    assert (found.unit, found.laeq, found.l90) == ("dB", pytest.approx(60.0), pytest.approx(60.1, abs=0.1))
    assert (mixed.unit, mixed.laeq) == ("dBFS", pytest.approx(-60.0))


def test_parts_of_a_minute_join_to_the_whole() -> None:
    rng = np.random.default_rng(5)
    levels = rng.normal(-50, 5, 200)
    whole, first, second = Minutes(RATE), Minutes(RATE), Minutes(RATE)
    for index, level in enumerate(levels):
        one = reading(level, 2048 * (index + 1))
        whole.push(one, 60.0)
        (first if index < 120 else second).push(one, 60.0)
    parts, wanted = [first.flush(), second.flush()], whole.flush()
    assert wanted is not None
    assert parts[0] is not None
    assert parts[1] is not None
    found = joined(parts[0], parts[1])
    assert found.laeq_dbfs == pytest.approx(wanted.laeq_dbfs)
    assert found.distribution == wanted.distribution
    assert found.l90_dbfs == pytest.approx(wanted.l90_dbfs, abs=0.5)
    assert replace(found, laeq_dbfs=0, l10_dbfs=0, l50_dbfs=0, l90_dbfs=0, duration_s=0) == replace(
        wanted, laeq_dbfs=0, l10_dbfs=0, l50_dbfs=0, l90_dbfs=0, duration_s=0
    )


def test_the_hours_of_the_periods() -> None:
    assert [period_of(hour) for hour in (6, 7, 18, 19, 22, 23, 0)] == [
        "night", "day", "day", "evening", "evening", "night", "night",
    ]  # fmt: skip
