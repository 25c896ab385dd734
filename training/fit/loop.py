"""The training loop of every network here, resumable after any epoch.

The history, one row per epoch, holds all measurements. Early stopping, the selected epoch and the
learning rate are functions of the history alone, and batches are functions of the epoch, so an
interrupted run resumes exactly as if it had not been interrupted.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.base.atomic import atomic_write
from training.base.progress import Progress
from training.errors import DataError

Row = dict[str, float]
Rate = Callable[[int, int, Sequence[Row]], float]
"""Learning rate of batch ``number`` of ``epoch`` (both from 0), given the history so far."""
Loss = Callable[[Any, Any], tuple[Any, Mapping[str, Any]]]
"""(targets, logits) → the loss, and the figures averaged in the epoch's row (at least ``loss``)."""
Objective = Callable[[Any, Any, Any], tuple[Any, Mapping[str, Any]]]
"""(model, inputs, targets) → the same, for objectives that need the network itself."""


def on_logits(loss: Loss) -> Objective:
    """Wrap a loss of logits as the objective of a training step."""
    return lambda model, inputs, targets: loss(targets, model(inputs, training=True))


def _nothing(_: Any) -> Row:
    return {}


@dataclass(frozen=True)
class Course:
    """Length of a run and selection of its epoch.

    Parameters
    ----------
    measure
        Evaluates the model after each epoch and adds columns to its row of the history.
    best_by
        Column whose minimum selects the weights; None selects the last epoch.
    patience
        Stop after this many epochs without a new minimum.
    """

    epochs: int
    rate: Rate
    measure: Callable[[Any], Row] = _nothing
    best_by: str | None = None
    patience: int | None = None

    def best(self, history: Sequence[Row]) -> int:
        """Return the epoch to keep, counted from 1."""
        if self.best_by is None:
            return len(history)
        values = [row[self.best_by] for row in history]
        return 1 + int(np.argmin(values))

    def finished(self, history: Sequence[Row]) -> bool:
        if not history or self.patience is None:
            return len(history) >= self.epochs
        return len(history) >= self.epochs or len(history) - self.best(history) >= self.patience


def optimise(
    model: Any,
    optimizer: Any,
    objective: Objective,
    batches: Callable[[int], Iterable[tuple[Any, Any]]],
    course: Course,
    folder: Path,
    report: Progress,
) -> list[Row]:
    """Train ``model`` in place, resuming from the state in ``folder``; return the history.

    Parameters
    ----------
    batches
        Yields the (inputs, targets) of an epoch.
    """
    optimizer.build(model.trainable_variables)
    history = _restore(folder, model, optimizer)
    step = _step(model, optimizer, objective)
    while not course.finished(history):
        begun, sums, count = time.monotonic(), dict[str, float](), 0
        for inputs, targets in batches(len(history)):
            optimizer.learning_rate.assign(course.rate(len(history), count, history))
            for name, value in step(inputs, targets).items():
                sums[name] = sums.get(name, 0.0) + float(value)
            count += 1
        row = {name: total / count for name, total in sums.items()} | course.measure(model)
        history.append({**row, "seconds": time.monotonic() - begun})
        if course.best_by is not None and course.best(history) == len(history):
            _write(folder / "best.npz", _weights(model))
        _save(folder, model, optimizer, history)
        report(f"epoch {len(history)}/{course.epochs} " + " ".join(f"{k} {v:.4f}" for k, v in row.items()))
    if course.best_by is not None:
        _load(folder / "best.npz", _variables(model))
    return history


def one_cycle(peak: float, epochs: int, steps: int) -> Rate:
    """Return a schedule: linear warm-up over a fifth of the steps, then cosine decay to zero."""
    total = epochs * steps
    warm = max(1, total // 5)

    def rate(epoch: int, number: int, history: Sequence[Row]) -> float:
        step = epoch * steps + number
        if step < warm:
            return peak * (step + 1) / warm
        progress = (step - warm) / max(1, total - warm)
        return peak * max(1e-4, 0.5 * (1 + math.cos(math.pi * progress)))

    return rate


def prepare_keras(seed: int, precision: str) -> None:
    """Clear the Keras session; later networks compute in ``precision`` and are seeded with ``seed``."""
    import keras

    keras.backend.clear_session()
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(seed)


def in_float32(model: Any) -> Any:
    """Return the network with 32-bit logits, whatever precision it computes in."""
    import keras
    from keras import layers

    return keras.Model(model.input, layers.Activation("linear", dtype="float32")(model.output))


def _step(model: Any, optimizer: Any, objective: Objective) -> Any:
    import tensorflow as tf

    def step(inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            value, measures = objective(model, inputs, targets)
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return measures

    return tf.function(step)


def _variables(model: Any) -> list[Any]:
    """Return the weights and the states of dropout's random generators."""
    return list(model.variables)


def _weights(model: Any) -> dict[str, Any]:
    return {f"weight{i}": np.asarray(variable) for i, variable in enumerate(_variables(model))}


def _write(path: Path, arrays: Mapping[str, Any]) -> None:
    with atomic_write(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def _save(folder: Path, model: Any, optimizer: Any, history: Sequence[Row]) -> None:
    state = {f"optimizer{i}": np.asarray(v) for i, v in enumerate(optimizer.variables)}
    _write(folder / "state.npz", _weights(model) | state | {"history": np.array(json.dumps(history))})


def _load(path: Path, variables: Sequence[Any], kind: str = "weight") -> None:
    with np.load(path) as state:
        stored = sum(name.startswith(kind) for name in state.files)
        shapes = [state[f"{kind}{i}"].shape for i in range(stored)]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise DataError(f"{path}: is of another network; delete its folder and run again")
        for i, variable in enumerate(variables):
            variable.assign(state[f"{kind}{i}"])


def load_weights(folder: Path, model: Any) -> None:
    """Load the weights after the last epoch of a run into a model like the one that was trained.

    Raises
    ------
    DataError : they are of another network
    """
    _load(folder / "state.npz", _variables(model))


def history_of(folder: Path) -> list[Row]:
    """Return the history of the run in ``folder`` so far."""
    with np.load(folder / "state.npz") as state:
        history: list[Row] = json.loads(str(state["history"]))
    return history


def _restore(folder: Path, model: Any, optimizer: Any) -> list[Row]:
    """Load the state after the last completed epoch; return the history up to it."""
    path = folder / "state.npz"
    if not path.is_file():
        return []
    _load(path, _variables(model))
    _load(path, optimizer.variables, "optimizer")
    with np.load(path) as state:
        if "history" not in state:
            raise DataError(f"{path}: was left by an earlier version; delete its folder and run again")
    return history_of(folder)
