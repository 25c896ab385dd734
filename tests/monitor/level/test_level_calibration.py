"""The calibrator's tone: its level, whatever else is in the recording, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import AudioError
from monitor.level.calibration import find_tone, offset_db, sensitivity_dbfs
from monitor.level.meter import LevelMeter, decibels
from monitor.records import Samples

RATE = 16000


def tone(hz: float = 1000.0, dbfs: float = -20.0, seconds: float = 6.0, rate: int = RATE) -> Samples:
    """A sine whose level is said as data sheets do: 0 is full scale."""
    amplitude = 10 ** (dbfs / 20)
    return (amplitude * np.sin(2 * np.pi * hz / rate * np.arange(round(seconds * rate)))).astype(np.float32)


@given(
    st.sampled_from([250.0, 251.2, 1000.0, 997.3]),
    st.floats(-60.0, -1.0),
    st.sampled_from([8000, 16000, 22050, 48000]),
    st.sampled_from([94.0, 114.0]),
)
def test_the_sensitivity_is_the_tones_level_carried_to_94_db(
    hz: float, dbfs: float, rate: int, at_db: float
) -> None:
    found = find_tone(tone(hz, dbfs, rate=rate), rate)
    assert found.hz == pytest.approx(hz, abs=0.5)
    assert sensitivity_dbfs(found, at_db) == pytest.approx(dbfs + 94 - at_db, abs=0.02)


def test_a_calibrated_meter_shows_the_calibrators_level() -> None:
    offset = offset_db(sensitivity_dbfs(find_tone(tone(), RATE), 94.0))
    reading = list(LevelMeter(RATE).push(tone()))[-1]
    assert decibels(reading.mean_square) + offset == pytest.approx(94.0, abs=0.05)


def test_noise_and_an_offset_do_not_change_the_tone() -> None:
    noise = np.random.default_rng(1).normal(0.2, 10 ** (-45 / 20), 6 * RATE).astype(np.float32)
    assert find_tone(tone() + noise, RATE).level_dbfs == pytest.approx(-23.01, abs=0.05)


def test_handling_at_either_end_is_left_out() -> None:
    samples = tone()
    samples[: RATE // 2] = 1.0
    samples[-RATE // 2 :] = 0.0
    assert find_tone(samples, RATE).level_dbfs == pytest.approx(-23.01, abs=0.05)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (tone(seconds=3.9), "too short"),
        (tone(dbfs=0.1), "overloads"),
        (np.zeros(6 * RATE, np.float32), "no calibrator"),
        (np.random.default_rng(1).normal(0, 0.1, 6 * RATE).astype(np.float32), "no calibrator"),
        (tone() + tone(440.0, -30.0), "no calibrator"),
        (tone(4000.0), "no calibrator"),
        (tone() * np.linspace(1.0, 1.2, 6 * RATE, dtype=np.float32), "varies by"),
    ],
)
def test_what_is_no_steady_pure_tone_is_refused(samples: Samples, reason: str) -> None:
    with pytest.raises(AudioError, match=reason):
        find_tone(samples, RATE)
