"""Laws of the study's networks."""

from __future__ import annotations

import numpy as np
import pytest

from training.features.spec import presets
from training.networks import published
from training.networks.catalogue import ARCHITECTURES
from training.networks.compact import cost
from training.study.survey import receptive_field, survey

pytest.importorskip("tensorflow")

# Keras hands its variables to numpy 2 the old way when it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PARAMETERS = {"rnn": 1_666, "lstm": 59_786, "gru": 95_050, "clstm": 78_026, "cnn": 3_270_474}
"""As published for PyTorch (trainable) and Keras (all); the study's own counts printed less."""


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_seed_s_networks_have_the_published_number_of_parameters(name: str) -> None:
    model = ARCHITECTURES[name].build(10)
    trainable = sum(int(np.prod(weights.shape)) for weights in model.trainable_weights)
    counted = model.count_params() if name == "cnn" else trainable + published.redundant_biases(model)
    assert counted == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_seed_s_networks_take_the_features_of_their_preset(name: str) -> None:
    model = ARCHITECTURES[name].build(10)
    assert model.input_shape[1:] == presets[ARCHITECTURES[name].features].shape


def test_the_seed_s_gru_cannot_be_sure_of_anything() -> None:
    x = 100 * np.random.default_rng(0).standard_normal((4, 345, 165)).astype(np.float32)
    logits = np.asarray(published.gru()(x, training=False))
    assert np.abs(logits).max() <= 1.0


@pytest.mark.parametrize("name", ["lstm", "gru", "clstm"])
def test_the_seed_drops_logits_in_training(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((8, 20, 165)).astype(np.float32)
    model = getattr(published, name)(10, 20, 165)
    assert (np.asarray(model(x, training=True)) == 0.0).any()
    assert (np.asarray(model(x, training=False)) != 0.0).all()


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n not in PARAMETERS])
def test_our_networks_give_free_logits_of_a_window(name: str) -> None:
    model = ARCHITECTURES[name].build(11)
    assert model.input_shape[1:] == (100, 64)
    x = 30 * np.random.default_rng(0).standard_normal((2, 100, 64)).astype(np.float32)
    logits = np.asarray(model(x, training=False))
    assert logits.shape == (2, 11)
    assert not np.allclose(logits[0], logits[1])


@pytest.mark.parametrize("name", ["crnn", "transformer", "compact", "compact-wide"])
def test_our_own_networks_keep_to_three_hundred_thousand_parameters(name: str) -> None:
    assert cost(ARCHITECTURES[name].build(11)).parameters <= 300_000


def test_the_receptive_field_is_that_of_the_layers() -> None:
    # 3×3, pool 2, three times: 3, 4, then 2·2 + 4 = 8, 10, then 4·2 + 10 = 18, 22.
    assert receptive_field(published.cnn()) == 22
    # stem 5 stride 2, then per block 3 stride 2 and 3 stride 1: 5, +2·2+4·2, +4·2+8·2, +8·2+16·2.
    assert receptive_field(ARCHITECTURES["compact"].build(10)) == 5 + 12 + 24 + 48
    assert receptive_field(published.rnn()) is None
    assert receptive_field(ARCHITECTURES["transformer"].build(10)) is None


def test_multiply_adds_are_those_counted_by_hand() -> None:
    # 345 steps of 4 gates: 64 × (165 + 64), and the head.
    assert cost(published.lstm()).multiply_adds == 345 * 4 * 64 * (165 + 64) + 64 * 10
    assert cost(published.clstm()).multiply_adds == (345 * 3 * 64 * (165 + 64) + 345 * 4 * 64 * 128 + 64 * 10)
    conv = 126**2 * 9 * 32 + 61**2 * 9 * 32 * 64 + 28**2 * 9 * 64 * 64
    assert cost(published.cnn()).multiply_adds == conv + 14 * 14 * 64 * 256 + 256 * 10


@pytest.mark.parametrize("name", ["rnn-proper", "transformer"])
def test_a_surveyed_network_computes_the_same_once_converted(name: str) -> None:
    found = survey(ARCHITECTURES[name], 10)
    assert found.parity < 1e-5
    assert found.tflite_bytes > 4 * found.parameters * 0.9
    assert found.invoke_ms > 0
