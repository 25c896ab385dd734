"""Runs that resume, exports that compute the same, packages that the monitor reads: the making of a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import make_part

from training.data.corpora import LABELS

pytest.importorskip("tensorflow")

from monitor.features.logmel import log_mel
from monitor.model.load import ThirdParty, load_model
from monitor.model.package import read_package, write_package
from monitor.stream.assembly import SHIPPED_MODEL
from training.base.tflite import run_tflite
from training.errors import ExportError
from training.export.conversion import to_tflite
from training.export.package import Identity, make_card, undecided
from training.export.parity import check_parity
from training.features.front_end import default_front_end
from training.fit.predict import predict
from training.fit.windows import RunSpec, measure_scaling
from training.mixing.prepare import make_mixer
from training.networks.compact import NetworkSpec, build, cost
from training.stream_eval.systems import unheard_folds

# Keras 3 converts TensorFlow's variables in a way that numpy 2 asks to change.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = RunSpec(network=NetworkSpec(stem=4, blocks=(4, 8), top=8), epochs=3, steps=3, batch=8)


@pytest.fixture(scope="module")
def trainable(tmp_path_factory: pytest.TempPathFactory):
    """Return a mixer and the scaling of its windows."""
    part = make_part(tmp_path_factory.mktemp("recordings"))
    mixer = make_mixer(
        part, default_front_end(tmp_path_factory.mktemp("cache")), SMALL.recipe, lambda n: None
    )
    return mixer, measure_scaling(mixer, 0)


def test_the_converted_model_computes_what_keras_does() -> None:
    model = build(SMALL.network)
    windows = np.random.default_rng(0).standard_normal((5, 100, 64)).astype(np.float32)
    flatbuffer = to_tflite(model)
    assert check_parity(model, flatbuffer, windows) < 1e-5
    assert np.allclose(run_tflite(flatbuffer, windows), predict(model, windows), atol=1e-4)


def test_a_conversion_of_other_weights_is_refused() -> None:
    windows = np.random.default_rng(0).standard_normal((5, 100, 64)).astype(np.float32)
    with pytest.raises(ExportError, match="differs from Keras"):
        check_parity(build(SMALL.network), to_tflite(build(SMALL.network)), windows)


def test_the_package_scores_in_the_monitor_as_keras_scores_its_windows(trainable, tmp_path: Path) -> None:
    _, scaling = trainable
    front_end = default_front_end(tmp_path)
    model = build(SMALL.network)
    facts = replace(undecided(), temperature=1.7, version="0.0.1")
    card = make_card(front_end.spec, scaling, facts, 8000, Identity("small", "MIT", ()))
    path = tmp_path / "small.tflite"
    write_package(path, to_tflite(model), LABELS, card)
    classifier = load_model(path, ThirdParty(), threads=1, prefer="auto").classifier()
    samples = (0.1 * np.random.default_rng(0).standard_normal(front_end.window)).astype(np.float32)
    hops = samples.reshape(-1, card.hop)
    scores = np.stack([classifier.push(hop).scores.copy() for hop in hops])[-1]
    window = log_mel(samples, front_end.spec, card.sample_rate, front_end.hop_frames)
    logits = predict(model, scaling.apply(window)[None])[0]
    assert scores == pytest.approx(1 / (1 + np.exp(-logits / 1.7)), abs=1e-4)


def test_the_compact_network_keeps_to_the_budget_of_a_small_board() -> None:
    spent = cost(build(NetworkSpec()))
    windows_a_second = 2
    assert spent.parameters <= 300_000
    assert spent.multiply_adds * windows_a_second <= 14_000_000


def test_what_ships_has_heard_every_fold() -> None:
    """Else it would be judged on sounds that it was trained on."""
    card = read_package(SHIPPED_MODEL).card
    assert card is not None
    assert unheard_folds(card) == frozenset()
