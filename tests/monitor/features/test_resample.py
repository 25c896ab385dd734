"""Blocks of any size are one signal, and nothing that a driver delivers does harm."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from monitor.features.resample import Resampler, mono

cuts = st.lists(st.integers(0, 3000), max_size=12).map(sorted)


def sound(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(0.0, 0.2, count).astype(np.float32)


@given(st.sampled_from([8000, 16000, 22050, 44100, 48000, 96000]), cuts)
def test_resampled_blocks_are_the_whole_to_the_bit(rate: int, at: list[int]) -> None:
    samples = sound(3000)
    resampler = Resampler(rate, 16000)
    blocks = [samples[begin:end] for begin, end in pairwise([0, *at, 3000])]
    joined = np.concatenate([*(resampler.push(block) for block in blocks), resampler.flush()])
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined, soxr.resample(samples, rate, 16000))


def test_equal_rates_pass_the_samples_through() -> None:
    samples = sound(100)
    resampler = Resampler(16000, 16000)
    assert resampler.push(samples) is samples
    assert len(resampler.flush()) == 0


def test_a_tone_keeps_its_frequency_and_its_level() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000).astype(np.float32)
    resampler = Resampler(48000, 16000)
    heard = np.concatenate([resampler.push(tone), resampler.flush()])
    expected = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(heard[1000:-1000], expected[1000:-1000], atol=1e-3)


def test_channels_are_averaged() -> None:
    stereo = np.stack([sound(50), sound(50)[::-1]], axis=1)
    np.testing.assert_allclose(mono(stereo), stereo.mean(axis=1), atol=1e-7)
    np.testing.assert_array_equal(mono(np.stack([sound(50)] * 2, axis=1)), sound(50))


def test_ordinary_samples_clipped_ones_and_an_offset_pass_unchanged() -> None:
    for samples in (sound(50), np.where(sound(50) > 0, 1.0, -1.0).astype(np.float32), sound(50) + 0.5):
        assert mono(samples) is samples


@pytest.mark.parametrize("channels", [1, 2, 3])
@given(st.lists(st.floats(width=32), min_size=6, max_size=6))
def test_no_value_of_a_float_leaves_the_mixer_unbounded(channels: int, values: list[float]) -> None:
    samples = np.array(values, np.float32).reshape(-1, channels)
    mixed = mono(samples if channels > 1 else samples[:, 0])
    assert mixed.shape == (6 // channels,)
    assert mixed.dtype == np.float32
    assert np.isfinite(mixed).all()
    assert np.abs(mixed).max() <= 4.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_sample_does_not_touch_its_neighbours_nor_the_other_channel(bad: float) -> None:
    samples = np.stack([sound(20), sound(20)], axis=1)
    samples[7, 0] = bad
    mixed = mono(samples)
    others = np.arange(20) != 7
    np.testing.assert_array_equal(mixed[others], sound(20)[others])
    assert mixed[7] == sound(20)[7] / 2


def test_a_block_without_samples_stays_empty() -> None:
    assert mono(np.empty(0, np.float32)).shape == (0,)
    assert mono(np.empty((0, 2), np.float32)).shape == (0,)
