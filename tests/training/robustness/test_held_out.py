"""Laws of the default model under attack: it is what the daemon runs, from features and from sound."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from corpora import write_urbansound8k
from mn04_tensors import write_tensors

pytest.importorskip("tensorflow")

import tensorflow as tf

from monitor.features.logmel import log_mel as stream_log_mel
from monitor.model.card import ClassCard, Support
from monitor.model.load import ThirdParty, load_model
from monitor.model.package import write_package
from monitor.settings import ClassSettings
from training.base.maths import log_odds
from training.data.corpora import CLASSES, LABELS, MN04_FILES
from training.errors import DataError
from training.export.conversion import to_tflite
from training.features.front_end import AUDIOSET_RATE, audioset_front_end
from training.networks import mn04
from training.recipes.transfer.fine_tune import FineTuning, fine_tune, trained
from training.recipes.transfer.left_out import package_path
from training.recipes.transfer.make import Plan, make_card, run_name
from training.recipes.transfer.mixtures import Mixtures
from training.recipes.transfer.trunk import FRAMES, MAP, Pretrained, whole
from training.records.jobs import Job
from training.robustness.attacks.methods import sounds_of
from training.robustness.attacks.on_features import push_features
from training.robustness.played.transfer import logits_by
from training.robustness.targets.front_end import DB_OF_LN, log_mel
from training.robustness.targets.held_out import DEFAULT
from training.robustness.targets.networks import Target, target
from training.study.task import Options

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Please import `gaussian_filter`:DeprecationWarning"),
]
SPEC = audioset_front_end(Path(), FRAMES).spec
JOB = Job("honest", DEFAULT, 1, 0)
TUNING = FineTuning(probe_steps=2, probe_batch=4, epochs=1, batch=4)
NAMES = tuple(f"Sound {number}" for number in range(mn04.AUDIOSET))


def keep_variance(path: Path) -> None:
    """Scale convolutions so that outputs depend on inputs after fifteen blocks."""
    with np.load(path) as stored:
        tensors = dict(stored)
    for name, tensor in tensors.items():
        if tensor.ndim == 4:
            tensors[name] = tensor * np.float32((2 / np.prod(tensor.shape[1:])) ** 0.5 / tensor.std())
    np.savez(path, **tensors)


def noise(count: int, samples: int) -> Any:
    rng = np.random.default_rng(5)
    return (rng.standard_normal((count, samples)) * [[0.001], [0.3]][:count] + 0.02).astype(np.float32)


def test_the_front_end_with_gradients_is_the_daemons() -> None:
    sounds = noise(2, AUDIOSET_RATE)
    mean, std = SPEC.normalisation.mean[0], SPEC.normalisation.std[0]
    decibels = log_mel(SPEC, AUDIOSET_RATE)(sounds)
    for sound, features in zip(sounds, np.asarray(decibels) / DB_OF_LN, strict=True):
        daemon = stream_log_mel(sound, SPEC, AUDIOSET_RATE, 50)
        np.testing.assert_allclose((features - mean) / std, daemon, atol=1e-3)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    """Return options with the default model without fold 1, of random weights."""
    home = tmp_path_factory.mktemp("held-out")
    write_urbansound8k(home / "data", folds=(1, 2, 3))
    (home / "data" / "mn04").mkdir()
    write_tensors(mn04.build(64), home / "data" / MN04_FILES[0])
    keep_variance(home / "data" / MN04_FILES[0])
    rows = "".join(f'{number},/m/{number},"{name}"\n' for number, name in enumerate(NAMES))
    (home / "data" / MN04_FILES[1]).write_text(f"index,mid,display_name\n{rows}")
    pretrained, runs = Pretrained.under(home / "data"), home / "default"
    rng = np.random.default_rng(0)
    mixtures = Mixtures(
        rng.normal(size=(8, *MAP)).astype(np.float16), rng.uniform(size=(8, len(LABELS))).astype(np.float32),
        np.ones(8, np.float32),
    )  # fmt: skip
    upper = fine_tune(mixtures, pretrained, TUNING, runs / run_name(1, 0), lambda text: None)
    supports = {
        label: Support(labels=NAMES[3 * n : 3 * n + 2], head=0.01 + 0.002 * n, weight=0.005, bias=-0.1 * n)
        for n, label in enumerate(CLASSES)
    }
    usual = ClassCard(shortest_s=1.0, profiles={"quiet": ClassSettings(enter=0.5, exit=0.3)})
    rules: Any = SimpleNamespace(
        supports=supports, decided=SimpleNamespace(classes=dict.fromkeys(CLASSES, usual))
    )
    shop: Any = SimpleNamespace(sources=SimpleNamespace(front_end=audioset_front_end(home, FRAMES)))
    card = make_card(Plan((1, 2, 3), (0,), "0.0.1", "a test"), rules, shop)
    write_package(package_path(runs, 1, 0), to_tflite(whole(pretrained, upper)), LABELS, card, NAMES)
    return Options(home / "data", cache=home / "cache", runs=home / "study")


@pytest.fixture(scope="module")
def attacked(options: Options) -> Target:
    return target(JOB, options, 2, False, lambda text: None)


def test_the_attacked_network_gives_the_daemons_scores(attacked: Target, options: Options) -> None:
    model = load_model(package_path(options.runs.parent / "default", 1, 0), ThirdParty())
    sound = noise(2, 4 * AUDIOSET_RATE)[1]
    classifier = model.classifier()
    daemon = [classifier.push(hop).scores.copy() for hop in sound.reshape(-1, model.card.hop)][-1]
    assert attacked.held_out is not None
    mean, std = SPEC.normalisation.mean[0], SPEC.normalisation.std[0]
    frames = np.asarray(log_mel(SPEC, AUDIOSET_RATE)(sound[None]))[:, -FRAMES:] / DB_OF_LN
    ours = np.asarray(attacked.held_out.logits(tf.constant((frames - mean) / std, tf.float32)))[0]
    columns = [model.labels.index(label) for label in CLASSES]
    np.testing.assert_allclose(ours, log_odds(daemon.astype(np.float64))[columns], atol=2e-3)
    shifted = np.asarray(attacked.held_out.logits(tf.constant((frames - mean) / std + 0.1, tf.float32)))[0]
    assert np.abs(shifted - ours).max() > 1e-2


def test_features_and_sound_lead_to_the_same_logits_and_a_push_moves_them(attacked: Target) -> None:
    assert attacked.held_out is not None
    assert attacked.decibels.shape == (2, 400, mn04.BANDS)
    by_features = np.asarray(attacked.given(np.arange(2))(attacked.decibels))
    by_sound = attacked.held_out.on_waveforms(sounds_of(attacked.clips, AUDIOSET_RATE))
    np.testing.assert_allclose(by_features, np.asarray(by_sound), atol=1e-4)
    pushed = push_features(attacked.given(np.arange(2)), attacked.decibels, attacked.truth, 3.0, 2)
    moved = np.asarray(attacked.given(np.arange(2))(pushed))
    assert np.abs(moved - by_features).max() > 1e-3


def test_gradients_reach_a_sound_at_the_studys_rate(attacked: Target) -> None:
    sounds = tf.constant(noise(2, 64_000))
    with tf.GradientTape() as tape:
        tape.watch(sounds)
        logits = logits_by(attacked)(sounds)
    gradient = np.asarray(tape.gradient(logits, sounds))
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient).max(axis=1) > 0).all()


def test_what_was_not_made_is_not_attacked(options: Options) -> None:
    with pytest.raises(DataError, match="make it first: sound-training default --seeds 0 --left-out"):
        target(Job("honest", DEFAULT, 2, 0), options, 2, False, lambda text: None)
    pretrained = Pretrained.under(options.data or Path())
    with pytest.raises(DataError, match="holds no trained network"):
        trained(pretrained, options.runs.parent / "default" / run_name(2, 0))
