"""Train the published networks on whole clips, with the published settings.

Under the ``seed`` protocol the recurrent networks see the training clips in the order of their
folders, unshuffled, for a fixed number of epochs. Under ``honest`` the clips are shuffled, and the
epoch with the lowest validation loss is kept. The CNN stops early under both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats
from training.base.maths import cross_entropy
from training.base.variants import base_of, settings_of
from training.errors import DataError
from training.features.altered import load_bank, recipes
from training.features.scale import Scaler
from training.features.spec import FeatureSpec, Fill, presets
from training.features.store import load_features
from training.fit.loop import Course, Loss, Rate, Row, in_float32, on_logits, optimise
from training.fit.predict import predict
from training.networks import published
from training.networks.compact import cost
from training.study.folds import Validation
from training.study.task import BATCH, Fitted, Task


@dataclass(frozen=True)
class PublishedSettings:
    """One row of the published table of settings; the last five are not in the published study.

    Attributes
    ----------
    decay
        Added to the gradient, as PyTorch's Adam does.
    stops
        Early stopping after 5 epochs without improvement, the rate halved after 3, as for the CNN.
    fill, denoise
        See :class:`~training.features.spec.FeatureSpec`.
    altered
        Recipe of the bank of altered clips that replace half of the training clips; "": none.
    last
        Train all epochs and keep the last, for corpora with few, noisy validation clips.
    """

    network: str
    features: str
    epochs: int
    rate: float
    decay: float = 0.0
    stops: bool = False
    standardised: bool = True
    fill: Fill = "repeat"
    denoise: bool = False
    altered: str = ""
    last: bool = False

    def spec(self) -> FeatureSpec:
        """Return the feature preset with ``fill`` and ``denoise`` applied."""
        return replace(presets[self.features], fill=self.fill, denoise=self.denoise)


SETTINGS = {
    "rnn": PublishedSettings("rnn", "seed-frames", 20, 5e-3, 1e-4),
    "lstm": PublishedSettings("lstm", "seed-frames", 50, 1e-3, 1e-4),
    "gru": PublishedSettings("gru", "seed-frames", 30, 1e-3, 1e-8),
    "clstm": PublishedSettings("clstm", "seed-frames", 50, 1e-3, 1e-8),
    "cnn": PublishedSettings("cnn", "seed-mel", 15, 1e-3, stops=True, standardised=False),
}
_PATIENCE = 5
_PUBLISHED_MOMENTUM = 0.99
_HONEST_MOMENTUM = 0.9
"""With Keras's .99 the running moments lag behind 17 batches an epoch (two folds) so far that early stopping
acts on noise. The published code has it, so its protocol keeps it."""
_HONEST_PATIENCE = 10
"""Patience where the published code had none, epochs."""
_COPIES, _ALTERED_SHARE = 2, 0.5
"""Altered copies of each training clip, and the probability that one replaces it."""
_PLATEAU_PATIENCE, _LEAST_RATE, _LEAST_GAIN = 3, 1e-6, 1e-4


def is_published(model: str) -> bool:
    """Return whether the model's input is the published features of a whole clip."""
    return base_of(model) in SETTINGS


def validation_of(model: str) -> Validation:
    """Return how the published code validated this model."""
    return "first rows" if settings_of(model, SETTINGS).stops else "test fold"


@dataclass(frozen=True)
class PublishedNetwork:
    """A trained published network; ``scaler`` standardises ``values`` (None: they are used unscaled)."""

    model: Any
    spec: FeatureSpec
    scaler: Scaler | None
    values: Callable[[Sequence[int]], Floats]
    """rows of the corpus → features, shape (rows, frames, columns), unscaled"""
    logits: Callable[[Sequence[int]], Floats]
    history: Sequence[Row]
    best_epoch: int
    settings: Mapping[str, Any]


def fit(task: Task) -> Fitted:
    """Train one published network."""
    network = train(task)
    return Fitted(network.logits, network.history, network.best_epoch, cost(network.model), network.settings)


def train(task: Task) -> PublishedNetwork:
    """Train one published network, or load it if the task's folder holds a finished run."""
    import keras
    import tensorflow as tf

    settings = settings_of(task.job.model, SETTINGS)
    clips = _Clips(task, settings)
    network: Callable[..., Any] = getattr(published, settings.network)
    momentum = _momentum(task, settings)
    changed = {} if momentum is None else {"momentum": momentum}
    model = in_float32(network(len(task.corpus.labels), *clips.spec.shape, **changed))
    infer = tf.function(model, reduce_retracing=True)

    def logits(rows: Sequence[int]) -> Floats:
        parts = [predict(infer, clips.inputs(rows[i : i + 256])) for i in range(0, len(rows), 256)]
        return np.concatenate(parts)

    course = _course(task, settings, logits)
    history = optimise(
        model,
        keras.optimizers.Adam(settings.rate),
        on_logits(_loss(model, settings.decay)),
        lambda epoch: _batches(clips, task, epoch, _shuffled(task, settings)),
        course,
        task.folder,
        task.report,
    )
    best = course.best(history)
    return PublishedNetwork(
        model, clips.spec, clips.scaler, clips.values, logits, history, best, decided(task)
    )


def decided(task: Task) -> dict[str, Any]:
    """Return what decides the weights, the clips apart, as the record keeps it."""
    settings = settings_of(task.job.model, SETTINGS)
    epochs = task.epochs(settings.epochs)
    momentum = _momentum(task, settings)
    kept = asdict(settings) | ({} if momentum is None else {"momentum": momentum})
    return kept | {"batch": BATCH, "shuffled": _shuffled(task, settings), "epochs": epochs}


