"""The network that carries its past: hop by hop it says what it says of the whole sequence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.networks.columns import STRIDE, StreamSpec
from training.networks.compact import NetworkSpec
from training.networks.compact import build as build_window
from training.networks.compact import cost as network_cost
from training.networks.streaming import Form, build, build_last, cost, streaming
from training.networks.windowed import WindowSpec

pytest.importorskip("tensorflow")

SMALL = StreamSpec(n_mels=16, stem=2, blocks=(3, 4, 5), top=6, rings=(2, 5), level_frames=7)
WINDOWS = WindowSpec(
    NetworkSpec(frames=32, n_mels=16, stem=2, blocks=(3, 4), top=6, level="window"), stride=16, labels=11
)
FRAMES = 128


def _trained(form: Form) -> object:
    """A network whose batch norms have seen something: means and deviations are not those of the start."""
    import keras

    keras.utils.set_random_seed(1)
    model = build(form)
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if "moving" in variable.path or variable.path.endswith(("gamma", "beta")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


@pytest.mark.parametrize("hop", [STRIDE, 3 * STRIDE, 8 * STRIDE])
@pytest.mark.parametrize("level_frames", [0, 7])
def test_hop_by_hop_equals_the_whole_sequence(hop: int, level_frames: int) -> None:
    _check_hops(replace(SMALL, level_frames=level_frames), hop)


@pytest.mark.parametrize("windows_a_hop", [1, 2])
def test_windows_hop_by_hop_equal_the_windows_of_the_whole_sequence(windows_a_hop: int) -> None:
    _check_hops(WINDOWS, windows_a_hop * WINDOWS.stride)


def _check_hops(form: Form, hop: int) -> None:
    model = _trained(form)
    frames = np.random.default_rng(2).standard_normal((1, FRAMES, 16)).astype(np.float32)
    whole = np.asarray(model(frames, training=False)[0])[0]  # type: ignore[operator]
    assert len(whole) == FRAMES // form.stride
    step = streaming(model, form, hop)
    state = np.zeros((1, step.inputs[1].shape[1]), np.float32)
    for end in range(hop, FRAMES + 1, hop):
        logits, state = step.predict_on_batch([frames[:, end - hop : end], state])
        np.testing.assert_allclose(logits[0], whole[end // form.stride - 1], atol=1e-5)


@pytest.mark.parametrize("form", [SMALL, WINDOWS], ids=["columns", "windows"])
def test_what_is_trained_is_the_last_column(form: Form) -> None:
    model = _trained(form)
    last = build_last(form, 64)
    last.set_weights(model.get_weights())  # type: ignore[attr-defined]
    frames = np.random.default_rng(5).standard_normal((3, 64, 16)).astype(np.float32)
    for ours, whole in zip(last(frames, training=False), model(frames, training=False), strict=True):  # type: ignore[operator]
        np.testing.assert_allclose(ours, np.asarray(whole)[:, -1], atol=1e-5)


def test_a_hop_costs_its_columns() -> None:
    a_window = network_cost(build_window(WINDOWS.network))
    assert cost(WINDOWS, 3 * WINDOWS.stride).multiply_adds == 3 * a_window.multiply_adds
    assert cost(WINDOWS, WINDOWS.stride).parameters == a_window.parameters
    eight_columns = network_cost(build(SMALL, 8 * STRIDE))
    assert cost(SMALL, 8 * STRIDE) == eight_columns


@pytest.mark.parametrize("form", [SMALL, WINDOWS], ids=["columns", "windows"])
def test_outputs_depend_on_the_stated_number_of_frames_and_on_no_more(form: Form) -> None:
    model = _trained(form)
    frames = np.random.default_rng(3).standard_normal((1, FRAMES, 16)).astype(np.float32)

    def last(changed: int) -> np.ndarray:
        """The last column's logits with everything before the last ``changed`` frames replaced."""
        other = frames.copy()
        other[:, : FRAMES - changed] = -3.0
        return np.asarray(model(other, training=False)[0])[0, -1]  # type: ignore[operator]

    everything = last(FRAMES)
    np.testing.assert_allclose(last(form.frames), everything, atol=1e-5)
    assert np.abs(last(form.frames - 10) - everything).max() > 1e-4


@pytest.mark.parametrize("form", [SMALL, WINDOWS], ids=["columns", "windows"])
def test_a_gain_changes_nothing_once_the_level_is_known(form: Form) -> None:
    model = _trained(form)
    frames = np.random.default_rng(4).standard_normal((1, FRAMES, 16)).astype(np.float32)
    quiet = np.asarray(model(frames, training=False)[0])[0, -1]  # type: ignore[operator]
    loud = np.asarray(model(frames + 2.0, training=False)[0])[0, -1]  # type: ignore[operator]
    np.testing.assert_allclose(loud, quiet, atol=1e-4)


def test_without_a_level_a_gain_is_heard() -> None:
    model = _trained(replace(SMALL, level_frames=0))
    frames = np.random.default_rng(4).standard_normal((1, FRAMES, 16)).astype(np.float32)
    quiet = np.asarray(model(frames, training=False)[0])[0, -1]  # type: ignore[operator]
    loud = np.asarray(model(frames + 2.0, training=False)[0])[0, -1]  # type: ignore[operator]
    assert np.abs(loud - quiet).max() > 1e-3
