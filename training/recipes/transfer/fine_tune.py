"""Fine-tuning of the upper blocks: a linear probe first, then all of them at a small rate.

The classes are learned from labelled mixtures. On every window, labelled or not, the network is also
trained to match the AudioSet labels of its published copy, which prevents forgetting.

References: Kumar et al., Fine-tuning can distort pretrained features and underperform out-of-
distribution, ICLR 2022 (probe first); Li, Hoiem, Learning without forgetting, ECCV 2016.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.maths import logistic
from training.base.progress import Progress
from training.data.corpora import LABELS
from training.errors import DataError
from training.export.conversion import to_tflite
from training.fit.loop import Course, history_of, load_weights, on_logits, one_cycle, optimise
from training.networks import mn04
from training.recipes.transfer.mixtures import Mixtures
from training.recipes.transfer.trunk import (
    Pretrained,
    head_inputs,
    head_of,
    outputs_of,
    upper_blocks,
    without_dropout,
)

SETTINGS = "settings.json"
"""File beside a run's state with its settings."""
_CLIP_NORM = 5.0


@dataclass(frozen=True)
class FineTuning:
    """Settings that determine the weights, except the mixtures.

    Parameters
    ----------
    probe_steps, probe_batch, probe_rate
        Training of the head on the published network's outputs.
    epochs, batch, rate, decay
        Training of the upper blocks.
    keep
        Weight of the cross-entropy to the published network's AudioSet scores, summed over labels.
    dropout
        Dropout on the head's inputs.
    seed
        Seed of order and dropout.
    """

    probe_steps: int = 1500
    probe_batch: int = 256
    probe_rate: float = 3e-3
    probe_decay: float = 0.05
    epochs: int = 3
    batch: int = 64
    rate: float = 1e-3
    decay: float = 0.01
    keep: float = 1.0
    dropout: float = 0.2
    seed: int = 0


def fine_tune(
    mixtures: Mixtures, pretrained: Pretrained, plan: FineTuning, folder: Path, report: Progress
) -> Any:
    """Return the trained upper blocks; resumes an earlier call.

    Raises
    ------
    DataError
        If the folder holds a run with other settings.
    """
    import keras

    keras.utils.set_random_seed(plan.seed)
    _claim(folder, mixtures, plan)
    model = upper_blocks(pretrained, plan.dropout)
    begun = (folder / "state.npz").is_file()
    if begun and len(history_of(folder)) >= plan.epochs:
        kept = np.empty((0, mn04.AUDIOSET), np.float32)  # nothing is left to learn
    else:
        published, embedding = _published(model, mixtures)
        kept = logistic(published)
        if not begun:
            head_of(model).set_weights(_probe(mixtures, published, embedding, plan, report))
    optimizer = keras.optimizers.AdamW(plan.rate, weight_decay=plan.decay, clipnorm=_CLIP_NORM)
    steps = len(mixtures.maps) // plan.batch
    course = Course(plan.epochs, one_cycle(plan.rate, plan.epochs, steps))

    def batches(epoch: int) -> Iterator[tuple[Floats, tuple[Floats, Floats, Floats]]]:
        order = np.random.default_rng((plan.seed, epoch)).permutation(len(mixtures.maps))
        for rows in order[: steps * plan.batch].reshape(steps, plan.batch):
            goal = (mixtures.targets[rows], mixtures.labelled[rows], kept[rows])
            yield mixtures.maps[rows].astype(np.float32), goal

    optimise(model, optimizer, on_logits(_loss(plan.keep)), batches, course, folder, report)
    return model


def trained(pretrained: Pretrained, folder: Path) -> Any:
    """Return the upper blocks of a completed run, without dropout.

    Raises
    ------
    DataError
        If the run is not there or not complete.
    """
    path = folder / SETTINGS
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not (folder / "state.npz").is_file() or len(history_of(folder)) < settings["epochs"]:
        raise DataError(f"{folder}: holds no trained network; make it first: sound-training default")
    model = upper_blocks(pretrained, settings["dropout"])
    load_weights(folder, model)
    return without_dropout(pretrained, model)


def _claim(folder: Path, mixtures: Mixtures, plan: FineTuning) -> None:
    """Record the run's settings in the folder, or compare them with the recorded ones."""
    path = folder / SETTINGS
    told = float(mixtures.targets.sum(dtype=np.float64))
    wanted = json.dumps({**asdict(plan), "windows": len(mixtures.maps), "targets": round(told, 3)}, indent=1)
    if path.is_file() and (folder / "state.npz").is_file():
        if path.read_text(encoding="utf-8") != wanted:
            raise DataError(f"{folder}: was trained with other settings or mixtures; delete it")
        return
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(wanted, encoding="utf-8")


def _published(model: Any, mixtures: Mixtures) -> tuple[Floats, Floats]:
    """Return the untrained network's AudioSet logits and embedding of every window."""
    run = outputs_of(to_tflite(model))
    given = [run(maps) for maps in mixtures.maps]
    return (
        np.stack([one[mn04.AUDIOSET] for one in given]),
        np.stack([one[mn04.EMBEDDING] for one in given]),
    )


def _probe(
    mixtures: Mixtures, published: Floats, embedding: Floats, plan: FineTuning, report: Progress
) -> list[Floats]:
    """Return weights and biases of a head on the published network."""
    import keras
    import tensorflow as tf

    rows = np.flatnonzero(mixtures.labelled > 0)
    inputs = np.asarray(head_inputs(embedding[rows], published[rows]))
    targets = mixtures.targets[rows]
    layer = keras.layers.Dense(len(LABELS), kernel_initializer="zeros")
    head = keras.Sequential([keras.Input(inputs.shape[1:]), keras.layers.Dropout(plan.dropout), layer])
    optimizer = keras.optimizers.AdamW(plan.probe_rate, weight_decay=plan.probe_decay)
    optimizer.build(head.trainable_variables)
    rate = one_cycle(plan.probe_rate, 1, plan.probe_steps)

    @tf.function  # type: ignore[untyped-decorator]
    def step(given: Any, goal: Any) -> Any:
        with tf.GradientTape() as tape:
            each = tf.nn.sigmoid_cross_entropy_with_logits(goal, head(given, training=True))
            loss = tf.reduce_mean(tf.reduce_sum(each, axis=1))
        gradients = tape.gradient(loss, head.trainable_variables)
        optimizer.apply_gradients(zip(gradients, head.trainable_variables, strict=True))
        return loss

    rng, loss = np.random.default_rng(plan.seed), float("nan")
    for number in range(plan.probe_steps):
        chosen = rng.integers(len(rows), size=plan.probe_batch)
        optimizer.learning_rate.assign(rate(0, number, []))
        loss = step(tf.constant(inputs[chosen]), tf.constant(targets[chosen]))
    report(f"probe: loss {float(loss):.3f}")
    return [np.asarray(weight) for weight in layer.get_weights()]


def _loss(keep: float) -> Any:
    import tensorflow as tf

    def loss(goal: Any, outputs: Any) -> tuple[Any, dict[str, Any]]:
        targets, labelled, kept = goal
        logits, audioset, _ = outputs
        each = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(targets, logits), axis=1)
        classes = tf.reduce_sum(each * labelled) / tf.maximum(tf.reduce_sum(labelled), 1.0)
        same = tf.nn.sigmoid_cross_entropy_with_logits(kept, audioset)
        audioset_loss = tf.reduce_mean(tf.reduce_sum(same, axis=1))
        total = classes + keep * audioset_loss
        return total, {"loss": total, "classes": classes, "audioset": audioset_loss}

    return loss
