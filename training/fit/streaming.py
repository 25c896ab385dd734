"""Training of a streaming network on windows; part of each batch comes from the distillation set.

Each window is preceded by context, so that its first columns have the same past as in a stream.
The loss is computed on the last column only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.progress import Progress
from training.errors import DataError
from training.fit.adversarial import Trades, hardened
from training.fit.lessons import Lessons
from training.fit.loop import Course, load_weights, on_logits, one_cycle, optimise
from training.fit.predict import predict
from training.fit.spec import FitSpec
from training.fit.windows import Scaling, make_optimizer, prefetch
from training.mixing.mixer import Mixer, Recipe
from training.networks.columns import StreamSpec
from training.networks.streaming import build, build_last
from training.networks.windowed import WindowSpec
from training.networks.yamnet import EMBEDDING

Goal = tuple[Floats, Floats, Floats]
"""Targets, the teacher's embedding, and whether the embedding is known."""

SPEC = "spec.json"
"""File beside a run's state with its settings and the digest of its training data."""
_CANDIDATES, _PICKED = 2048, 8
"""One in this many candidate windows of an epoch is selected as a hard negative."""


@dataclass(frozen=True)
class StreamRun(FitSpec[StreamSpec | WindowSpec]):
    """All settings of a distilled run that determine its weights, except the recordings.

    Parameters
    ----------
    taught
        Share of a batch taken from the distillation set, 0…1.
    weight
        Weight of the embedding's mean squared error relative to the cross-entropy summed over labels.
    soft
        Share of a distillation target that the teacher provides.
    level_db
        Random gain of a distillation window in dB.
    mined
        Share of a batch that are hard negatives: windows of no class with the highest class scores
        under the network at the start of the epoch.
    """

    network: StreamSpec | WindowSpec = field(default_factory=WindowSpec)
    recipe: Recipe = field(default_factory=lambda: Recipe(smoothing=0.04))
    seed: int = 0
    epochs: int = 80
    steps: int = 60
    batch: int = 64
    rate: float = 3e-3
    decay: float = 0.05
    taught: float = 0.6
    weight: float = 3.0
    soft: float = 0.5
    level_db: float = 6.0
    mined: float = 0.0
    hardening: Trades = field(default_factory=Trades)


def train(
    run: StreamRun, mixer: Mixer, lessons: Lessons | None, scaling: Scaling, folder: Path, report: Progress,
    heard: str = "",
) -> Any:  # fmt: skip
    """Train or resume a run; return the whole-sequence form for any length.

    Parameters
    ----------
    heard
        Digest of the training data; "" where the folder's name identifies it.

    Raises
    ------
    DataError
        If the folder holds a run with other settings or other training data.
    """
    import keras

    _claim(folder, run, heard)

    keras.utils.set_random_seed(run.seed)
    exact = build(run.network)
    model, pupil = _networks(run, mixer.frames)
    taught = lessons.taught(run.soft) if lessons is not None else None

    def batches(epoch: int) -> Iterator[tuple[Floats, Goal]]:
        hard = mined(pupil, run, mixer, scaling, epoch)
        return prefetch(
            lambda rng: _batch(run, mixer, taught, hard, scaling, rng), run.steps, (run.seed, epoch)
        )

    objective = on_logits(_loss(run.weight))
    if run.hardening.beta:
        objective = hardened(_loss(run.weight), run.hardening, scaling.std)
    course = Course(run.epochs, one_cycle(run.rate, run.epochs, run.steps))
    optimizer = make_optimizer(run)
    optimise(pupil, optimizer, objective, batches, course, folder, report)
    exact.set_weights(model.get_weights())
    return exact


def load_trained(run: StreamRun, folder: Path) -> Any:
    """Return the whole-sequence form of a run that :func:`train` has finished in ``folder``."""
    exact = build(run.network)
    model, pupil = _networks(run, run.network.lead + run.network.window)
    load_weights(folder, pupil)
    exact.set_weights(model.get_weights())
    return exact


def _networks(run: StreamRun, frames: int) -> tuple[Any, Any]:
    """Return what is trained on windows of ``frames``, and the same with a head for the embedding."""
    import keras

    with _half_precision():
        model = build_last(run.network, frames)
        logits, features = model.outputs
        return model, keras.Model(model.input, [logits, keras.layers.Dense(EMBEDDING)(features)])


