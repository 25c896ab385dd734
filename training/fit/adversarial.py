"""Adversarial training of networks of log-mel windows: TRADES for independent labels.

What is minimised is the usual loss of the clean windows and, ``beta`` times, how far the outputs
move when a window is pushed, by no more than ``epsilon_db`` in any band of any frame, to where
they move most. ``beta`` trades clean accuracy for robustness.
Reference: Zhang et al., Theoretically Principled Trade-off between Robustness and Accuracy, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.fit.loop import Loss, Objective


@dataclass(frozen=True)
class Trades:
    """How a network is hardened; ``beta`` 0: not at all.

    ``epsilon_db`` bounds the change of a bin in dB; ``steps`` ≥ 1 gradient steps find the worst one
    (1 is the fast variant).
    """

    beta: float = 0.0
    epsilon_db: float = 1.0
    steps: int = 2

    def __post_init__(self) -> None:
        if self.beta < 0 or self.epsilon_db <= 0 or self.steps < 1:
            raise ValueError(f"{self}: beta must be 0 or more, epsilon_db above 0, steps 1 or more")


def hardened(loss: Loss, trades: Trades, deviation_db: float) -> Objective:
    """Return the objective; ``deviation_db`` is what a unit of the network's input is in dB.

    Of a network with several outputs the first are the logits; the loss gets all of them.
    """
    import tensorflow as tf

    epsilon = trades.epsilon_db / deviation_db

    def objective(model: Any, inputs: Any, targets: Any) -> tuple[Any, dict[str, Any]]:
        pushed = worst_within(model, inputs, epsilon, trades.steps)
        # In one pass, so that batch norm learns one set of statistics for both.
        outputs = model(tf.concat([inputs, pushed], axis=0), training=True)
        halves = zip(*(tf.split(output, 2) for output in tf.nest.flatten(outputs)), strict=True)
        clean, moved = (tf.nest.pack_sequence_as(outputs, half) for half in halves)
        value, measures = loss(targets, clean)
        distance = divergence(_logits(clean), _logits(moved))
        return value + trades.beta * distance, {**measures, "divergence": distance}

    return objective


def worst_within(model: Any, inputs: Any, epsilon: float, steps: int) -> Any:
    """Return windows within ±``epsilon`` of ``inputs`` whose outputs differ most, by signed gradients.

    The start is random, since the divergence has no gradient at the window itself; it is drawn
    from the batch's own numbers, so that a run that was resumed draws the same.
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
    """Kullback-Leibler divergence of independent labels in nats, summed over labels, mean over windows."""
    import tensorflow as tf

    present = tf.nn.sigmoid(clean)
    cross = tf.nn.sigmoid_cross_entropy_with_logits(present, moved)
    own = tf.nn.sigmoid_cross_entropy_with_logits(present, clean)
    return tf.reduce_mean(tf.reduce_sum(cross - own, axis=1))
