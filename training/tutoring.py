"""Training with lessons: half of each batch is mixtures that a larger network has heard too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.distillation import EMBEDDING, Lessons
from training.fit import RunSpec, Scaling, make_optimizer, prefetch
from training.loop import Course, Report, on_logits, one_cycle, optimise
from training.mixing import Floats, Mixer
from training.networks import build

Batch = tuple[Floats, tuple[Floats, Floats, Floats, Floats]]
"""Windows, then: targets, whether they are known, the teacher's embedding, whether it is known."""


@dataclass(frozen=True)
class Tutoring:
    """How much the lessons count.

    share : of a batch, 0…1; weight : of the mean squared error of the embedding beside the
    cross-entropy, which is summed over labels; soft : share of a lesson's targets that the teacher
    gives, 0…1; level_db : random gain
    """

    share: float = 0.6
    weight: float = 3.0
    soft: float = 0.5
    level_db: float = 6.0


def train_with(
    spec: RunSpec, tutoring: Tutoring, mixer: Mixer, lessons: Lessons, scaling: Scaling, folder: Path,
    report: Report,
) -> Any:  # fmt: skip
    """Train, or go on where an earlier call stopped; return the Keras model, logits its one output."""
    import keras

    keras.utils.set_random_seed(spec.seed)
    model = build(spec.network)
    lessons = lessons.standardised().softened(tutoring.soft)
    pooled = model.layers[-1].input
    heard = keras.layers.Dense(EMBEDDING, name="embedding")(pooled)
    pupil = keras.Model(model.input, [model.output, heard])
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"run": asdict(spec), "tutoring": asdict(tutoring)}
    (folder / "spec.json").write_text(json.dumps(settings, indent=1))
    course = Course(spec.epochs, one_cycle(spec.rate, spec.epochs, spec.steps))

    def batches(epoch: int) -> Iterator[Batch]:
        def make(rng: np.random.Generator) -> Batch:
            return _batch(spec, tutoring, mixer, lessons, scaling, rng)

        return prefetch(make, spec.steps, (spec.seed, epoch))

    optimise(pupil, make_optimizer(spec), on_logits(_loss(tutoring.weight)), batches, course, folder, report)
    return model


def _batch(
    spec: RunSpec, tutoring: Tutoring, mixer: Mixer, lessons: Lessons, scaling: Scaling,
    rng: np.random.Generator,
) -> Batch:  # fmt: skip
    taught = round(spec.batch * tutoring.share)
    windows, targets = mixer.batch(spec.batch - taught, rng)
    drawn = rng.integers(len(lessons.windows), size=taught)
    gain = rng.uniform(-tutoring.level_db, tutoring.level_db, (taught, 1, 1)).astype(np.float32)
    known, unknown = np.ones(spec.batch - taught, np.float32), np.zeros(spec.batch - taught, np.float32)
    smooth = spec.recipe.smoothing
    return scaling.apply(np.concatenate([windows, lessons.windows[drawn].astype(np.float32) + gain])), (
        np.concatenate([targets, lessons.targets[drawn] * (1 - smooth) + smooth / 2]).astype(np.float32),
        np.concatenate([known, lessons.labelled[drawn]]),
        np.concatenate([np.zeros((len(known), EMBEDDING), np.float32), lessons.embedding[drawn]]),
        np.concatenate([unknown, np.ones(taught, np.float32)]),
    )


def _loss(weight: float) -> Any:
    import tensorflow as tf

    def loss(goal: Any, outputs: Any) -> tuple[Any, dict[str, Any]]:
        targets, labelled, embedding, heard = goal
        each = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs[0]), axis=1)
        labels = tf.reduce_sum(each * labelled) / tf.reduce_sum(labelled)
        error = tf.reduce_mean(tf.square(embedding - outputs[1]), axis=1)
        likeness = tf.reduce_sum(error * heard) / tf.reduce_sum(heard)
        total = labels + weight * likeness
        return total, {"loss": total, "labels": labels, "embedding": likeness}

    return loss