def _claim(folder: Path, run: StreamRun, heard: str) -> None:
    """Record the run's settings in the folder, or compare them with the recorded ones."""
    path, wanted = folder / SPEC, json.loads(json.dumps({"run": asdict(run), "heard": heard}))
    if not (folder / "state.npz").is_file() or not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(wanted, indent=1))
        return
    stored = json.loads(path.read_text(encoding="utf-8"))
    other = _other(stored.get("run"), wanted["run"])
    if not other and heard and stored.get("heard") != heard:
        other = "recordings or lessons"
    if other:
        raise DataError(
            f"{folder}: was trained with other {other}; delete it, or name another folder for the runs"
        )


def _other(stored: Any, wanted: Any, name: str = "settings") -> str:
    """Return the first setting that differs, as a dotted name; "" if none does."""
    if not isinstance(stored, dict) or not isinstance(wanted, dict):
        return "" if stored == wanted else name
    if set(stored) != set(wanted):
        return name
    prefix = "" if name == "settings" else f"{name}."
    found = (_other(stored[key], wanted[key], prefix + key) for key in wanted)
    return next((text for text in found if text), "")


@contextmanager
def _half_precision() -> Iterator[None]:
    """Build layers in bfloat16; a step takes 0.7 of the time on processors that support it."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def mined(
    pupil: Any, run: StreamRun, mixer: Mixer, scaling: Scaling, epoch: int
) -> tuple[Floats, Floats] | None:
    """Return hard negatives with their targets: windows of no class with the highest class scores.

    Returns nothing in the first epoch, as the network is untrained. Candidates are drawn like any batch.
    """
    if not run.mined or not epoch:
        return None
    windows, targets = mixer.batch(_CANDIDATES, np.random.default_rng((run.seed, epoch, 1)), negatives=1.0)
    logits = predict(lambda rows, training: _logits(pupil, rows), scaling.apply(windows))
    hardest = np.argsort(-logits[:, :-1].max(axis=1), kind="stable")[: _CANDIDATES // _PICKED]
    return windows[hardest], targets[hardest]


def _logits(pupil: Any, rows: Floats) -> Any:
    import tensorflow as tf

    return tf.cast(pupil(rows, training=False)[0], tf.float32)


def _batch(
    run: StreamRun,
    mixer: Mixer,
    lessons: Lessons | None,
    hard: tuple[Floats, Floats] | None,
    scaling: Scaling,
    rng: np.random.Generator,
) -> tuple[Floats, Goal]:
    share = round(run.batch * run.taught) if lessons is not None else 0
    picked = round(run.batch * run.mined) if hard is not None else 0
    windows, targets = mixer.batch(run.batch - share - picked, rng)
    if hard is not None:
        chosen = rng.integers(len(hard[0]), size=picked)
        windows = np.concatenate([windows, hard[0][chosen]])
        targets = np.concatenate([targets, hard[1][chosen]])
    nothing = np.zeros((len(windows), EMBEDDING), np.float32)
    known = np.concatenate([np.zeros(len(windows)), np.ones(share)]).astype(np.float32)
    if lessons is None:
        return scaling.apply(windows), (targets, nothing, known)
    drawn = rng.integers(len(lessons.windows), size=share)
    gain = rng.uniform(-run.level_db, run.level_db, (share, 1, 1)).astype(np.float32)
    smooth = run.recipe.smoothing
    return scaling.apply(np.concatenate([windows, lessons.windows[drawn].astype(np.float32) + gain])), (
        np.concatenate([targets, lessons.targets[drawn] * (1 - smooth) + smooth / 2]).astype(np.float32),
        np.concatenate([nothing, lessons.embedding[drawn].astype(np.float32)]),
        known,
    )


def _loss(weight: float) -> Any:
    import tensorflow as tf

    def loss(goal: Any, outputs: Any) -> tuple[Any, dict[str, Any]]:
        targets, embedding, heard = goal
        logits, guess = (tf.cast(output, tf.float32) for output in outputs)
        each = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
        labels = tf.reduce_mean(tf.reduce_sum(each, axis=1))
        error = tf.reduce_mean(tf.square(embedding - guess), axis=1)
        likeness = tf.reduce_sum(error * heard) / tf.maximum(tf.reduce_sum(heard), 1.0)
        total = labels + weight * likeness
        return total, {"loss": total, "labels": labels, "embedding": likeness}

    return loss
