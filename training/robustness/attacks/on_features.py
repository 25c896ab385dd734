"""Attacks on features in dB: projected gradient, random, single-step, and minimum-norm."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from training.base.arrays import Floats
from training.robustness.attacks.device import device
from training.robustness.attacks.methods import (
    DEEPFOOL_CLASSES,
    OVERSHOOT,
    UNBOUNDED_DB,
    Bounds,
    Labels,
    Logits,
    finite,
    foolbox_fmn,
    right,
)

Nearest = Literal["DeepFool", "FMN", "CW"]

_FMN_STEP_DB = 0.2
_CW_SEARCHES, _CW_STEP, _CW_CONST = 4, 5e-4, 10.0


def push_features(
    logits: Logits, decibels: Floats, truth: Labels, epsilon_db: float, steps: int, restart: int = 0,
    bounds_db: Bounds = UNBOUNDED_DB,
) -> Floats:  # fmt: skip
    """Return features changed by at most ``epsilon_db`` in any bin to increase the loss (PGD).

    ``restart`` 0 begins at the clean features; any other number seeds a random start.
    """
    import foolbox
    import tensorflow as tf

    tf.random.set_seed(restart)
    attack = foolbox.attacks.LinfPGD(
        abs_stepsize=2.5 * epsilon_db / steps, steps=steps, random_start=restart > 0
    )
    return _attacked(attack, logits, decibels, truth, epsilon_db, bounds_db)


def push_at_random(
    logits: Logits, decibels: Floats, truth: Labels, epsilon_db: float, tries: int,
    bounds_db: Bounds = UNBOUNDED_DB,
) -> Floats:  # fmt: skip
    """Return features changed by random ±``epsilon_db`` in every bin; the first successful try is kept."""
    rng = np.random.default_rng(0)
    pushed: Floats = decibels.copy()
    for _ in range(tries):
        left = right(logits, pushed, truth)
        signs = rng.choice(np.array([-1.0, 1.0], np.float32), decibels.shape)
        pushed[left] = np.clip(decibels + np.float32(epsilon_db) * signs, *bounds_db)[left]
    return pushed


def push_once(
    logits: Logits, decibels: Floats, truth: Labels, epsilon_db: float, bounds_db: Bounds = UNBOUNDED_DB
) -> Floats:
    """Return features after one step of ``epsilon_db`` along the sign of the gradient (FGSM)."""
    import foolbox

    return _attacked(foolbox.attacks.LinfFastGradientAttack(), logits, decibels, truth, epsilon_db, bounds_db)


def nearest_features(
    logits: Logits,
    decibels: Floats,
    truth: Labels,
    how: Nearest,
    steps: int,
    bounds_db: Bounds = UNBOUNDED_DB,
) -> Floats:
    """Return features with the smallest L2 change to a wrong class that the attack finds.

    ``how`` is foolbox's DeepFool, FMN (Pintor et al., 2021) or CW (Carlini and Wagner, 2017). Clips for
    which the attack fails remain correctly classified.
    """
    from foolbox import attacks

    if how == "DeepFool":
        attack = attacks.L2DeepFoolAttack(steps=steps, candidates=DEEPFOOL_CLASSES, loss="logits")
    elif how == "FMN":
        # A step is a norm over all bins, converted from dB per bin.
        attack = foolbox_fmn()(steps=steps, max_stepsize=_FMN_STEP_DB * decibels[0].size ** 0.5)
    else:
        # CW maps bounds through a tanh, whose gradient vanishes on a bound (the loudest band, silence).
        bounds_db = UNBOUNDED_DB
        attack = attacks.L2CarliniWagnerAttack(
            binary_search_steps=_CW_SEARCHES, steps=steps, stepsize=_CW_STEP, initial_const=_CW_CONST
        )
    moved = _attacked(attack, logits, decibels, truth, None, bounds_db)
    if how == "DeepFool":
        return moved
    # foolbox's CW returns zeros where it fails. Other results overshoot the boundary as far as
    # DeepFool's do: on the boundary itself, rounding determines the class.
    change = np.where(moved.any(axis=(1, 2), keepdims=True), moved - decibels, np.float32(0))
    over: Floats = decibels + np.float32(OVERSHOOT) * change
    return over


def _attacked(
    attack: Any, logits: Logits, decibels: Floats, truth: Labels, epsilon: float | None, bounds_db: Bounds
) -> Floats:
    import foolbox
    import tensorflow as tf

    model = foolbox.TensorFlowModel(logits, bounds=bounds_db, device=device())
    _, moved, _ = attack(model, tf.constant(decibels), tf.constant(truth), epsilons=epsilon)
    return finite(np.asarray(moved), decibels)
