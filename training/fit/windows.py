"""One training run as a function of (spec, data, seed), resumable after any epoch."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats
from training.base.progress import Progress
from training.fit.adversarial import Trades, hardened
from training.fit.loop import Course, Row, on_logits, optimise
from training.mixing.mixer import Mixer, Recipe
from training.networks.compact import NetworkSpec

T = TypeVar("T")


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run's weights, the recordings apart.

    Parameters
    ----------
    recipe
        How batches are mixed.
    steps
        Batches of an epoch.
    batch
        Windows in a batch.
    rate
        Highest learning rate.
    decay
        Weight decay.
    """

    network: NetworkSpec = field(default_factory=NetworkSpec)
    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0
    epochs: int = 30
    steps: int = 60
    batch: int = 64
    rate: float = 3e-3
    decay: float = 0.05
    hardening: Trades = field(default_factory=Trades)


@dataclass(frozen=True)
class Scaling:
    """Fixed normalisation of windows in dB as stored on the card: mean per band, one deviation."""

    mean: NDArray[np.float32]
    std: float

    def apply(self, decibels: Floats) -> Floats:
        scaled: Floats = ((decibels - self.mean) / np.float32(self.std)).astype(np.float32)
        return scaled


def measure_scaling(mixer: Mixer, seed: int, batches: int = 12) -> Scaling:
    """Return the mean per band and one overall deviation of training windows.

    With one deviation for all bands, a change of gain remains the same offset in every band.
    """
    rng = np.random.default_rng((seed, 10**6))
    windows = np.concatenate([mixer.batch(64, rng)[0] for _ in range(batches)])
    mean = windows.mean(axis=(0, 1))
    return Scaling(mean.astype(np.float32).round(3), round(float((windows - mean).std()), 3))


def fit(
    model: Any, spec: RunSpec, mixer: Mixer, scaling: Scaling, course: Course, folder: Path, report: Progress
) -> list[Row]:
    """Train any network of windows by the run's recipe, ignoring ``spec.network``; return the history.

    Batches are drawn from (seed, epoch), so a resumed run sees the same windows as an uninterrupted one.
    """

    def make(rng: np.random.Generator) -> tuple[Floats, Floats]:
        windows, targets = mixer.batch(spec.batch, rng)
        return scaling.apply(windows), targets

    def batches(epoch: int) -> Iterator[tuple[Floats, Floats]]:
        return prefetch(make, spec.steps, (spec.seed, epoch))

    objective = on_logits(_independent_labels)
    if spec.hardening.beta:
        objective = hardened(_independent_labels, spec.hardening, scaling.std)
    return optimise(model, make_optimizer(spec), objective, batches, course, folder, report)


def make_optimizer(spec: RunSpec) -> Any:
    """Return AdamW without weight decay on biases and batch norm."""
    import keras

    optimizer = keras.optimizers.AdamW(spec.rate, weight_decay=spec.decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _independent_labels(targets: Any, logits: Any) -> tuple[Any, dict[str, Any]]:
    import tensorflow as tf

    each = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
    loss = tf.reduce_mean(tf.reduce_sum(each, axis=1))
    return loss, {"loss": loss}


def prefetch(make: Callable[[np.random.Generator], T], steps: int, seed: tuple[int, ...]) -> Iterator[T]:
    """Yield ``steps`` batches, prepared by a thread while the network trains on the previous one."""
    ready: queue.Queue[T | BaseException] = queue.Queue(maxsize=3)
    stop = threading.Event()

    def offer(item: T | BaseException) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.2)
            except queue.Full:
                continue

    def produce() -> None:
        try:
            rng = np.random.default_rng(seed)
            for _ in range(steps):
                offer(make(rng))
                if stop.is_set():
                    return
        except Exception as error:  # handed over to the consumer, which raises it
            offer(error)

    maker = threading.Thread(target=produce, name="batches", daemon=True)
    maker.start()
    try:
        for _ in range(steps):
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        maker.join()
