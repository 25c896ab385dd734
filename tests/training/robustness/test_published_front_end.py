"""Laws of the published features with gradients: they are the study's own, and gradients reach the sound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from corpora import write_urbansound8k

pytest.importorskip("tensorflow")

import tensorflow as tf

from training.base.arrays import Floats
from training.features.extract import extract
from training.features.spec import presets
from training.records.jobs import Job
from training.robustness.attacks.in_sound import SoundEffort, attack_sound
from training.robustness.attacks.methods import quantised, sounds_of
from training.robustness.targets.networks import Target, target
from training.robustness.targets.published_front_end import on_waveforms, seed_frames, seed_mel
from training.study.task import Options

# foolbox imports scipy by an older name.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Please import `gaussian_filter`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

_KINDS = {"seed-mel": seed_mel, "seed-frames": seed_frames}
_RATE = 22_050
_COUNTS = (128, 139)
"""Columns of zero crossings and roll-off."""


def sounds(seed: int, count: int = 3) -> Floats:
    """Noise of random colours that swells and fades, with a hum; the last ends in silence."""
    rng = np.random.default_rng(seed)
    time = np.arange(4 * _RATE) / _RATE
    rows = []
    for number in range(count):
        spectrum = np.fft.rfft(rng.standard_normal(len(time)))
        spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** -rng.uniform(0.0, 1.0)
        noise = np.fft.irfft(spectrum, len(time))
        swell = 0.55 + 0.45 * np.sin(2 * np.pi * rng.uniform(0.3, 2.0) * time)
        hum = np.sin(2 * np.pi * rng.uniform(80, 900) * time)
        one = 0.2 * noise / np.abs(noise).max() * swell + 0.1 * hum
        rows.append(one * (time < 3.0) if number == count - 1 else one)
    return quantised(np.stack(rows))


@pytest.mark.parametrize("kind", list(_KINDS))
def test_features_are_the_studys(kind: str) -> None:
    given = sounds(1)
    expected = np.stack([extract(sound, presets[kind]) for sound in given])
    found = np.asarray(_KINDS[kind](presets[kind])(tf.constant(given)))
    assert found.shape == expected.shape
    # Roll-off jumps a bin or many where the sum is just at its threshold: a few frames may.
    apart = np.abs(found - expected) > 1e-3 * np.maximum(1.0, np.abs(expected))
    assert apart.mean(axis=(0, 1)).max() < 0.01


@pytest.mark.parametrize("kind", list(_KINDS))
def test_the_gradient_is_how_the_features_change(kind: str) -> None:
    given = tf.constant(sounds(2, 1))
    features = _KINDS[kind](presets[kind])
    direction = tf.constant(np.random.default_rng(3).standard_normal(given.shape).astype(np.float32))

    def mean_level(waveforms: Any) -> Any:
        return tf.reduce_mean(features(waveforms)[:, 5:100, 20:100])

    with tf.GradientTape() as tape:
        tape.watch(given)
        level = mean_level(given)
    slope = float(tf.reduce_sum(tape.gradient(level, given) * direction))
    step = 1e-4
    measured = float(mean_level(given + step * direction) - mean_level(given - step * direction)) / (2 * step)
    assert slope == pytest.approx(measured, rel=0.05)


def test_counts_have_no_gradient_and_all_other_columns_have() -> None:
    given = tf.constant(sounds(4, 1))
    features = seed_frames(presets["seed-frames"])
    for column in (0, 60, 129, 130, 131, 132, 138, 140, 164, *_COUNTS):
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = tf.reduce_mean(features(given)[:, 5:100, column])
        gradient = tape.gradient(value, given, unconnected_gradients="zero")
        assert np.isfinite(gradient).all()
        assert bool(np.any(gradient)) is (column not in _COUNTS), column


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Target:
    home = tmp_path_factory.mktemp("published")
    write_urbansound8k(home / "data", folds=(1, 2, 3))
    options = Options(home / "data", cache=home / "cache", runs=home / "runs", epochs=1, threads=1)
    return target(Job("honest", "clstm", 1, 0), options, 4, True, lambda text: None)


def test_a_published_network_hears_a_sound_as_the_study_does(recurrent: Target) -> None:
    network = recurrent.published
    assert network is not None
    given = sounds_of(recurrent.clips, network.spec.rate)
    values = np.stack([extract(sound, network.spec) for sound in given]).astype(np.float16)
    assert network.scaler is not None
    expected = network.model(network.scaler.apply(values), training=False)
    np.testing.assert_allclose(on_waveforms(network)(given), expected, atol=0.02)


def test_a_published_network_is_attacked_by_sound_at_its_own_rate(recurrent: Target) -> None:
    found = attack_sound(recurrent, SoundEffort(1, 1, 1, 2, 25), lambda text: None)
    assert len(found.right) == len(recurrent.clips)
    assert found.withstood["inf"] == found.right
    kept = [sum(found.withstood[name]) for name in ("inf", "60", "20", "10", "-20")]
    assert kept == sorted(kept, reverse=True)
