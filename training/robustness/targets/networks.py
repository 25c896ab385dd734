"""Networks of the study as functions of features in dB, on clips of their test fold.

They are functions of waveforms too: :mod:`training.robustness.targets.front_end` for the monitor's
windows, :mod:`training.robustness.targets.published_front_end` for the published features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats
from training.base.progress import Progress
from training.data.audio import RATE
from training.data.corpora import CLASSES, Clip, data_root, load
from training.errors import DataError
from training.fit.loop import prepare_keras
from training.records.jobs import Job
from training.robustness.attacks.methods import UNBOUNDED_DB, Labels, Logits, sounds_of
from training.robustness.targets.front_end import compiled, log_mel, on_features
from training.robustness.targets.held_out import DEFAULT, HeldOut, held_out
from training.robustness.targets.subjects import chosen
from training.study.folds import labelled
from training.study.jobs import command, make_task
from training.study.task import Options, Task
from training.study.trainers import augmented, plain
from training.study.trainers.augmented import is_windowed

Rows = NDArray[np.int64]
PUBLISHED_DB = (-80.0, 0.0)
"""Range of the published mel bands: dB relative to the clip's maximum, floored at −80 dB."""


@dataclass(frozen=True)
class Windows:
    """A network on the monitor's windows with the task that trained it."""

    task: Task
    network: augmented.WindowedNetwork


@dataclass(frozen=True)
class Target:
    """A network and the clips on which it is attacked.

    Parameters
    ----------
    decibels
        Features under attack, shape (clips, frames, bands): mel bands in dB.
    given
        Logits of some clips as a function of their decibels; other inputs of the network (published
        frames hold more than mel bands) stay fixed.
    windows, published, held_out
        The network itself, one of the three: of the study, on the monitor's windows or on whole clips, or
        the default model's.
    validation, validation_truth
        Rows and classes of clips used for neither training nor test of the published network.
    bounds_db
        Range of possible feature values.
    """

    job: Job
    clips: tuple[Clip, ...]
    decibels: Floats
    given: Callable[[Rows], Logits]
    windows: Windows | None
    published: plain.PublishedNetwork | None = None
    validation: tuple[int, ...] = ()
    validation_truth: tuple[int, ...] = ()
    bounds_db: tuple[float, float] = UNBOUNDED_DB
    held_out: HeldOut | None = None

    @property
    def truth(self) -> Labels:
        return np.array([CLASSES.index(clip.label) for clip in self.clips])


def target(job: Job, options: Options, count: int, train: bool, say: Progress) -> Target:
    """Return a network with ``count`` clips of its test fold (0: all), the same for every model.

    Raises
    ------
    DataError
        If it is untrained and ``train`` is false, or it is not a network.
    """
    if job.model == DEFAULT:
        return _of_default(job, options, count)
    task = make_task(job, options, say)
    if not train and not (task.folder / "state.npz").is_file():
        raise DataError(f"{job}: is not trained yet; train it first: {command(job, options)}")
    prepare_keras(job.seed, "float32")
    rows_of = {task.corpus.clips[row].path: row for row in task.parts.test}
    clips = chosen([task.corpus.clips[row] for row in task.parts.test], count)
    if plain.is_published(job.model):
        return _of_clips(task, plain.train(task), clips, [rows_of[clip.path] for clip in clips])
    if is_windowed(job.model):
        return _of_windows(task, augmented.train(task), clips)
    raise DataError(f"{job.model}: has no gradients to follow; networks have: cnn, gru, compact, …")


def _of_default(job: Job, options: Options, count: int) -> Target:
    prepare_keras(job.seed, "float32")
    network = held_out(job, options)
    corpus = labelled(load(data_root(options.data)), options.corpus)
    clips = chosen([clip for clip in corpus.clips if clip.fold == job.test_fold], count)
    sounds, logits = sounds_of(clips, network.rate), network.on_features
    decibels = np.asarray(log_mel(network.spec, network.rate)(sounds))
    return Target(job, clips, decibels, lambda rows: logits, None, held_out=network)


def _of_windows(task: Task, network: augmented.WindowedNetwork, clips: tuple[Clip, ...]) -> Target:
    logits = on_features(network.model, network.front.spec, network.scaling)
    decibels = np.asarray(log_mel(network.front.spec, RATE)(sounds_of(clips)))
    return Target(task.job, clips, decibels, lambda rows: logits, Windows(task, network))


def _of_clips(
    task: Task, network: plain.PublishedNetwork, clips: tuple[Clip, ...], rows: Sequence[int]
) -> Target:
    import tensorflow as tf

    bands = network.spec.n_mels
    values = network.values(rows)
    scaler = network.scaler

    def of_features(decibels: Any, others: Any) -> Any:
        whole = tf.concat([tf.cast(decibels, tf.float32), others], axis=-1)
        scaled = whole if scaler is None else (whole - scaler.mean) / scaler.deviation
        return network.model(scaled, training=False)

    logits = compiled(of_features)

    def given(some: Rows) -> Logits:
        others = tf.constant(values[some, :, bands:])
        return lambda decibels: logits(decibels, others)

    validation = task.parts.validation
    return Target(
        task.job, clips, values[..., :bands], given, None, network, validation,
        tuple(task.truth(validation).tolist()), PUBLISHED_DB,
    )  # fmt: skip
