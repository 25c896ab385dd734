"""Labels of training scenes hold while a sound is heard, and are open where nobody can tell."""

from __future__ import annotations

import numpy as np

from training.data import BACKGROUND, LABELS
from training.streaming.network import STRIDE
from training.streaming.scenes import Labels, Timing

SIREN = np.zeros(len(LABELS), np.float32)
SIREN[LABELS.index("siren")] = 1.0
COLUMN, EMPTY = LABELS.index("siren"), LABELS.index(BACKGROUND)
TIMING = Timing(rise=3, fall=12)


def _of(lo: int, hi: int) -> tuple[np.ndarray, np.ndarray]:
    labels = Labels(1, 125, TIMING)
    labels.add(0, SIREN, lo, hi)
    targets, weights = labels.finished()
    return targets[0], weights[0]


def test_a_label_holds_from_its_rise_to_the_end_of_the_sound() -> None:
    targets, weights = _of(100, 300)
    held = np.flatnonzero(targets[:, COLUMN])
    assert (held[0], held[-1]) == (100 // STRIDE + TIMING.rise, 300 // STRIDE - 1)
    assert weights[held, COLUMN].all()


def test_columns_between_are_not_judged_and_all_others_are() -> None:
    _, weights = _of(100, 300)
    unjudged = np.flatnonzero(weights[:, COLUMN] == 0)
    rise, fall = np.arange(25, 28), np.arange(75, 75 + TIMING.fall)
    np.testing.assert_array_equal(unjudged, np.concatenate([rise, fall]))
    np.testing.assert_array_equal(weights[:, EMPTY], weights[:, COLUMN])


def test_a_bang_has_a_label_too() -> None:
    targets, _ = _of(200, 206)
    assert targets[:, COLUMN].sum() >= 1


def test_background_holds_where_nothing_else_does() -> None:
    targets, _ = _of(100, 300)
    np.testing.assert_array_equal(targets[:, EMPTY], 1.0 - targets[:, COLUMN])


def test_a_second_sound_of_the_class_closes_what_the_first_left_open() -> None:
    labels = Labels(1, 125, TIMING)
    labels.add(0, SIREN, 0, 100)
    labels.add(0, SIREN, 80, 300)
    targets, weights = labels.finished()
    assert weights[0, 28:75, COLUMN].all()
    assert targets[0, 28:75, COLUMN].all()
