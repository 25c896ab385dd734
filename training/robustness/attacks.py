"""Attacks on sounds, by gradients through the front end; budgets are signal-to-noise ratios.

Sounds have shape (sounds, SECONDS × rate), lie within ±1 and, once perturbed, on the 16-bit grid that a
file or a converter leaves of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.audio import Waveform, read
from training.data import Clip
from training.mixing import Floats
from training.prepare import RATE
from training.robustness.front_end import SECONDS

Logits = Callable[[Any], Any]
Labels = NDArray[np.int64]
Nearest = Literal["DeepFool", "FMN", "CW"]

_FULL_SCALE = 32767.0
_FEATURES_DB = (-300.0, 300.0)
_DEEPFOOL_STEPS, _DEEPFOOL_CLASSES = 50, 5
_OVERSHOOT = 1.02
_FMN_STEP_DB = 0.2
_CW_SEARCHES, _CW_STEP, _CW_CONST = 4, 5e-4, 10.0


def snr_db(sounds: Floats, perturbed: Floats) -> NDArray[np.float64]:
    """Return how far each perturbation lies under its sound in dB; infinite where there is none."""
    signal = np.sum(sounds.astype(np.float64) ** 2, axis=-1)
    noise = np.sum((perturbed.astype(np.float64) - sounds) ** 2, axis=-1)
    with np.errstate(divide="ignore"):
        ratio: NDArray[np.float64] = 10 * np.log10(signal / noise)
    return ratio


def quantised(sounds: Floats) -> Floats:
    """Return sounds as 16 bits hold them."""
    held: Floats = (np.rint(np.clip(sounds, -1.0, 1.0) * _FULL_SCALE) / _FULL_SCALE).astype(np.float32)
    return held


def sounds_of(clips: Sequence[Clip], rate: int = RATE) -> Floats:
    """Return clips as sounds at ``rate``: repeated or cut to the length that is attacked, in 16 bits."""
    return quantised(np.stack([np.resize(read(clip.path, rate), SECONDS * rate) for clip in clips]))


def right(logits: Logits, sounds: Floats, truth: Labels) -> NDArray[np.bool_]:
    """Whether each sound is taken for what it is."""
    guess: NDArray[np.bool_] = np.asarray(logits(sounds)).argmax(axis=1) == truth
    return guess


def deepfool(logits: Logits, sounds: Floats, truth: Labels) -> Floats:
    """Return each sound moved just over the nearest boundary that DeepFool finds, whatever it takes.

    Reference: Moosavi-Dezfooli et al., DeepFool, 2016, as in foolbox.
    """
    import foolbox
    import tensorflow as tf

    model = foolbox.TensorFlowModel(logits, bounds=(-1, 1), device="/CPU:0")
    attack = foolbox.attacks.L2DeepFoolAttack(
        steps=_DEEPFOOL_STEPS, candidates=_DEEPFOOL_CLASSES, loss="logits"
    )
    moved, _, _ = attack(model, tf.constant(sounds), tf.constant(truth), epsilons=None)
    return np.asarray(moved)


def descend(
    logits: Logits, sounds: Floats, truth: Labels, budget_db: float, steps: int = 20, seed: int = 0
) -> Floats:
    """Return sounds perturbed at an SNR of ``budget_db`` towards any wrong class (L2 projected gradient).

    Of all steps each sound keeps the one with the greatest margin of a wrong class: more steps from
    one start cannot make the attack weaker.
    """
    import tensorflow as tf

    radius = np.linalg.norm(sounds, axis=1, keepdims=True) * 10 ** (-budget_db / 20)
    start = np.random.default_rng(seed).standard_normal(sounds.shape).astype(np.float32)
    delta = _on_sphere(start, radius)
    best, reached = delta, np.full(len(sounds), -np.inf)
    stride = 2.5 * radius / steps
    for _ in range(steps + 1):
        with tf.GradientTape() as tape:
            moved = tf.constant(sounds + delta)
            tape.watch(moved)
            margins = _margins(logits(moved), truth)
        margin = np.asarray(margins)
        better = margin > reached
        reached, best = np.where(better, margin, reached), np.where(better[:, None], delta, best)
        gradient = np.asarray(tape.gradient(margins, moved))
        delta = _on_sphere(delta + _on_sphere(gradient, stride), radius)
    return quantised(sounds + best)


def push_features(
    logits: Logits, decibels: Floats, truth: Labels, epsilon_db: float, steps: int, restart: int = 0
) -> Floats:
    """Return features changed by no more than ``epsilon_db`` in any bin towards a greater loss (PGD).

    ``restart`` 0 begins at the features themselves; any other number draws a place to begin at.
    """
    import foolbox
    import tensorflow as tf

    tf.random.set_seed(restart)
    attack = foolbox.attacks.LinfPGD(
        abs_stepsize=2.5 * epsilon_db / steps, steps=steps, random_start=restart > 0
    )
    return _attacked(attack, logits, decibels, truth, epsilon_db)


def push_once(logits: Logits, decibels: Floats, truth: Labels, epsilon_db: float) -> Floats:
    """Return features after one step of ``epsilon_db`` along the sign of the gradient (FGSM)."""
    import foolbox

    return _attacked(foolbox.attacks.LinfFastGradientAttack(), logits, decibels, truth, epsilon_db)


def nearest_features(logits: Logits, decibels: Floats, truth: Labels, how: Nearest, steps: int) -> Floats:
    """Return features changed as little as the attack finds, in the sum of squares, for a wrong class.

    ``how`` is foolbox's DeepFool, FMN (Pintor et al., 2021) or CW (Carlini and Wagner, 2017). A clip
    that it could not move over a boundary comes back right.
    """
    from foolbox import attacks

    if how == "DeepFool":
        attack = attacks.L2DeepFoolAttack(steps=steps, candidates=_DEEPFOOL_CLASSES, loss="logits")
    elif how == "FMN":
        # A step is a norm over all bins: as much as so many dB in each.
        attack = _fmn()(steps=steps, max_stepsize=_FMN_STEP_DB * decibels[0].size ** 0.5)
    else:
        attack = attacks.L2CarliniWagnerAttack(
            binary_search_steps=_CW_SEARCHES, steps=steps, stepsize=_CW_STEP, initial_const=_CW_CONST
        )
    moved = _attacked(attack, logits, decibels, truth, None)
    if how == "DeepFool":
        return moved
    # foolbox's CW returns zeros for what it could not move. The rest goes over the boundary as far as
    # DeepFool's does: on it, rounding decides which class is given.
    change = np.where(moved.any(axis=(1, 2), keepdims=True), moved - decibels, np.float32(0))
    return decibels + np.float32(_OVERSHOOT) * change


def _fmn() -> Any:
    """foolbox's FMN; its own projection (3.3.4) divides a norm by itself and so never shortens a change."""
    from foolbox import attacks
    from foolbox.attacks.gradient_descent_base import clip_lp_norms

    class Fmn(attacks.L2FMNAttack):  # type: ignore[misc]
        def project(self, x: Any, x0: Any, epsilon: Any) -> Any:
            return x0 + clip_lp_norms(x - x0, norm=epsilon, p=2)

    return Fmn


