"""Shared formulas: decibels, log-odds, softmax, cross-entropy, temperature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats

Number = TypeVar("Number", bound=Any)
"""A float, an array or a tensor; the result has the type of the argument."""

_TEMPERATURES = tuple(np.geomspace(0.25, 8.0, 81))
LEAST_SCORE = 1e-6
"""Scores are clipped to this distance from 0 and 1 before their log-odds are taken."""


def amplitude_of_db(decibels: Number) -> Number:
    """Return the amplitude ratio of a level in dB."""
    factor: Number = 10 ** (decibels / 20)
    return factor


def power_of_db(decibels: Number) -> Number:
    """Return the power ratio of a level in dB."""
    factor: Number = 10 ** (decibels / 10)
    return factor


def db_of_amplitude(factor: Number) -> Number:
    """Return the level in dB of an amplitude ratio above 0."""
    decibels: Number = 20 * np.log10(factor)
    return decibels


def db_of_power(factor: Number) -> Number:
    """Return the level in dB of a power ratio above 0."""
    decibels: Number = 10 * np.log10(factor)
    return decibels


def logistic(logits: Number) -> Number:
    """Return the probability of log-odds: 1 / (1 + exp(-logits))."""
    probability: Number = 1 / (1 + np.exp(-logits))
    return probability


def log_odds(scores: NDArray[Any], least: float = LEAST_SCORE) -> NDArray[Any]:
    """Return the log-odds of scores in 0…1, after clipping them to ``least`` … 1 − ``least``."""
    kept = np.clip(scores, least, 1 - least)
    odds: NDArray[Any] = np.log(kept / (1 - kept))
    return odds


def softmax(logits: Floats) -> Floats:
    """Return probabilities that sum to 1, from logits of shape (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def cross_entropy(logits: Floats, truth: NDArray[np.int64]) -> float:
    """Return the mean negative log-likelihood of the true class, in nats.

    Parameters
    ----------
    logits
        Shape (n, classes).
    truth
        Shape (n,), the index of the true class.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]))


def binary_cross_entropy(logits: Floats, targets: Floats) -> float:
    """Return the mean binary cross-entropy in nats; both arguments have shape (n, labels)."""
    return float(np.mean(np.logaddexp(0.0, logits) - targets * logits))


def fit_temperature(logits: Floats, truth: NDArray[np.int64]) -> float:
    """Return the temperature from a grid that minimises :func:`cross_entropy`."""
    return best_temperature(logits, lambda scaled: cross_entropy(scaled, truth), _TEMPERATURES)


def best_temperature(logits: Floats, loss: Callable[[Floats], float], grid: Sequence[float]) -> float:
    """Return the temperature in ``grid`` that minimises the loss of the scaled logits (Guo et al., 2017)."""
    losses = [loss(logits / temperature) for temperature in grid]
    return float(round(grid[int(np.argmin(losses))], 3))
