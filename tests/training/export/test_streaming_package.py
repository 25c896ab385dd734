"""A streaming package in the daemon: what it hears hop by hop is what the network hears at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from monitor.errors import PackageError
from monitor.features.logmel import log_mel, matrix_sha256, mel_matrix
from monitor.features.spec import LogMelSpec, Normalisation
from monitor.model.card import Card
from monitor.model.load import LoadedModel, ThirdParty, load_model
from monitor.model.package import write_package
from training.data.corpora import CLASSES, LABELS
from training.export.conversion import to_tflite
from training.networks.columns import StreamSpec
from training.networks.streaming import build, streaming

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SPEC = StreamSpec(n_mels=16, stem=2, blocks=(3, 4, 5), top=6, rings=(2, 5), level_frames=7)
RATE, FRAME, HOP = 16_000, 320, 12


def _card(state: int) -> Card:
    mel = LogMelSpec(
        n_fft=512,
        win_length=512,
        hop=FRAME,
        frames=SPEC.frames,
        n_mels=SPEC.n_mels,
        fmin=50.0,
        fmax=8000.0,
        normalisation=Normalisation(mean=(-40.0,), std=(15.0,)),
    )
    shape = {"shortest_s": 0.5, "profiles": {"quiet": {"enter": 0.6, "exit": 0.4}}}
    return Card.model_validate(
        {
            "schema": 1, "name": "streaming", "version": "1", "created": "", "licence": "MIT",
            "data_licences": [], "sample_rate": RATE, "window": SPEC.frames * FRAME, "hop": HOP * FRAME,
            "front_end": mel.model_copy(update={"matrix_sha256": matrix_sha256(mel_matrix(mel, RATE))}),
            "output": "logits", "classes": dict.fromkeys(CLASSES, shape), "negative_labels": ["background"],
            "warmup": "silence", "state": state,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def network() -> object:
    import keras

    keras.utils.set_random_seed(1)
    model = build(SPEC)
    return model


@pytest.fixture(scope="module")
def step(network: object) -> object:
    return streaming(network, SPEC, HOP)


@pytest.fixture(scope="module")
def package(network: object, step: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "streaming.tflite"
    write_package(path, to_tflite(step), LABELS, _card(step.inputs[1].shape[1]))  # type: ignore[attr-defined]
    return path


@pytest.fixture(scope="module")
def loaded(package: Path) -> LoadedModel:
    return load_model(package, ThirdParty())


def _noise(hops: int, seed: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(hops * HOP * FRAME)).astype(np.float32)


def _scores(loaded: LoadedModel, samples: np.ndarray) -> np.ndarray:
    classifier = loaded.classifier()
    return np.stack([classifier.push(hop).scores for hop in samples.reshape(-1, HOP * FRAME)])


def test_the_daemon_hears_what_the_network_hears_at_once(network: object, loaded: LoadedModel) -> None:
    silence, sound = np.zeros(20 * HOP * FRAME, np.float32), _noise(12, 0)
    card = loaded.card
    rows = log_mel(np.concatenate([silence, sound]), card.front_end, RATE, HOP)[None]  # type: ignore[arg-type]
    logits = np.asarray(network(rows, training=False)[0])[0, 2::3]  # type: ignore[operator]
    whole = 1 / (1 + np.exp(-logits))
    assert np.ptp(whole) > 0.01
    np.testing.assert_allclose(_scores(loaded, sound), whole[20:], atol=1e-5)


def test_streams_of_one_model_do_not_mix(loaded: LoadedModel) -> None:
    one, other = _noise(10, 1), _noise(10, 2)
    apart = _scores(loaded, one), _scores(loaded, other)
    first, second = loaded.classifier(), loaded.classifier()
    hops = zip(one.reshape(10, -1), other.reshape(10, -1), strict=True)
    mixed = [(first.push(a).scores, second.push(b).scores) for a, b in hops]
    np.testing.assert_array_equal(np.stack([a for a, _ in mixed]), apart[0])
    np.testing.assert_array_equal(np.stack([b for _, b in mixed]), apart[1])


def test_a_reset_forgets_the_stream(loaded: LoadedModel) -> None:
    classifier, hop = loaded.classifier(), _noise(1, 3)
    fresh = classifier.push(hop).scores
    for other in _noise(8, 4).reshape(8, -1):
        classifier.push(other)
    classifier.reset()
    np.testing.assert_array_equal(classifier.push(hop).scores, fresh)


def test_a_state_of_another_size_is_refused_in_one_line(package: Path, step: object, tmp_path: Path) -> None:
    from monitor.model.package import read_package

    wrong = tmp_path / "wrong.tflite"
    size = step.inputs[1].shape[1]  # type: ignore[attr-defined]
    write_package(wrong, read_package(package).flatbuffer, LABELS, _card(size + 1))
    with pytest.raises(PackageError, match=f"must have the {size + 1} values of the card's state"):
        load_model(wrong, ThirdParty())
