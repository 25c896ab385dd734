"""A loop is found, and noise that merely goes on is none."""

from __future__ import annotations

import numpy as np

from training.data.repeats import BLOCK_S, repeated

RATE = 16_000


def _noise(seconds: float, seed: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def test_noise_does_not_repeat_itself() -> None:
    assert repeated(_noise(30, 0), RATE) == []


def test_a_loop_counts_from_its_second_lap_on() -> None:
    take = _noise(10, 1)
    found = repeated(np.concatenate([take, take]), RATE)
    assert found
    assert found[0][0] >= 10 - BLOCK_S
    assert found[-1][1] <= 20
    assert sum(end - start for start, end in found) >= 10 - 2 * BLOCK_S
