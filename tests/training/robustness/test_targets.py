"""Laws of attackable networks: they are the study's own, and an attack changes mel bands alone."""

from __future__ import annotations

import numpy as np
import pytest
from corpora import write_urbansound8k

pytest.importorskip("tensorflow")

from training.errors import DataError
from training.records.jobs import Job
from training.robustness.attacks.on_features import nearest_features, push_features
from training.robustness.targets.networks import Target, target
from training.study.jobs import make_task
from training.study.task import Options
from training.study.trainers import plain

# foolbox imports scipy by an older name.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Please import `gaussian_filter`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    home = tmp_path_factory.mktemp("target")
    write_urbansound8k(home / "data", folds=(1, 2, 3))
    return Options(home / "data", cache=home / "cache", runs=home / "runs", epochs=1, threads=1)


@pytest.fixture(scope="module")
def recurrent(options: Options) -> Target:
    return target(Job("honest", "clstm", 1, 0), options, 6, True, lambda text: None)


def test_the_attacked_network_is_the_studys(recurrent: Target, options: Options) -> None:
    task = make_task(recurrent.job, options, lambda text: None)
    own = plain.train(task).logits([task.corpus.clips.index(clip) for clip in recurrent.clips])
    attacked = recurrent.given(np.arange(6))(recurrent.decibels)
    np.testing.assert_allclose(attacked, own, atol=1e-4)
    some = np.array([4, 1])
    np.testing.assert_allclose(recurrent.given(some)(recurrent.decibels[some]), own[some], atol=1e-4)


def test_an_attack_is_given_mel_bands_alone_and_moves_the_logits_by_them(recurrent: Target) -> None:
    assert recurrent.decibels.shape == (6, 345, 128)
    assert recurrent.decibels.max() <= 0.0  # below each clip's own maximum
    logits = recurrent.given(np.arange(6))
    pushed = push_features(logits, recurrent.decibels, recurrent.truth, 3.0, 2)
    assert np.abs(pushed - recurrent.decibels).max() == pytest.approx(3.0, abs=1e-3)
    assert np.abs(np.asarray(logits(pushed)) - np.asarray(logits(recurrent.decibels))).max() > 1e-3


def test_the_least_change_stays_within_what_published_features_can_be(recurrent: Target) -> None:
    logits, (low, high) = recurrent.given(np.arange(6)), recurrent.bounds_db
    assert (low, high) == (-80.0, 0.0)
    assert low <= recurrent.decibels.min() <= recurrent.decibels.max() <= high
    moved = nearest_features(logits, recurrent.decibels, recurrent.truth, "DeepFool", 10, recurrent.bounds_db)
    assert low <= moved.min() <= moved.max() <= high


def test_a_network_that_is_not_trained_is_not_trained_in_passing(options: Options) -> None:
    with pytest.raises(DataError, match="train it first: sound-training cv --protocol honest --models gru"):
        target(Job("honest", "gru", 2, 0), options, 6, False, lambda text: None)


def test_what_has_no_gradients_is_refused(options: Options) -> None:
    with pytest.raises(DataError, match="no gradients"):
        target(Job("honest", "yamnet-lr", 1, 0), options, 6, True, lambda text: None)
