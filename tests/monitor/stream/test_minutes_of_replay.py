"""The minutes of a stream are the same bytes in any blocks, with gaps and at any source rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import pipeline

from monitor.clock import FileClock
from monitor.level.minutes import Minute
from monitor.records import AudioBlock
from monitor.stream.noise import MinuteRecorder

START_UTC = 57.0
"""The first minute is over after three seconds."""


def minutes(rate: int, blocks: list[AudioBlock]) -> list[Minute]:
    stream, recorder, found = pipeline(rate), MinuteRecorder(rate, FileClock(START_UTC), 120.0), []
    for block in blocks:
        for hop in stream.push(block):
            found += recorder.push(hop.readings)
    for hop in stream.flush():
        found += recorder.push(hop.readings)
    return found + list(recorder.close(stream.last_readings()))


@given(st.sampled_from([8000, 11025, 22050]), st.lists(st.integers(1, 20000), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_minutes_do_not_depend_on_blocks(rate: int, sizes: list[int]) -> None:
    samples = np.random.default_rng(1).normal(0.0, 0.1, 6 * rate).astype(np.float32)
    whole = minutes(rate, [AudioBlock(samples, 0)])
    blocks, start = [], 0
    while start < len(samples):
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(AudioBlock(samples[start : start + size], start))
        start += size
    assert minutes(rate, blocks) == whole
    assert [one.minute for one in whole] == [0, 1]


@pytest.mark.parametrize("rate", [8000, 22050])
def test_all_audio_is_in_the_minutes_and_lost_audio_is_not(rate: int) -> None:
    samples = np.random.default_rng(1).normal(0.0, 0.1, 5 * rate).astype(np.float32)
    found = minutes(rate, [AudioBlock(samples, 0), AudioBlock(samples, 65 * rate)])
    assert sum(one.duration_s for one in found) == pytest.approx(10.0)
    assert [one.minute for one in found] == [0, 1, 2]
    assert {one.offset_db for one in found} == {120.0}
