"""Laws of the loop over epochs: what is resumed is the same run, and decisions are its history's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from training.base.variants import settings_of
from training.errors import DataError
from training.fit.loop import Course, Row, on_logits, one_cycle, optimise
from training.records.jobs import Job, Protocol
from training.study.task import Options, Task
from training.study.trainers.plain import SETTINGS, _course, _plateau

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Batches = Callable[[int], Iterator[tuple[Any, Any]]]


def network(units: int = 8) -> Any:
    keras.utils.set_random_seed(3)
    inputs = keras.layers.Input((6,))
    x = keras.layers.Dense(units, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dropout(0.5)(x)))


def batches(epoch: int) -> Iterator[tuple[Any, Any]]:
    rng = np.random.default_rng(epoch)
    for _ in range(5):
        x = rng.standard_normal((16, 6)).astype(np.float32)
        yield x, (x[:, 0] > 0).astype(np.int64)


def loss(targets: Any, logits: Any) -> tuple[Any, dict[str, Any]]:
    value = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
    return value, {"loss": value}


def run(folder: Path, course: Course, made: Batches = batches, model: Any = None) -> tuple[Any, list[Row]]:
    model = model or network()
    history = optimise(model, keras.optimizers.Adam(), on_logits(loss), made, course, folder, print)
    return model, history


def constant(epoch: int, number: int, history: Sequence[Row]) -> float:
    return 0.01


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path: Path) -> None:
    course = Course(4, one_cycle(0.01, 4, 5))

    def broken(epoch: int) -> Iterator[tuple[Any, Any]]:
        for number, batch in enumerate(batches(epoch)):
            if epoch == 2 and number == 3:
                raise KeyboardInterrupt
            yield batch

    whole, history = run(tmp_path / "whole", course)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", course, broken)
    asked: list[int] = []

    def watched(epoch: int) -> Iterator[tuple[Any, Any]]:
        asked.append(epoch)
        return batches(epoch)

    resumed, again = run(tmp_path / "broken", course, watched)
    assert asked == [2, 3]  # what was whole is not done again: one epoch at most is lost
    assert [row["loss"] for row in again] == pytest.approx([row["loss"] for row in history], rel=1e-6)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_the_kept_weights_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    losses, seen = iter([3.0, 1.0, 2.0, 2.5]), []

    def measure(model: Any) -> Row:
        seen.append(model.get_weights())
        return {"val_loss": next(losses)}

    model, history = run(tmp_path, Course(9, constant, measure, "val_loss", patience=2))
    assert [row["val_loss"] for row in history] == [3.0, 1.0, 2.0, 2.5]
    for kept, best in zip(model.get_weights(), seen[1], strict=True):
        np.testing.assert_array_equal(kept, best)


def test_patience_counts_from_the_best_epoch() -> None:
    course = Course(10, constant, best_by="val_loss", patience=2)
    rows = [{"val_loss": value} for value in (3.0, 2.0, 2.5, 1.9, 2.0, 2.1)]
    assert [course.finished(rows[:n]) for n in range(7)] == [False] * 6 + [True]
    assert course.best(rows) == 4
    assert Course(10, constant).best(rows) == 6


def test_the_rate_is_halved_after_three_epochs_without_gain() -> None:
    rate = _plateau(1.0)
    falls = [2.0, 1.0, 1.0, 0.99995, 1.2, 1.1, 1.1, 1.1, 0.5]
    rates = [rate(n, 0, [{"val_loss": value} for value in falls[:n]]) for n in range(len(falls) + 1)]
    assert rates == [1.0] * 5 + [0.5] * 3 + [0.25] * 2


@pytest.mark.parametrize(
    ("protocol", "model", "kept", "ended"),
    [("honest", "cnn", 1, True), ("honest", "cnn~last=true", 6, False), ("seed", "lstm~last=true", 6, False)],
)
def test_a_network_may_keep_its_last_epoch_however_its_validation_went(
    protocol: Protocol, model: str, kept: int, ended: bool, tmp_path: Path
) -> None:
    task = Task(Job(protocol, model, 1, 0), None, None, (), Options(None), tmp_path, print)  # type: ignore[arg-type]
    course = _course(task, settings_of(model, SETTINGS), lambda rows: np.zeros((len(rows), 10), np.float32))
    worse = [{"val_loss": 1.0 + epoch} for epoch in range(6)]
    assert course.best(worse) == kept
    assert course.finished(worse) is ended


def test_a_cycle_rises_over_a_fifth_and_ends_near_nothing() -> None:
    rate = one_cycle(1.0, 10, 10)
    values = [rate(epoch, number, []) for epoch in range(10) for number in range(10)]
    assert max(values) == values[19] == 1.0
    assert values[:20] == sorted(values[:20])
    assert values[20:] == sorted(values[20:], reverse=True)
    assert values[-1] < 1e-3


def test_the_state_of_another_network_is_refused(tmp_path: Path) -> None:
    run(tmp_path, Course(1, constant))
    with pytest.raises(DataError, match="is of another network; delete its folder"):
        run(tmp_path, Course(2, constant), model=network(9))
