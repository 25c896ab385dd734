"""Train networks of log-mel windows on batches that are mixed in the mel-power domain.

A clip's logits are the mean over its windows. ``background`` is a label in training only; it does
not compete with the classes of the corpus.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.variants import base_of, settings_of
from training.data.audio import RATE
from training.features.front_end import FrontEnd, default_front_end
from training.features.mel_bank import Bank, band_widths
from training.fit.adversarial import Trades
from training.fit.loop import Course, Row, in_float32, one_cycle
from training.fit.predict import clip_logits
from training.fit.windows import RunSpec, Scaling, measure_scaling
from training.fit.windows import fit as fit_windows
from training.mixing.mixer import PLAIN, Mixer, MixerSource, Recipe, Sampler
from training.networks.catalogue import ARCHITECTURES
from training.networks.compact import cost
from training.study.task import BATCH, Fitted, Task

_PEAK_RATE = 3e-3
_WINDOWS_PER_CLIP = 2


@dataclass(frozen=True)
class Windowed:
    """A windowed network and its training settings; an epoch is two windows of 2 s per clip of 4 s."""

    network: Callable[[int], Any]
    recipe: Recipe = field(default_factory=Recipe)
    epochs: int = 60
    rate: float = _PEAK_RATE
    decay: float = 0.05
    hardening: Trades = field(default_factory=Trades)


def _build(name: str) -> Callable[[int], Any]:
    return ARCHITECTURES[name].build


SETTINGS = {
    "rnn-proper": Windowed(_build("rnn-proper")),
    "lstm-proper": Windowed(_build("lstm-proper")),
    "gru-proper": Windowed(_build("gru-proper")),
    "clstm-proper": Windowed(_build("clstm-proper")),
    "cnn-proper": Windowed(_build("cnn-proper"), rate=1e-3),
    "crnn": Windowed(_build("crnn")),
    "transformer": Windowed(_build("transformer"), rate=1e-3),
    "compact": Windowed(_build("compact")),
    "compact-wide": Windowed(_build("compact-wide")),
    "compact-plain": Windowed(_build("compact"), PLAIN),
}


def is_windowed(model: str) -> bool:
    """Return whether the model's input is the monitor's window."""
    return base_of(model) in SETTINGS


@dataclass(frozen=True)
class WindowedNetwork:
    """A trained network with its scaling and front end; ``settings`` and ``history`` are for the record."""

    model: Any
    scaling: Scaling
    front: FrontEnd
    settings: Mapping[str, Any]
    history: Sequence[Row]
    logits: Callable[[Sequence[int]], Floats]
    """rows of the corpus → logits without the background's, shape (rows, labels)"""


def fit(task: Task) -> Fitted:
    """Train one windowed network and keep the last epoch, when the learning rate has reached zero."""
    network = train(task)
    return Fitted(
        network.logits, network.history, len(network.history), cost(network.model), network.settings
    )


def train(task: Task) -> WindowedNetwork:
    """Train one network, or load it if the task's folder holds all its epochs."""
    import tensorflow as tf

    settings = settings_of(task.job.model, SETTINGS)
    front = default_front_end(task.options.cache)
    whole = _mel_power(task, front)
    run = _run(task)
    mixer = _mixer(task, whole, front, run.recipe)
    scaling = measure_scaling(mixer, task.job.seed)
    model = in_float32(settings.network(len(task.corpus.labels) + 1))
    infer = tf.function(model, reduce_retracing=True)

    def logits(rows: Sequence[int], hop: int = front.hop_frames) -> Floats:
        spec = front.spec
        means = clip_logits(
            infer, whole, np.array(rows), scaling, frames=spec.frames, hop=hop, floor=spec.floor
        )
        return means[:, : len(task.corpus.labels)]

    def measure(_: Any) -> Row:
        guess = logits(task.parts.validation, hop=front.spec.frames).argmax(axis=1)
        return {"val_accuracy": float((guess == task.truth(task.parts.validation)).mean())}

    course = Course(run.epochs, one_cycle(run.rate, run.epochs, run.steps), measure)
    history = fit_windows(model, run, mixer, scaling, course, task.folder, task.report)
    return WindowedNetwork(
        model, scaling, front, {**decided(task), "deviation_db": scaling.std}, history, logits
    )


def _run(task: Task) -> RunSpec:
    settings = settings_of(task.job.model, SETTINGS)
    return RunSpec(
        recipe=settings.recipe if task.backgrounds else _without_backgrounds(settings.recipe),
        seed=task.job.seed,
        epochs=task.epochs(settings.epochs),
        steps=math.ceil(_WINDOWS_PER_CLIP * len(task.parts.train) / BATCH),
        batch=BATCH,
        rate=settings.rate,
        decay=settings.decay,
        hardening=settings.hardening,
    )


def _mel_power(task: Task, front: FrontEnd) -> Bank:
    """Return the mel power that batches are mixed from, and report its time, which all jobs share."""
    clips, wall, cpu = [*task.corpus.clips, *task.backgrounds], time.monotonic(), time.process_time()
    whole = front.bank(clips, lambda done: None)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    task.report(f"mel power of {len(clips)} sounds in {wall:.1f} s ({cpu:.1f} s of CPU)")
    return whole


def decided(task: Task) -> dict[str, Any]:
    """Return all settings that determine the weights besides the clips, for the record."""
    spec = default_front_end(task.options.cache).spec
    kept = {name: value for name, value in asdict(_run(task)).items() if name != "network"}
    window = {
        "frames": spec.frames,
        "n_mels": spec.n_mels,
        "hop": spec.hop,
        "n_fft": spec.n_fft,
        "rate_hz": RATE,
    }
    return kept | {"front_end": window}


def _without_backgrounds(recipe: Recipe) -> Recipe:
    """Return the recipe for a corpus without backgrounds: short clips are repeated to fill the window."""
    return replace(recipe, negatives=0.0, background=0.0, partial=0.0, tiled=1.0)


def _mixer(task: Task, whole: Bank, front: FrontEnd, recipe: Recipe) -> Mixer:
    """Return the source of batches; in the bank, the backgrounds follow the clips."""
    clips, train = task.corpus.clips, task.parts.train
    behind = range(len(clips), len(clips) + len(task.backgrounds))
    rows = np.array([*train, *behind])
    bank = Bank(whole.power, whole.first[rows], whole.frames[rows], whole.level[rows])
    targets = np.zeros((len(rows), len(task.corpus.labels) + 1), np.float32)
    for row, clip in enumerate(train):
        faint = clips[clip].salience == 2
        targets[row, task.corpus.truth[clip]] = recipe.faint_label if faint else 1.0
    targets[len(train) :, -1] = 1.0
    classes = [task.corpus.labels[task.corpus.truth[i]] for i in train]
    events = Sampler(classes, [clips[i].recording for i in train])
    kinds = [clip.label for clip in task.backgrounds]
    others = Sampler(kinds, [clip.recording for clip in task.backgrounds], offset=len(train))
    source = MixerSource(bank, targets, events, others if kinds else events, band_widths(front.spec, RATE))
    return Mixer(source, front.spec.frames, front.spec.floor, recipe)
