"""The linear classifier beside the default model."""

from __future__ import annotations

import numpy as np

from training.recipes.transfer.beside.linear import Embedded, accuracies


def test_a_fold_is_scored_by_what_the_others_hold() -> None:
    rng = np.random.default_rng(0)
    labels = np.array(["siren", "dog_bark"] * 20)
    ways = np.where(labels == "siren", 1.0, -1.0)[:, None] * np.ones(4)
    folds = {
        fold: Embedded(
            (ways + rng.normal(0, 0.1, (40, 4))).astype(np.float32),
            labels,
            np.array([f"{fold}-{row}" for row in range(40)]),
        )
        for fold in (1, 2, 3)
    }
    assert accuracies(folds) == {1: 1.0, 2: 1.0, 3: 1.0}


def test_a_recording_of_two_folds_teaches_neither_of_them() -> None:
    # Fold 2 has fold 1's recordings, whose labels only they can tell; the rest say the opposite.
    inputs = np.array([[1.0], [-1.0]] * 20, np.float32)
    right, wrong = np.array(["siren", "dog_bark"] * 20), np.array(["dog_bark", "siren"] * 20)
    shared, own = np.array(["a"] * 40), np.array(["b"] * 40)
    found = accuracies({
        1: Embedded(inputs, right, shared),
        2: Embedded(inputs, right, shared),
        3: Embedded(inputs, wrong, own),
    })  # fmt: skip
    assert (found[1], found[2], found[3]) == (0.0, 0.0, 0.0)