def _momentum(task: Task, settings: PublishedSettings) -> float | None:
    """Return the momentum of the CNN's batch norm; None for the other networks, which have PyTorch's."""
    if settings.network != "cnn":
        return None
    return _PUBLISHED_MOMENTUM if task.job.protocol == "seed" else _HONEST_MOMENTUM


def _shuffled(task: Task, settings: PublishedSettings) -> bool:
    return task.job.protocol == "honest" or settings.stops


class _Clips:
    """Features of the corpus's clips, scaled by the training ones, and altered copies of these.

    Altered copies come from the bank (:mod:`training.features.altered`), where settings ask for one.
    """

    def __init__(self, task: Task, settings: PublishedSettings) -> None:
        clips, cache = task.corpus.clips, task.options.cache
        self.spec = settings.spec()
        self.train: NDArray[np.int64] = np.array(task.parts.train)
        self._values = load_features(clips, self.spec, cache).values
        self.scaler = Scaler.fit(self._values, self.train) if settings.standardised else None
        self._altered = None
        if settings.altered:
            if settings.altered not in recipes:
                raise DataError(f"unknown bank {settings.altered!r}; choose from {', '.join(recipes)}")
            originals = [clips[row] for row in self.train]
            self._altered = load_bank(originals, self.spec, recipes[settings.altered], _COPIES, cache).values

    def values(self, rows: Sequence[int]) -> Floats:
        """Return the unscaled features of these rows of the corpus."""
        values: Floats = self._values[np.asarray(rows)].astype(np.float32)
        return values

    def inputs(self, rows: Sequence[int] | NDArray[np.int64]) -> Floats:
        """Return the network's input for these rows of the corpus."""
        return self._scaled(self._values[np.asarray(rows)])

    def drawn(self, places: NDArray[np.int64], rng: np.random.Generator) -> Floats:
        """Return the inputs of a batch: ``places`` in ``train``, some replaced by an altered copy."""
        chosen = self._values[self.train[places]]
        if self._altered is not None:
            altered = rng.random(len(places)) < _ALTERED_SHARE
            copy = rng.integers(_COPIES, size=len(places))
            chosen[altered] = self._altered[(copy * len(self.train) + places)[altered]]
        return self._scaled(chosen)

    def _scaled(self, chosen: NDArray[np.float16]) -> Floats:
        return self.scaler.apply(chosen) if self.scaler else chosen.astype(np.float32)


def _batches(
    clips: _Clips, task: Task, epoch: int, shuffled: bool
) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
    rng = np.random.default_rng((task.job.seed, epoch))
    if shuffled:
        order = rng.permutation(len(clips.train))
    else:
        named = [task.corpus.clips[row] for row in clips.train]
        order = np.array(sorted(range(len(named)), key=lambda i: (named[i].fold, named[i].path.name)))
    for i in range(0, len(order), BATCH):
        places = order[i : i + BATCH]
        yield clips.drawn(places, rng), task.truth(clips.train[places].tolist())


def _loss(model: Any, decay: float) -> Loss:
    import tensorflow as tf

    def loss(targets: Any, logits: Any) -> tuple[Any, dict[str, Any]]:
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        value = tf.reduce_mean(each)
        squares = [tf.nn.l2_loss(tf.cast(v.value, tf.float32)) for v in model.trainable_variables]
        right = tf.equal(tf.argmax(logits, axis=1), tf.cast(targets, tf.int64))
        accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
        return value + decay * tf.add_n(squares), {"loss": value, "accuracy": accuracy}

    return loss


def _course(task: Task, settings: PublishedSettings, logits: Callable[[Sequence[int]], Floats]) -> Course:
    honest = task.job.protocol == "honest"
    parts = task.parts

    def measure(_: Any) -> Row:
        if not honest and not settings.stops:
            return _test_figures(logits(parts.test), task.truth(parts.test))
        scores, truth = logits(parts.validation), task.truth(parts.validation)
        row = {
            "val_loss": cross_entropy(scores, truth),
            "val_accuracy": float((scores.argmax(axis=1) == truth).mean()),
        }
        return row if honest else row | _test_figures(logits(parts.test), task.truth(parts.test))

    epochs = task.epochs(settings.epochs)
    rate = _plateau(settings.rate) if settings.stops else _constant(settings.rate)
    if settings.last or not (settings.stops or honest):
        return Course(epochs, rate, measure)
    return Course(epochs, rate, measure, "val_loss", _PATIENCE if settings.stops else _HONEST_PATIENCE)


def _test_figures(logits: Floats, truth: NDArray[np.int64]) -> Row:
    from sklearn.metrics import f1_score

    guess = logits.argmax(axis=1)
    f1 = f1_score(truth, guess, average="weighted", zero_division=0)
    return {"test_accuracy": float((guess == truth).mean()), "test_f1": float(f1)}


def _constant(rate: float) -> Rate:
    return lambda epoch, number, history: rate


def _plateau(peak: float) -> Rate:
    """Halve the rate after three epochs in which the validation loss fell by less than 1e-4."""

    def rate(epoch: int, number: int, history: Sequence[Row]) -> float:
        now, least, idle = peak, float("inf"), 0
        for row in history:
            if row["val_loss"] < least - _LEAST_GAIN:
                least, idle = row["val_loss"], 0
                continue
            idle += 1
            if idle == _PLATEAU_PATIENCE:
                now, idle = max(now / 2, _LEAST_RATE), 0
        return now

    return rate
