"""Laws of attacks on waveforms: the front end is the daemon's, budgets hold, more of anything fools more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from monitor.features.logmel import log_mel as stream_log_mel
from monitor.features.spec import LogMelSpec
from training.data.audio import RATE
from training.data.corpora import CLASSES, Clip
from training.errors import DataError
from training.fit.windows import Scaling
from training.records.jobs import Job
from training.robustness.attacks.in_sound import (
    LOUD_DB,
    NOISES,
    NOTHING_DB,
    PEAKS_DB,
    QUICK,
    SNRS_DB,
    SoundEffort,
    _noise,
    attack_sound,
)
from training.robustness.attacks.methods import (
    dead,
    deepfool,
    descend,
    descend_peak,
    nearest_sounds,
    noise_like,
    quantised,
    right,
    rounded,
    snr_db,
)
from training.robustness.targets.front_end import SAMPLES, log_mel, on_waveforms
from training.robustness.targets.networks import Target, Windows
from training.robustness.targets.planted import planted

# foolbox imports scipy by an older name.
pytestmark = pytest.mark.filterwarnings("ignore:Please import `gaussian_filter`:DeprecationWarning")

SPEC = LogMelSpec(n_fft=512, win_length=400, hop=320, frames=100, n_mels=16, fmin=50.0, fmax=8000.0)
SCALING = Scaling(np.zeros(SPEC.n_mels, np.float32), 10.0)
_DULL, _BRIGHT = 3, 8


def by_brightness(steepness: float) -> Any:
    return on_waveforms(brightness(steepness), SPEC, SCALING)


def brightness(steepness: float) -> Any:
    """A network that knows two classes by the tilt of the spectrum; no other class is ever near."""
    window = keras.layers.Input((SPEC.frames, SPEC.n_mels))
    tilt = np.linspace(-1.0, 1.0, SPEC.n_mels).astype(np.float32) * steepness
    weights = np.zeros((SPEC.n_mels, 11), np.float32)
    weights[:, _DULL], weights[:, _BRIGHT] = -tilt, tilt
    bias = np.full(11, -50.0, np.float32)
    bias[[_DULL, _BRIGHT]] = 0.0
    dense = keras.layers.Dense(11)
    network = keras.Model(window, dense(keras.layers.GlobalAveragePooling1D()(window)))
    dense.set_weights([weights, bias])
    return network


def listening(steepness: float) -> Target:
    """The same network as a target: only what is attacked by sound is asked of it."""
    network: Any = SimpleNamespace(
        model=brightness(steepness), front=SimpleNamespace(spec=SPEC), scaling=SCALING
    )
    clips = tuple(
        Clip(Path(f"{i}.wav"), "planted", str(i), CLASSES[label], 1) for i, label in enumerate(tilted(5)[1])
    )
    windows = Windows(SimpleNamespace(), network)  # type: ignore[arg-type]
    return Target(
        Job("honest", "bright", 1, 0), clips, np.zeros((4, 1, 1), np.float32), lambda r: None, windows
    )


def tilted(seed: int, count: int = 4, by: float = 1.2) -> tuple[Any, Any]:
    """Noises whose spectrum falls or rises, and their classes."""
    rng = np.random.default_rng(seed)
    truth = np.array([_DULL, _BRIGHT] * (count // 2))
    spectrum = np.fft.rfft(rng.standard_normal((count, SAMPLES)))
    slope = np.linspace(-1.0, 1.0, spectrum.shape[1]) * np.where(truth == _BRIGHT, by, -by)[:, None]
    sounds = np.fft.irfft(spectrum * np.exp(slope), SAMPLES)
    return quantised(0.1 * sounds / sounds.std(axis=1, keepdims=True)), truth


def test_the_front_end_that_has_gradients_is_the_daemons() -> None:
    sounds, _ = tilted(0)
    ours = np.asarray(log_mel(SPEC, RATE)(sounds))
    for sound, features in zip(sounds, ours, strict=True):
        np.testing.assert_allclose(features, stream_log_mel(sound, SPEC, RATE, 25), atol=1e-3)


def test_a_perturbation_keeps_to_its_budget_to_full_scale_and_to_sixteen_bits() -> None:
    model, (sounds, truth) = by_brightness(1.0), tilted(1)
    for budget_db, start in ((40.0, 1), (20.0, 1), (20.0, 0)):
        perturbed = descend(model, sounds, truth, budget_db, 3, start)
        np.testing.assert_allclose(snr_db(sounds, perturbed), budget_db, atol=0.3)
        np.testing.assert_array_equal(perturbed, quantised(perturbed))
        control = noise_like(perturbed, sounds, lambda s: np.random.default_rng(0).standard_normal(len(s)))
        np.testing.assert_allclose(snr_db(sounds, control), budget_db, atol=0.3)


def test_the_controls_are_as_strong_and_of_their_colours() -> None:
    sounds, _ = tilted(1)
    perturbed = quantised(sounds + 0.01 * np.random.default_rng(5).standard_normal(sounds.shape))
    for slope, ratio in zip(NOISES.values(), (2.0, 1.0), strict=True):
        control = noise_like(perturbed, sounds, _noise(slope))
        np.testing.assert_allclose(snr_db(sounds, control), snr_db(sounds, perturbed), atol=0.1)
        power = (np.abs(np.fft.rfft(control - sounds)) ** 2).sum(axis=0)
        octaves = [power[hertz * 4 : hertz * 8].sum() for hertz in (500, 1000, 2000)]
        np.testing.assert_allclose(np.divide(octaves[1:], octaves[:-1]), ratio, rtol=0.15)


def test_starts_by_sound_differ_by_their_number_alone_and_lie_at_the_budget() -> None:
    sounds, truth = tilted(1)

    def flat(given: Any) -> Any:
        return 0.0 * tf.reduce_sum(given, axis=1)[:, None] + tf.ones((1, len(CLASSES)))

    runs = [descend(flat, sounds, truth, 30.0, 1, start) for start in (0, 1, 1, 2)]
    np.testing.assert_array_equal(runs[0], sounds)
    np.testing.assert_array_equal(runs[1], runs[2])
    assert not np.array_equal(runs[1], runs[3])
    for run in runs[1:]:
        np.testing.assert_allclose(snr_db(sounds, run), 30.0, atol=0.3)


def test_what_a_random_start_alone_fools_is_not_robust(monkeypatch: pytest.MonkeyPatch) -> None:
    sounds, truth = tilted(5)
    over = quantised(tilted(5, by=3.0)[0][[1, 0, 3, 2]])
    place = "training.robustness.attacks.in_sound"
    monkeypatch.setattr(f"{place}.sounds_of", lambda clips, rate: sounds)
    monkeypatch.setattr(
        f"{place}.descend", lambda heard, given, labels, snr, steps, start=1: over if start else given
    )
    monkeypatch.setattr(f"{place}.deepfool", lambda heard, given, *rest: given)
    found = attack_sound(listening(1.0), SoundEffort(2, 1, 1, 0, 0), lambda text: None)
    assert found.alone["PGD 20 dB"] == found.right == (True,) * len(truth)
    assert found.alone["PGD 20 dB, start 1"] == (False,) * len(truth)
    assert found.withstood["20"] == (False,) * len(truth)
    assert found.withstood[f"{NOTHING_DB:g}"] == found.right


def test_a_perturbation_by_its_peak_keeps_to_it_in_sixteen_bits() -> None:
    model, (sounds, truth) = by_brightness(1.0), tilted(1)
    for peak_db in PEAKS_DB:
        perturbed = descend_peak(model, sounds, truth, peak_db, steps=3)
        peak = np.abs(perturbed - sounds).max(axis=1)
        assert np.all(peak <= 10 ** (peak_db / 20) + 1e-7)
        assert np.all(peak > 0.7 * 10 ** (peak_db / 20))
        assert np.abs(perturbed).max() <= 1.0
        np.testing.assert_array_equal(perturbed, quantised(perturbed))


def test_the_least_perturbation_by_another_method_is_about_deepfools() -> None:
    model, (sounds, truth) = by_brightness(1.0), tilted(4)
    moved = nearest_sounds(model, sounds, truth, 100)
    assert not right(model, moved, truth).any()
    np.testing.assert_allclose(
        snr_db(sounds, moved), snr_db(sounds, deepfool(model, sounds, truth)), atol=3.0
    )


def test_a_change_that_rounding_would_undo_is_turned_up_until_it_fools() -> None:
    sounds, truth = np.zeros((2, 4), np.float32), np.array([0, 0])

    def by_mean(given: Any) -> Any:
        means = np.asarray(given).mean(axis=1)
        return np.stack([np.full(2, 2e-5), means], axis=1)

    moved = sounds + np.array([[1.2e-5], [2.1e-4]], np.float32)
    results = rounded(by_mean, sounds, moved, truth)
    assert results[0, 0] == pytest.approx(1 / 32767)
    assert results[1, 0] == pytest.approx(round(2.1e-4 * 32767) / 32767)


def test_gradients_that_are_nothing_or_no_numbers_are_told() -> None:
    sounds, truth = tilted(1)
    model = by_brightness(1.0)
    assert not dead(model, sounds, truth).any()
    assert dead(lambda given: model(tf.stop_gradient(given)), sounds, truth).all()
    assert dead(lambda given: tf.sqrt(0.0 * given) + model(given)[:, :1], sounds, truth).all()


def test_a_large_budget_fools_all_and_noise_of_that_size_does_not() -> None:
    model, (sounds, truth) = by_brightness(1.0), tilted(2)
    assert right(model, sounds, truth).all()
    perturbed = descend(model, sounds, truth, 3.0)
    noise = noise_like(perturbed, sounds, lambda s: np.random.default_rng(0).standard_normal(len(s)))
    assert not right(model, perturbed, truth).any()
    assert right(model, noise, truth).mean() >= 0.5


def test_more_steps_never_leave_more_clips_right_and_neither_does_a_larger_budget() -> None:
    model, (sounds, truth) = by_brightness(1.0), tilted(3, 8)
    by_budget = [right(model, descend(model, sounds, truth, db, 10), truth).mean() for db in (60, 20, 10, 3)]
    assert by_budget == sorted(by_budget, reverse=True)
    assert by_budget[0] == 1.0
    assert by_budget[-1] == 0.0
    one, many = (right(model, descend(model, sounds, truth, 8.0, n), truth).mean() for n in (1, 10))
    assert many <= one


def test_deepfool_crosses_the_boundary_and_needs_less_where_classes_lie_nearer() -> None:
    sounds, truth = tilted(4)
    model = by_brightness(1.0)
    moved = deepfool(model, sounds, truth)
    assert not right(model, moved, truth).any()
    nearer, _ = tilted(4, by=0.6)
    assert right(model, nearer, truth).all()
    assert np.all(snr_db(nearer, deepfool(model, nearer, truth)) > snr_db(sounds, moved))


def test_the_findings_by_sound_hold_what_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    sounds, _ = tilted(5)
    monkeypatch.setattr("training.robustness.attacks.in_sound.sounds_of", lambda clips, rate: sounds)
    effort = SoundEffort(steps=5, short=2, second_steps=100, second_clips=3)
    found = attack_sound(listening(1.0), effort, lambda text: None)
    assert all(found.right)
    assert not any(found.dead)
    assert found.withstood[f"{NOTHING_DB:g}"] == found.right
    kept = [np.mean(found.withstood[f"{snr:g}"]) for snr in (NOTHING_DB, *SNRS_DB, LOUD_DB)]
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] == 0.0
    assert np.mean(found.alone["Gaussian noise at 20 dB"]) == 1.0
    # The least perturbation lies between the last budget that all withstand and one that fools all.
    nearest = [snr for snr in found.snr_db if snr is not None]
    held = [snr for snr in found.rounded_snr_db if snr is not None]
    assert len(nearest) == len(held) == 4
    np.testing.assert_allclose(held, nearest, atol=3.0)
    assert found.second_asked == (True, True, True, False)
    assert [snr is not None for snr in found.second_snr_db] == [True, True, True, False]
    under = [np.mean(found.under_peak[f"{peak:g}"]) for peak in PEAKS_DB]
    assert under == sorted(under, reverse=True)
    assert min(nearest) > LOUD_DB
    assert max(nearest) < 60.0
    # A louder perturbation has the higher peak, and ten decibels are ten.
    peaks = [np.median(np.array(found.peaks_db[f"PGD {snr:g} dB"], float)) for snr in (30.0, 20.0, 10.0)]
    np.testing.assert_allclose(np.diff(peaks), 10.0, atol=3.0)
    np.testing.assert_allclose(np.array(found.realised_db["PGD 30 dB"], float), 30.0, atol=0.3)


def test_deepfool_and_noise_count_against_every_budget_that_holds_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sounds, _ = tilted(5)
    place = "training.robustness.attacks.in_sound"
    monkeypatch.setattr(f"{place}.sounds_of", lambda clips, rate: sounds)
    monkeypatch.setattr(f"{place}.descend", lambda heard, given, *rest: given)
    monkeypatch.setattr(f"{place}.descend_peak", lambda heard, given, *rest: given)
    found = attack_sound(listening(1.0), QUICK, lambda text: None)
    assert all(found.alone["PGD 10 dB"])
    assert not any(found.withstood[f"{LOUD_DB:g}"])
    assert found.realised_db["PGD 10 dB"] == (None,) * 4
    for snr in SNRS_DB:
        spared = tuple(snr > held for held in np.array(found.rounded_snr_db, float))
        assert found.withstood[f"{snr:g}"] == spared
    monkeypatch.setattr(f"{place}.deepfool", lambda heard, given, *rest: given)
    bright = quantised(tilted(5, by=3.0)[0][[1, 0, 3, 2]])
    monkeypatch.setattr(f"{place}.noise_like", lambda perturbed, given, noise: bright)
    loud = attack_sound(listening(1.0), QUICK, lambda text: None)
    assert not any(loud.withstood[f"{LOUD_DB:g}"])
    assert loud.snr_db == (None,) * 4


def test_of_clips_that_are_wrong_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    sounds, _ = tilted(5)
    monkeypatch.setattr(
        "training.robustness.attacks.in_sound.sounds_of",
        lambda clips, rate: sounds[[int(clip.path.stem) for clip in clips]],
    )
    one = listening(1.0)
    wrong = replace(one.clips[0], label=CLASSES[_BRIGHT])
    effort = replace(QUICK, steps=2)
    found = attack_sound(replace(one, clips=(wrong, *one.clips[1:])), effort, lambda text: None)
    assert found.right == (False, True, True, True)
    assert (found.snr_db[0], found.rounded_snr_db[0], found.realised_db["PGD 20 dB"][0]) == (None,) * 3
    assert not any(kept[0] for kept in (*found.alone.values(), *found.withstood.values()))
    nothing = attack_sound(replace(one, clips=(wrong,)), effort, lambda text: None)
    assert (nothing.right, nothing.withstood["20"], nothing.snr_db) == ((False,), (False,), (None,))


def test_a_network_of_other_features_is_not_attacked_by_sound() -> None:
    with pytest.raises(DataError, match="attack its features only"):
        attack_sound(planted("toy", 1.0), QUICK, lambda text: None)
