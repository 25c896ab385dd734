"""The front end of mn04: EfficientAT's log-mel, frame by frame, but for where the frames stand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.features.logmel import LogMel, log_mel, matrix_sha256, mel_matrix
from monitor.features.spec import KaldiLogMelSpec, Normalisation

RATE = 32000
MN04 = KaldiLogMelSpec(
    n_fft=1024,
    win_length=800,
    hop=320,
    frames=100,
    n_mels=128,
    fmin=0.0,
    fmax=15000.0,
    matrix_sha256="06d99768c1512ffb441ea8898e21462e7205ee124feb14a8a131c629ed883ef2",
    pre_emphasis=0.97,
    offset=1e-5,
    normalisation=Normalisation(mean=(-4.5,), std=(5.0,)),
)
LEAD = 240
"""Zeros before a signal that bring our frame t + 1 to where the original's centred frame t stands."""


def sound(seed: int, count: int) -> np.ndarray:
    """Noise over a hum and two tones, steep in its spectrum as recordings are."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(count) / RATE
    hum = 0.2 * np.sin(2 * np.pi * 60 * time_s) + 0.1 * np.sin(2 * np.pi * 900 * time_s)
    return (hum + np.cumsum(rng.normal(0, 1e-4, count)) + rng.normal(0, 1e-3, count)).astype(np.float32)


def original(samples: np.ndarray, *, keep_constant: bool = False) -> np.ndarray:
    """EfficientAT's front end written plainly, in float64, without its reflected edges; (frames, bands).

    Each frame is 800 pre-emphasised samples around a multiple of 320, whole frames only. The frame's
    constant, its mean weighted by the window, is removed, which EfficientAT does not do.
    """
    emphasised = samples[1:].astype(np.float64) - 0.97 * samples[:-1].astype(np.float64)
    centres = range(2 * 320, len(emphasised) - 400, 320)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 799)
    frames = np.stack([emphasised[at - 400 : at + 400] for at in centres])
    if not keep_constant:
        frames = frames - np.average(frames, axis=1, weights=hann)[:, None]
    power = np.abs(np.fft.rfft(frames * hann, 1024)) ** 2
    return (np.log(power @ kaldi_banks().T + 1e-5) + 4.5) / 5


def kaldi_banks() -> np.ndarray:
    """Triangles in mel of Kaldi's scale, bin by bin, shape (bands, bins)."""

    def mel(hz: float) -> float:
        return 1127.0 * np.log(1.0 + hz / 700.0)

    step = mel(15000.0) / 129
    banks = np.zeros((128, 513))
    for band in range(128):
        for bin_ in range(513):
            position = mel(bin_ * RATE / 1024) / step - band
            banks[band, bin_] = max(0.0, min(position, 2.0 - position))
    return banks


def test_the_mel_bank_is_kaldis_with_a_zero_column_for_nyquist() -> None:
    matrix = mel_matrix(MN04, RATE)
    np.testing.assert_allclose(matrix, kaldi_banks(), atol=1e-9)
    assert not matrix[:, 512].any()
    assert matrix_sha256(matrix) == MN04.matrix_sha256


def test_frames_are_the_originals_within_float_rounding() -> None:
    samples = sound(1, 2 * RATE)
    theirs = original(samples)
    # The original takes y[n] = x[n + 1] − 0.97·x[n]: a sample earlier than ours.
    padded = np.concatenate([np.zeros(LEAD - 1, np.float32), samples])
    ours = log_mel(padded, MN04, RATE, 50)[3:][: len(theirs)]
    assert len(theirs) > 190
    assert np.abs(ours - theirs).max() < 1e-3
    assert np.abs(ours - theirs).mean() < 1e-5


@pytest.mark.parametrize("offset", [1e-3, -0.5])
def test_a_constant_offset_leaves_no_trace(offset: float) -> None:
    samples = sound(3, 2 * RATE) * np.float32(0.1)
    plain, shifted = (log_mel(one, MN04, RATE, 50) for one in (samples, samples + np.float32(offset)))
    # The first three frames hold the step at the beginning.
    np.testing.assert_allclose(shifted[3:], plain[3:], atol=1e-3)


def test_silence_is_the_logarithm_of_the_offset() -> None:
    silence = log_mel(np.zeros(RATE, np.float32), MN04, RATE, 50)
    np.testing.assert_allclose(silence, (np.log(1e-5) + 4.5) / 5, atol=1e-6)


@given(st.integers(0, 4), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_hop_by_hop_is_the_whole_to_the_bit(hops: int, frames_per_call: int, seed: int) -> None:
    samples = sound(seed, hops * frames_per_call * MN04.hop)
    whole = log_mel(samples, MN04, RATE, frames_per_call)
    stream = LogMel(MN04, RATE, frames_per_call)
    pushed = [stream.push(hop) for hop in samples.reshape(hops, stream.hop_samples)]
    np.testing.assert_array_equal(np.concatenate([whole[:0], *pushed]), whole)


@given(st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_a_frame_does_not_look_ahead_and_is_as_long_as_the_window(hop: int, seed: int) -> None:
    samples = sound(seed, 4 * 1600)
    after, before = samples.copy(), samples.copy()
    after[(hop + 1) * 1600 :] += 0.1
    upto = (hop + 1) * 5
    before[: max(0, upto * 320 - 801)] += 0.1  # pre-emphasis looks a sample further back
    whole = log_mel(samples, MN04, RATE, 5)
    np.testing.assert_array_equal(log_mel(after, MN04, RATE, 5)[:upto], whole[:upto])
    np.testing.assert_array_equal(log_mel(before, MN04, RATE, 5)[upto - 1], whole[upto - 1])


def test_after_reset_a_stream_begins_again() -> None:
    stream = LogMel(MN04, RATE, 5)
    hop = sound(5, stream.hop_samples) + np.float32(0.3)
    first = stream.push(hop)
    assert not np.array_equal(stream.push(hop), first)
    stream.reset()
    np.testing.assert_array_equal(stream.push(hop), first)


@pytest.mark.accuracy
@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_reference_of_mn04_is_met_but_for_the_constant(number: int) -> None:
    folder = os.environ.get("SOUND_DATA")
    if not folder:
        pytest.skip("SOUND_DATA names no data")
    with np.load(Path(folder) / "mn04" / "reference.npz") as stored:
        samples, theirs = stored[f"audio{number}"], stored[f"logmel{number}"].T
        # Their bank was computed in float32.
        np.testing.assert_allclose(mel_matrix(MN04, RATE)[:, :512], stored["mel_matrix"], atol=2e-5)
    # The first two frames of ``original`` would need samples from before the signal.
    expected = original(samples, keep_constant=True)
    assert np.abs(expected - theirs[2:][: len(expected)]).max() < 1e-4
    padded = np.concatenate([np.zeros(LEAD - 1, np.float32), samples])
    ours = log_mel(padded, MN04, RATE, 50)[3:][: len(expected)]
    assert np.abs(ours - original(samples)).max() < 1e-4
    # What the removed constant changes: the lowest four bands, up to 53 Hz wide.
    difference = np.abs(ours - expected).mean(axis=0)
    assert difference[:4].max() < 0.25
    assert difference[4:].max() < 0.01