def _attacked(attack: Any, logits: Logits, decibels: Floats, truth: Labels, epsilon: float | None) -> Floats:
    import foolbox
    import tensorflow as tf

    # Bounds only set foolbox's scale here: no feature comes near them.
    model = foolbox.TensorFlowModel(logits, bounds=_FEATURES_DB, device="/CPU:0")
    _, moved, _ = attack(model, tf.constant(decibels), tf.constant(truth), epsilons=epsilon)
    return np.asarray(moved)


def noise_like(perturbed: Floats, sounds: Floats, colour: Callable[[Waveform], Waveform]) -> Floats:
    """Return the control: noise of each perturbation's norm; ``colour`` makes it from a sound's length."""
    noise = np.stack([colour(sound) for sound in sounds])
    radius = np.linalg.norm(perturbed - sounds, axis=1, keepdims=True)
    return quantised(sounds + _on_sphere(noise, radius))


def _margins(logits: Any, truth: Labels) -> Any:
    """How far the best wrong class lies above the true one."""
    import tensorflow as tf

    mask = tf.one_hot(truth, logits.shape[1])
    own = tf.reduce_sum(logits * mask, axis=1)
    return tf.reduce_max(logits - 1e9 * mask, axis=1) - own


def _on_sphere(vectors: Floats, radius: Floats) -> Floats:
    norm = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    scaled: Floats = (vectors * (radius / norm)).astype(np.float32)
    return scaled
