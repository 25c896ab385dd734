"""Adversarial training of networks on log-mel windows: TRADES for independent labels.

The objective is the usual loss on clean windows plus ``beta`` times the largest divergence of the
outputs under a perturbation bounded by ``epsilon_db`` in every time-frequency bin. ``beta`` trades
clean accuracy for robustness.
Reference: Zhang et al., Theoretically Principled Trade-off between Robustness and Accuracy, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.fit.loop import Loss, Objective


@dataclass(frozen=True)
class Trades:
    """Settings of adversarial training; ``beta`` 0 disables it.

    ``epsilon_db`` bounds the perturbation of a bin in dB; ``steps`` ≥ 1 gradient steps search for the worst
    case (1 is the fast variant).
    """

    beta: float = 0.0
    epsilon_db: float = 1.0
    steps: int = 2

    def __post_init__(self) -> None:
        if self.beta < 0 or self.epsilon_db <= 0 or self.steps < 1:
            raise ValueError(f"{self}: beta must be 0 or more, epsilon_db above 0, steps 1 or more")


def hardened(loss: Loss, trades: Trades, deviation_db: float) -> Objective:
    """Return the adversarial objective; ``deviation_db`` is one unit of the network's input in dB.

    For a network with several outputs the first are the logits; ``loss`` receives all outputs.
    """
    import tensorflow as tf

    epsilon = trades.epsilon_db / deviation_db

    def objective(model: Any, inputs: Any, targets: Any) -> tuple[Any, dict[str, Any]]:
        pushed = worst_within(model, inputs, epsilon, trades.steps)
        # One pass over both, so that batch norm estimates joint statistics.
        outputs = model(tf.concat([inputs, pushed], axis=0), training=True)
        halves = zip(*(tf.split(output, 2) for output in tf.nest.flatten(outputs)), strict=True)
        clean, moved = (tf.nest.pack_sequence_as(outputs, half) for half in halves)
        value, measures = loss(targets, clean)
        distance = divergence(_logits(clean), _logits(moved))
        return value + trades.beta * distance, {**measures, "divergence": distance}

    return objective


def worst_within(model: Any, inputs: Any, epsilon: float, steps: int) -> Any:
    """Return windows within ±``epsilon`` of ``inputs`` with maximal divergence, by signed gradient ascent.

    The start is random because the divergence has no gradient at the window itself; it is derived from
    the batch, so a resumed run draws the same start.
    """
    import tensorflow as tf

    inputs = tf.cast(inputs, tf.float32)
    clean = tf.stop_gradient(_logits(model(inputs, training=False)))
    seed = tf.bitcast(inputs[0, 0, :2], tf.int32)
    pushed = inputs + tf.random.stateless_uniform(tf.shape(inputs), seed, -epsilon, epsilon)
    stride = 2.0 * epsilon / steps
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(pushed)
            distance = divergence(clean, _logits(model(pushed, training=False)))
        pushed += stride * tf.sign(tape.gradient(distance, pushed))
        pushed = inputs + tf.clip_by_value(pushed - inputs, -epsilon, epsilon)
    return tf.stop_gradient(pushed)


def _logits(outputs: Any) -> Any:
    import tensorflow as tf

    return tf.cast(tf.nest.flatten(outputs)[0], tf.float32)


def divergence(clean: Any, moved: Any) -> Any:
    """Return the Kullback-Leibler divergence of independent labels in nats, a mean over windows."""
    import tensorflow as tf

    present = tf.nn.sigmoid(clean)
    cross = tf.nn.sigmoid_cross_entropy_with_logits(present, moved)
    own = tf.nn.sigmoid_cross_entropy_with_logits(present, clean)
    return tf.reduce_mean(tf.reduce_sum(cross - own, axis=1))
