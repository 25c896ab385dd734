"""The meter beside the route: which readings a hop gets, and its levels."""

from __future__ import annotations

import numpy as np
import pytest
from streams import HOP, RATE, pipeline, run

from monitor.level.track import LevelTrack
from monitor.records import AudioBlock, Samples

NOISE = (0.1 * np.random.default_rng(1).standard_normal(90 * RATE)).astype(np.float32)


def tone(seconds: float, amplitude: float, rate: int = RATE) -> Samples:
    return (amplitude * np.sin(2 * np.pi * 1000 / rate * np.arange(round(seconds * rate)))).astype(np.float32)


@pytest.mark.parametrize("rate", [RATE, 16000, 22050, 44100])
def test_every_sample_is_in_a_reading_of_one_hop_or_of_the_rest(rate: int) -> None:
    stream = pipeline(rate)
    samples = tone(3.21, 0.1, rate)
    rows = run(stream, samples)
    readings = [reading for row in rows for reading in row.readings] + list(stream.last_readings())
    assert sum(reading.samples for reading in readings) == readings[-1].end == len(samples)


def test_a_reading_belongs_to_the_hop_in_which_it_ends() -> None:
    for row in run(pipeline(), tone(3.0, 0.1))[:-1]:
        assert all(row.position - HOP < reading.end <= row.position for reading in row.readings)


def test_levels_of_a_steady_tone_agree_from_the_first_reading_on() -> None:
    level = run(pipeline(), tone(3.0, 0.1))[-1].level
    found = (level.lafmax_dbfs, level.laeq_1s_dbfs, level.l90_dbfs)
    assert found == pytest.approx((-23.01, -23.01, -23.01), abs=0.1)


def test_l90_is_the_level_exceeded_nine_tenths_of_the_last_minute() -> None:
    track = LevelTrack(RATE, RATE)
    quiet, loud = NOISE[: 7 * RATE] * np.float32(0.01), NOISE[: 53 * RATE]
    for part in (quiet, loud, quiet):
        track.push(part)
    assert track.take(7 * RATE).l90_dbfs == pytest.approx(track.take(60 * RATE).l90_dbfs, abs=1.5)
    track.push(NOISE[: 58 * RATE])
    last = track.take(None)
    assert last.lafmax_dbfs - 3 < last.l90_dbfs <= last.lafmax_dbfs


def test_digital_silence_leaves_l90_alone() -> None:
    track = LevelTrack(RATE, RATE)
    track.push(NOISE[: 10 * RATE])
    before = track.take(10 * RATE).l90_dbfs
    track.push(np.zeros(50 * RATE, np.float32))
    assert track.take(None).l90_dbfs == pytest.approx(before, abs=3.0)


def test_lost_audio_starts_the_meter_anew_at_its_position() -> None:
    stream = pipeline()
    rows = list(stream.push(AudioBlock(tone(1.1, 1.0), 0)))
    rows += stream.push(AudioBlock(tone(1.0, 0.001), 5 * RATE))
    rows += stream.flush()
    readings = [reading for row in rows for reading in row.readings] + list(stream.last_readings())
    after = [reading for reading in readings if reading.end > 5 * RATE]
    assert after[-1].end == 6 * RATE
    assert max(reading.fast_max for reading in after) < 1e-5
