"""Training of the streaming network: part of each batch is scenes that a larger network has heard too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.audio import band_widths
from training.distillation import EMBEDDING
from training.fit import RunSpec, Scaling, make_optimizer, prefetch
from training.loop import Course, Report, on_logits, one_cycle, optimise
from training.mixing import Floats, equaliser, mixstyle
from training.prepare import RATE, FrontEnd, event_sampler, other_sampler, targets_of
from training.splits import Part
from training.streaming.lessons import Lessons, looks
from training.streaming.network import StreamSpec, build
from training.streaming.scenes import SceneMixer, SceneRecipe, Timing, mask_bands

Goal = tuple[Floats, Floats, Floats, Floats]
"""Targets and weights of every column, the teacher's embedding at its looks, whether it is known."""


@dataclass(frozen=True)
class StreamRun:
    """Everything that decides a run's weights, the recordings apart.

    taught : share of a batch, 0…1, that are lessons; weight : of the embedding's mean squared error
    beside the cross-entropy, which is summed over labels; soft : share of a lesson's targets that the
    teacher gives
    """

    network: StreamSpec = field(default_factory=StreamSpec)
    recipe: SceneRecipe = field(default_factory=SceneRecipe)
    seed: int = 0
    epochs: int = 30
    steps: int = 40
    batch: int = 24
    rate: float = 3e-3
    decay: float = 0.05
    taught: float = 0.5
    weight: float = 3.0
    soft: float = 0.4
    level_db: float = 6.0


def make_mixer(part: Part, front_end: FrontEnd, recipe: SceneRecipe, timing: Timing) -> SceneMixer:
    """Load the part's mel power and return its source of scenes."""
    clips = [*(clip for clip, _ in part.events), *part.negatives, *part.backgrounds]
    return SceneMixer(
        front_end.bank(clips, lambda done: None),
        targets_of(part, recipe.faint_label),
        event_sampler(part),
        other_sampler(part),
        band_widths(front_end.spec, RATE),
        front_end.spec.floor,
        recipe,
        timing,
    )


def measure_scaling(mixer: SceneMixer, seed: int) -> Scaling:
    """Return mean per band and one deviation of training scenes."""
    decibels = mixer.batch(48, np.random.default_rng((seed, 10**6))).decibels
    mean = decibels.mean(axis=(0, 1))
    return Scaling(mean.astype(np.float32).round(3), round(float((decibels - mean).std()), 3))


def train(
    run: StreamRun, mixer: SceneMixer, lessons: Lessons | None, scaling: Scaling, folder: Path, report: Report
) -> Any:
    """Train, or go on where an earlier call stopped; return the whole-sequence form."""
    import keras

    keras.utils.set_random_seed(run.seed)
    frames = run.recipe.frames
    model = build(run.network, frames)
    at = looks(frames, frames)
    heard = keras.layers.Dense(EMBEDDING)(keras.ops.take(model.outputs[1], at, axis=1))
    pupil = keras.Model(model.input, [model.outputs[0], heard])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text(json.dumps(asdict(run), indent=1))
    taught = lessons.taught(run.soft) if lessons is not None else None

    def make(rng: np.random.Generator) -> tuple[Floats, Goal]:
        return _batch(run, mixer, taught, scaling, len(at), rng)

    def batches(epoch: int) -> Iterator[tuple[Floats, Goal]]:
        return prefetch(make, run.steps, (run.seed, epoch))

    course = Course(run.epochs, one_cycle(run.rate, run.epochs, run.steps))
    optimizer = make_optimizer(RunSpec(rate=run.rate, decay=run.decay))
    optimise(pupil, optimizer, on_logits(_loss(run.weight)), batches, course, folder, report)
    return model


def _batch(
    run: StreamRun, mixer: SceneMixer, lessons: Lessons | None, scaling: Scaling, count: int,
    rng: np.random.Generator,
) -> tuple[Floats, Goal]:  # fmt: skip
    share = round(run.batch * run.taught) if lessons is not None else 0
    scenes = mixer.batch(run.batch - share, rng)
    nothing = np.zeros((run.batch - share, count, EMBEDDING), np.float32)
    known = np.concatenate([np.zeros(run.batch - share), np.ones(share)]).astype(np.float32)
    if lessons is None:
        return scaling.apply(scenes.decibels), (scenes.targets, scenes.weights, nothing, known)
    drawn = rng.integers(len(lessons.decibels), size=share)
    decibels = lessons.decibels[drawn].astype(np.float32)
    decibels += 10 * np.log10(equaliser(share, decibels.shape[2], run.level_db, rng))[:, None, :]
    if rng.random() < run.recipe.mixstyle:
        mixstyle(decibels, run.recipe.mixstyle_beta, rng)
    mask_bands(decibels, run.recipe.mask, run.recipe.mask_bands, rng)
    smooth = run.recipe.smoothing
    targets = lessons.targets[drawn].astype(np.float32) * (1 - smooth) + smooth / 2
    return scaling.apply(np.concatenate([scenes.decibels, decibels])), (
        np.concatenate([scenes.targets, targets]),
        np.concatenate([scenes.weights, lessons.weights[drawn].astype(np.float32)]),
        np.concatenate([nothing, lessons.embedding[drawn].astype(np.float32)]),
        known,
    )


def _loss(weight: float) -> Any:
    import tensorflow as tf

    def loss(goal: Any, outputs: Any) -> tuple[Any, dict[str, Any]]:
        targets, weights, embedding, heard = goal
        each = tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs[0]) * weights
        labels = tf.reduce_sum(each) / tf.reduce_sum(tf.reduce_mean(weights, axis=2))
        error = tf.reduce_mean(tf.square(embedding - outputs[1]), axis=(1, 2))
        likeness = tf.reduce_sum(error * heard) / tf.maximum(tf.reduce_sum(heard), 1.0)
        total = labels + weight * likeness
        return total, {"loss": total, "labels": labels, "embedding": likeness}

    return loss
