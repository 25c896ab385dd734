"""Laws of adversarial training: the worst push is within its bound and worse than chance, and it helps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from training.fit.adversarial import Trades, divergence, hardened, worst_within
from training.fit.loop import Course, Objective, on_logits, optimise

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

_FRAMES, _BANDS = 2, 8
_EPSILON = 0.4


def network() -> Any:
    keras.utils.set_random_seed(5)
    window = keras.layers.Input((_FRAMES, _BANDS))
    x = keras.layers.Dense(16, activation="relu")(keras.layers.Flatten()(window))
    return keras.Model(window, keras.layers.Dense(2)(x))


def windows(seed: int, count: int = 64) -> tuple[Any, Any]:
    """One value tells the classes apart by a wide margin, the fifteen others by a narrow one."""
    rng = np.random.default_rng(seed)
    side = rng.choice([-1.0, 1.0], count)
    x = 0.1 * rng.standard_normal((count, _FRAMES, _BANDS)) + 0.2 * side[:, None, None]
    x[:, 0, 0] = side
    return x.astype(np.float32), np.stack([side > 0, side < 0], axis=1).astype(np.float32)


def loss(targets: Any, logits: Any) -> tuple[Any, dict[str, Any]]:
    value = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, logits))
    return value, {"loss": value}


def trained(objective: Objective, folder: Path) -> Any:
    def batches(epoch: int) -> Iterator[tuple[Any, Any]]:
        return (windows(10 * epoch + number) for number in range(10))

    model = network()
    course = Course(12, lambda epoch, number, history: 0.02)
    optimise(model, keras.optimizers.Adam(), objective, batches, course, folder, lambda text: None)
    return model


def accuracy(model: Any, inputs: Any, targets: Any) -> float:
    return float(np.mean(np.argmax(model(inputs), axis=1) == np.argmax(targets, axis=1)))


def pushed_over(model: Any, inputs: Any, targets: Any) -> Any:
    """The windows after a step of ``_EPSILON`` along the loss's gradient, wherever that leads."""
    watched = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        value, _ = loss(targets, model(watched))
    return watched + _EPSILON * tf.sign(tape.gradient(value, watched))


def test_the_worst_push_keeps_within_its_bound_and_moves_the_outputs_more_than_chance() -> None:
    model, (inputs, _) = network(), windows(0)
    pushed = worst_within(model, inputs, _EPSILON, 3)
    assert float(tf.reduce_max(tf.abs(pushed - inputs))) <= _EPSILON * 1.0001
    chance = inputs + np.random.default_rng(0).choice([-_EPSILON, _EPSILON], inputs.shape)
    clean = model(inputs)
    assert float(divergence(clean, model(pushed))) > 3 * float(divergence(clean, model(chance)))


def test_the_divergence_is_that_of_bernoulli_variables_and_nothing_between_equals() -> None:
    p, q = np.array([0.2, 0.7]), np.array([0.5, 0.6])
    expected = np.sum(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
    logit = [np.log(v / (1 - v))[None].astype(np.float32) for v in (p, q)]
    assert float(divergence(*logit)) == pytest.approx(expected, rel=1e-4)
    assert float(divergence(logit[0], logit[0])) == pytest.approx(0.0, abs=1e-6)


def test_the_same_batch_is_pushed_the_same_way_in_every_run() -> None:
    model, (inputs, _) = network(), windows(0)
    first, second = (worst_within(model, inputs, _EPSILON, 1) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_hardened_network_withstands_what_fools_a_plain_one(tmp_path: Path) -> None:
    inputs, targets = windows(99, 400)
    plain = trained(on_logits(loss), tmp_path / "plain")
    hard = trained(hardened(loss, Trades(beta=6.0, epsilon_db=_EPSILON, steps=2), 1.0), tmp_path / "hard")
    assert accuracy(plain, inputs, targets) == accuracy(hard, inputs, targets) == 1.0
    attacked = [accuracy(m, pushed_over(m, inputs, targets), targets) for m in (plain, hard)]
    assert attacked[1] > attacked[0] + 0.2


@pytest.mark.parametrize("wrong", [{"beta": -1.0}, {"epsilon_db": 0.0}, {"steps": 0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be 0 or more"):
        Trades(**wrong)
