"""The network that ships, by its recipe, on the study's parts: to be attacked and hardened like the others.

It learns from what any network of the study may learn from, and from what YAMNet heard in mixtures of
that. What really ships learns from more (ESC's other sounds), and no clips are kept from it for
validation: its own figures are those of ``sound-training default``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.variants import settings_of
from training.data.corpora import TEACHER_FILE, data_root, unlabelled_sounds
from training.data.splits import Part
from training.errors import DataError
from training.features.front_end import FrontEnd, default_front_end
from training.fit.lessons import LessonPlan, Lessons, make_lessons
from training.fit.loop import Row, history_of
from training.fit.predict import clip_logits
from training.fit.streaming import StreamRun
from training.fit.streaming import train as train_taught
from training.fit.windows import measure_scaling
from training.mixing.prepare import make_mixer
from training.networks.compact import cost
from training.networks.streaming import build_last
from training.study.task import Fitted, Task
from training.study.trainers.augmented import WindowedNetwork

SETTINGS = {"shipped": StreamRun()}


def fit(task: Task) -> Fitted:
    """Train it; the last epoch is kept."""
    network = train(task)
    return Fitted(
        network.logits, network.history, len(network.history), cost(network.model), network.settings
    )


def train(task: Task) -> WindowedNetwork:
    """Train it, or load it where the task's folder holds all its epochs.

    Raises
    ------
    DataError : another corpus than UrbanSound8K, or the teacher is not in the data folder
    """
    import keras
    import tensorflow as tf

    clips, chosen = task.corpus.clips, task.parts.train
    if task.corpus.name != "urbansound8k":
        raise DataError(
            f"{task.job}: hears UrbanSound8K's classes; `sound-training own` makes it hear others"
        )
    part = Part(tuple((clips[row], clips[row].label) for row in chosen), (), task.backgrounds)
    run = _run(task)
    front = default_front_end(task.options.cache).cut(run.network.window)
    mixer = make_mixer(part, front, run.recipe, lambda done: None)
    scaling = measure_scaling(mixer, run.seed)
    whole = train_taught(run, mixer, _lessons(part, front, run, task), scaling, task.folder, task.report)
    last = build_last(run.network, run.network.window)
    last.set_weights(whole.get_weights())
    model = keras.Model(last.input, last.outputs[0])
    infer = tf.function(model, reduce_retracing=True)
    bank = front.bank(clips, lambda done: None)

    def logits(rows: Sequence[int]) -> Floats:
        spec = front.spec
        means = clip_logits(
            infer, bank, np.array(rows), scaling, frames=spec.frames, hop=front.hop_frames, floor=spec.floor
        )
        return means[:, : len(task.corpus.labels)]

    return WindowedNetwork(
        model, scaling, front, {**decided(task), "deviation_db": scaling.std}, _history(task), logits
    )


def _lessons(part: Part, front: FrontEnd, run: StreamRun, task: Task) -> Lessons:
    root = data_root(task.options.data)
    return make_lessons(
        part, unlabelled_sounds(root / "effects"), front, run.network.lead, root / "yamnet" / TEACHER_FILE,
        LessonPlan(), run.recipe.faint_label, 0,
        lambda done: task.report(f"{done} mixtures heard by the teacher"),
    )  # fmt: skip


def _run(task: Task) -> StreamRun:
    settings = settings_of(task.job.model, SETTINGS)
    return replace(settings, seed=task.job.seed, epochs=task.epochs(settings.epochs))


def decided(task: Task) -> dict[str, Any]:
    """Return what decides the weights, the clips apart, as the record keeps it."""
    return {**asdict(_run(task)), "lessons": asdict(LessonPlan())}


def _history(task: Task) -> list[Row]:
    """Of what is minimised the sum and what hardening adds to it, as records hold them."""
    kept = ("loss", "divergence", "seconds")
    return [{name: row[name] for name in kept if name in row} for row in history_of(task.folder)]
