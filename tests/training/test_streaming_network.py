"""The network that carries its past: hop by hop it says what it says of the whole sequence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.streaming.network import STRIDE, StreamSpec, build, streaming

pytest.importorskip("tensorflow")

SMALL = StreamSpec(n_mels=16, stem=2, blocks=(3, 4, 5), top=6, rings=(2, 5), level_frames=7)
FRAMES = 128


def _trained(spec: StreamSpec) -> object:
    """A network whose batch norms have seen something: means and deviations are not those of the start."""
    import keras

    keras.utils.set_random_seed(1)
    model = build(spec)
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if "moving" in variable.path or variable.path.endswith(("gamma", "beta")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


@pytest.mark.parametrize("hop", [STRIDE, 3 * STRIDE, 8 * STRIDE])
@pytest.mark.parametrize("level_frames", [0, 7])
def test_hop_by_hop_equals_the_whole_sequence(hop: int, level_frames: int) -> None:
    spec = replace(SMALL, level_frames=level_frames)
    model = _trained(spec)
    frames = np.random.default_rng(2).standard_normal((1, FRAMES, 16)).astype(np.float32)
    whole = np.asarray(model(frames, training=False)[0])[0]  # type: ignore[operator]
    step = streaming(model, spec, hop)
    state = np.zeros((1, step.inputs[1].shape[1]), np.float32)
    for end in range(hop, FRAMES + 1, hop):
        logits, state = step.predict_on_batch([frames[:, end - hop : end], state])
        np.testing.assert_allclose(logits[0], whole[end // STRIDE - 1], atol=1e-5)


def test_outputs_depend_on_the_stated_number_of_frames_and_on_no_more() -> None:
    model = _trained(SMALL)
    frames = np.random.default_rng(3).standard_normal((1, FRAMES, 16)).astype(np.float32)

    def last(changed: int) -> np.ndarray:
        """The last column's logits with everything before the last ``changed`` frames replaced."""
        other = frames.copy()
        other[:, : FRAMES - changed] = -3.0
        return np.asarray(model(other, training=False)[0])[0, -1]  # type: ignore[operator]

    everything = last(FRAMES)
    np.testing.assert_allclose(last(SMALL.frames), everything, atol=1e-5)
    assert np.abs(last(SMALL.frames - 10) - everything).max() > 1e-4


def test_a_gain_changes_nothing_once_the_level_is_known() -> None:
    model = _trained(SMALL)
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
