"""One training run: a function of (spec, data, seed), resumable after any epoch."""

from __future__ import annotations

import json
import math
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.mixing import Floats, Mixer, Recipe
from training.networks import NetworkSpec, build

Report = Callable[[str], None]


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run's weights, the clips apart."""

    network: NetworkSpec = field(default_factory=NetworkSpec)
    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0
    epochs: int = 30
    steps: int = 60
    batch: int = 64
    rate: float = 3e-3
    decay: float = 0.05


@dataclass(frozen=True)
class Scaling:
    """Fixed normalisation of the windows, as the card carries it: dB, per band and over all."""

    mean: NDArray[np.float32]
    std: float

    def apply(self, decibels: Floats) -> Floats:
        scaled: Floats = ((decibels - self.mean) / np.float32(self.std)).astype(np.float32)
        return scaled


def measure_scaling(mixer: Mixer, seed: int, batches: int = 12) -> Scaling:
    """Return mean per band and one deviation of training windows.

    One deviation for all bands: a change of gain then stays the same step in every band.
    """
    rng = np.random.default_rng((seed, 10**6))
    windows = np.concatenate([mixer.batch(64, rng)[0] for _ in range(batches)])
    mean = windows.mean(axis=(0, 1))
    return Scaling(mean.astype(np.float32).round(3), round(float((windows - mean).std()), 3))


def train(spec: RunSpec, mixer: Mixer, scaling: Scaling, folder: Path, report: Report) -> Any:
    """Train, or go on where an earlier call with the same ``folder`` stopped; return the Keras model.

    ``folder`` keeps the settings and the state after the last whole epoch. Batches are drawn
    from (seed, epoch), so a resumed run sees the same windows as one that was never stopped.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(spec.seed)
    model = build(spec.network)
    schedule = _OneCycle(spec)
    optimizer = keras.optimizers.AdamW(spec.rate, weight_decay=spec.decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(model.trainable_variables)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text(json.dumps(asdict(spec), indent=1))
    done, losses = _restore(folder, model, optimizer)

    @tf.function
    def step(windows: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model(windows, training=True)
            each = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_mean(tf.reduce_sum(each, axis=1))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    for epoch in range(done, spec.epochs):
        total = 0.0
        for number, (windows, targets) in enumerate(_prefetch(spec, mixer, scaling, epoch)):
            optimizer.learning_rate.assign(schedule(epoch * spec.steps + number))
            total += float(step(windows, targets))
        losses.append(total / spec.steps)
        _save(folder, model, optimizer, losses)
        report(f"epoch {epoch + 1}/{spec.epochs} loss {losses[-1]:.4f}")
    return model


class _OneCycle:
    """Linear warm-up over a fifth of the steps, then a cosine down to nothing."""

    def __init__(self, spec: RunSpec) -> None:
        self._peak, self._total = spec.rate, spec.epochs * spec.steps
        self._warm = max(1, self._total // 5)

    def __call__(self, step: int) -> float:
        if step < self._warm:
            return self._peak * (step + 1) / self._warm
        progress = (step - self._warm) / max(1, self._total - self._warm)
        return self._peak * max(1e-4, 0.5 * (1 + math.cos(math.pi * progress)))


def _prefetch(spec: RunSpec, mixer: Mixer, scaling: Scaling, epoch: int) -> Iterator[tuple[Floats, Floats]]:
    """Yield an epoch's batches, made by a thread while the network works on the one before."""
    ready: queue.Queue[tuple[Floats, Floats] | BaseException] = queue.Queue(maxsize=3)
    stop = threading.Event()

    def offer(item: tuple[Floats, Floats] | BaseException) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.2)
            except queue.Full:
                continue

    def produce() -> None:
        try:
            rng = np.random.default_rng((spec.seed, epoch))
            for _ in range(spec.steps):
                windows, targets = mixer.batch(spec.batch, rng)
                offer((scaling.apply(windows), targets))
                if stop.is_set():
                    return
        except Exception as error:  # handed over to the consumer, which raises it
            offer(error)

    maker = threading.Thread(target=produce, name="batches", daemon=True)
    maker.start()
    try:
        for _ in range(spec.steps):
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        maker.join()


def _save(folder: Path, model: Any, optimizer: Any, losses: list[float]) -> None:
    state = {f"weight{i}": value for i, value in enumerate(model.get_weights())}
    state |= {f"optimizer{i}": np.asarray(v) for i, v in enumerate(optimizer.variables)}
    partial = folder / "state.part.npz"
    np.savez(partial, losses=np.array(losses), **state)
    partial.replace(folder / "state.npz")


def _restore(folder: Path, model: Any, optimizer: Any) -> tuple[int, list[float]]:
    """Load the state after the last whole epoch; return epochs done and their losses."""
    path = folder / "state.npz"
    if not path.is_file():
        return 0, []
    with np.load(path) as state:
        model.set_weights([state[f"weight{i}"] for i in range(len(model.get_weights()))])
        for i, variable in enumerate(optimizer.variables):
            variable.assign(state[f"optimizer{i}"])
        losses = [float(loss) for loss in state["losses"]]
    return len(losses), losses
