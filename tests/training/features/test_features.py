"""Features have one shape, equal their references, and do not depend on what they need not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.features.logmel import log_mel
from training.data.audio import RATE
from training.features.extract import extract, fill_frames
from training.features.front_end import default_front_end
from training.features.noise import denoise
from training.features.scale import Scaler
from training.features.spec import FeatureSpec, presets

librosa = pytest.importorskip("librosa")


def bark(seconds: float, rate: int, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * 700 * time) * np.exp(-3 * (time % 0.5))
    return (0.3 * tone + 0.01 * rng.standard_normal(len(time))).astype(np.float32)


@pytest.mark.parametrize("name", presets)
@pytest.mark.parametrize("fill", ["repeat", "pad"])
@pytest.mark.parametrize("seconds", [0.01, 0.055, 1.3, 4.0, 6.0])
def test_a_clip_of_any_length_has_the_shape_of_its_settings(name: str, fill: str, seconds: float) -> None:
    spec = replace(presets[name], fill=fill)
    features = extract(bark(seconds, spec.rate), spec)
    assert features.shape == spec.shape
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_the_presets_of_the_published_study_have_its_shapes() -> None:
    assert presets["seed-frames"].shape == (345, 165)
    assert presets["seed-mel"].shape == (128, 128)


def published_columns(y: np.ndarray, rate: int) -> np.ndarray:
    """Return the 165 columns as librosa gives them call by call, frames untiled."""
    hop = 255
    blocks = [
        librosa.power_to_db(
            librosa.feature.melspectrogram(
                y=y, sr=rate, n_mels=128, hop_length=hop, n_fft=511, fmax=rate // 2
            ),
            ref=np.max,
        ),
        librosa.feature.zero_crossing_rate(y=y, hop_length=hop),
        librosa.feature.rms(y=y, hop_length=hop),
        librosa.feature.spectral_centroid(y=y, sr=rate, hop_length=hop),
        librosa.feature.spectral_bandwidth(y=y, sr=rate, hop_length=hop),
        librosa.feature.spectral_contrast(y=y, sr=rate, hop_length=hop),
        librosa.feature.spectral_rolloff(y=y, sr=rate, hop_length=hop),
        librosa.feature.mfcc(y=y, sr=rate, n_mfcc=25, hop_length=hop, n_fft=511),
    ]
    return np.concatenate(blocks).T


def test_seed_frames_equal_librosa_column_by_column() -> None:
    spec = presets["seed-frames"]
    samples = bark(2.0, spec.rate)
    reference = published_columns(samples, spec.rate)
    features = extract(samples, spec)
    np.testing.assert_allclose(features[: len(reference)], reference, rtol=1e-4, atol=2e-3)
    np.testing.assert_array_equal(features[len(reference) :], features[: 345 - len(reference)])


def test_seed_mel_is_librosas_repeated_and_cut_at_128_frames() -> None:
    spec = presets["seed-mel"]
    samples = bark(1.0, spec.rate)
    power = librosa.feature.melspectrogram(y=samples, sr=spec.rate, n_fft=2048, hop_length=512, n_mels=128)
    reference = np.tile(librosa.power_to_db(power, ref=np.max), (1, 3))[:, :128].T
    np.testing.assert_allclose(extract(samples, spec), reference, atol=1e-3)


def test_log_mel_is_what_the_shipped_model_hears() -> None:
    spec = presets["log-mel"]
    front_end = default_front_end(cache=None).spec  # type: ignore[arg-type]
    samples = bark(1.0, RATE)
    heard = log_mel(samples, front_end, RATE, 25)
    np.testing.assert_array_equal(extract(samples, spec)[: len(heard)], heard)


def test_log_mel_keeps_loudness_that_the_seed_mel_erases() -> None:
    loud = bark(1.0, 16_000)
    spec = presets["log-mel"]
    difference = extract(loud, spec) - extract(loud / 10, spec)
    assert np.median(difference) == pytest.approx(20.0, abs=0.01)
    spec = replace(presets["seed-mel"], rate=16_000)
    np.testing.assert_allclose(extract(loud, spec), extract(loud / 10, spec), atol=1e-2)


def test_a_repeated_clip_begins_again_without_silence_between() -> None:
    spec = presets["log-mel"]
    samples = bark(0.333, spec.rate)
    once = -(-len(samples) // spec.hop)
    features = extract(samples, spec)
    np.testing.assert_array_equal(features[once : 2 * once], features[:once])
    assert features.min() > -100.0, "zeros that filled the last call were repeated"


def test_a_padded_clip_ends_in_silence() -> None:
    spec = replace(presets["log-mel"], fill="pad")
    features = extract(bark(0.5, spec.rate), spec)
    np.testing.assert_allclose(features[-100:], -100.0, atol=1e-4)


def test_mfcc_of_a_steady_sound_has_no_deltas() -> None:
    spec = presets["mfcc"]
    steady = np.tile(bark(0.02, spec.rate)[:320], 200).astype(np.float32)
    features = extract(steady, spec)[20:-20]
    assert np.abs(features[:, 20:]).max() < 1e-3
    assert np.abs(features[:, :20]).max() > 10.0


def test_mfcc_deltas_are_the_slope_of_the_coefficients() -> None:
    spec = presets["mfcc"]
    ramp = bark(4.0, spec.rate) * np.exp(np.linspace(-4, 0, 4 * spec.rate)).astype(np.float32)
    features = extract(ramp, spec)
    np.testing.assert_allclose(
        features[8:-8, 20:40], librosa.feature.delta(features[:, :20], axis=0)[8:-8], atol=1e-3
    )


def test_frames_are_filled_by_repetition_from_the_first() -> None:
    frames = np.arange(3, dtype=np.float32)[:, None]
    assert fill_frames(frames, 7)[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert fill_frames(frames, 2)[:, 0].tolist() == [0, 1]


def test_settings_that_contradict_each_other_are_refused() -> None:
    plain = presets["log-mel"]
    with pytest.raises(ValueError, match="hop 0"):
        replace(plain, hop=0)
    with pytest.raises(ValueError, match="no deltas"):
        replace(plain, deltas=True)
    with pytest.raises(ValueError, match="MFCCs do not fit"):
        replace(presets["mfcc"], n_mfcc=65)
    with pytest.raises(ValueError, match="no frame"):
        replace(plain, seconds=0.01)


def test_the_gate_takes_steady_noise_and_leaves_a_burst() -> None:
    rate = 16_000
    rng = np.random.default_rng(5)
    noisy = 0.01 * rng.standard_normal(2 * rate).astype(np.float32)
    noisy[rate : rate + 4000] *= 30.0
    clean = denoise(noisy, rate)

    def level_db(samples: np.ndarray) -> float:
        return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-12))

    assert level_db(clean[: rate // 2]) < level_db(noisy[: rate // 2]) - 10
    assert level_db(clean[rate : rate + 4000]) == pytest.approx(level_db(noisy[rate : rate + 4000]), abs=1.5)


@pytest.mark.parametrize("samples", [1, 700, 5000])
def test_the_gate_keeps_the_length_of_any_clip(samples: int) -> None:
    assert denoise(bark(1.0, 16_000)[:samples], 16_000).shape == (samples,)
    assert not denoise(np.zeros(samples, np.float32), 16_000).any()


def test_a_scaler_standardises_what_it_was_fitted_on() -> None:
    rng = np.random.default_rng(0)
    values = (rng.standard_normal((150, 7, 3)) * [1, 10, 0.1] + [5, -300, 0]).astype(np.float16)
    scaled = Scaler.fit(values).apply(values)
    np.testing.assert_allclose(scaled.mean(axis=(0, 1)), 0.0, atol=1e-3)
    np.testing.assert_allclose(scaled.std(axis=(0, 1)), 1.0, atol=1e-3)


def test_a_scaler_does_not_look_at_the_clips_it_is_not_given() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((20, 5, 2)).astype(np.float32)
    rows = np.arange(10)
    before = Scaler.fit(values, rows)
    values[10:] += 1000.0
    after = Scaler.fit(values, rows)
    np.testing.assert_array_equal(before.mean, after.mean)
    np.testing.assert_array_equal(before.deviation, after.deviation)


def test_a_column_that_never_changes_becomes_zero() -> None:
    values = np.full((3, 4, 1), -80.0, np.float32)
    assert not Scaler.fit(values).apply(values).any()


def test_frames_of_a_spec_follow_its_seconds() -> None:
    assert FeatureSpec("log-mel", 16_000, 512, 320, 64, seconds=2.0).frames == 100
