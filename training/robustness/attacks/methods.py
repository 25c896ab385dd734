"""Gradient attacks on waveforms through the front end; budgets are signal-to-noise ratios.

Sounds have shape (sounds, SECONDS × rate) and lie within ±1; perturbed sounds are on the 16-bit grid
of files and converters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats
from training.base.maths import amplitude_of_db, db_of_power
from training.data.audio import RATE, Waveform, read
from training.data.corpora import Clip
from training.robustness.attacks.device import device
from training.robustness.targets.front_end import SECONDS

Logits = Callable[[Any], Any]
Labels = NDArray[np.int64]
Bounds = tuple[float, float]

_FULL_SCALE = 32767.0
UNBOUNDED_DB = (-300.0, 300.0)
"""Far beyond the monitor's feature range; these bounds only set foolbox's scale."""
_DEEPFOOL_STEPS, DEEPFOOL_CLASSES = 50, 5
OVERSHOOT = 1.02
_FMN_STEP = 0.02
_TURNED_UP = tuple(amplitude_of_db(db) for db in range(2, 26, 2))
"""A change of less than half a 16-bit step is rounded away."""


def snr_db(sounds: Floats, perturbed: Floats) -> NDArray[np.float64]:
    """Return the SNR of each perturbation in dB; infinite where there is none."""
    signal = np.sum(sounds.astype(np.float64) ** 2, axis=-1)
    noise = np.sum((perturbed.astype(np.float64) - sounds) ** 2, axis=-1)
    with np.errstate(divide="ignore"):
        ratio: NDArray[np.float64] = db_of_power(signal / noise)
    return ratio


def quantised(sounds: Floats) -> Floats:
    """Return sounds rounded to 16 bits."""
    held: Floats = (np.rint(np.clip(sounds, -1.0, 1.0) * _FULL_SCALE) / _FULL_SCALE).astype(np.float32)
    return held


def sounds_of(clips: Sequence[Clip], rate: int = RATE) -> Floats:
    """Return clips at ``rate`` in 16 bits, repeated or cut to the length under attack."""
    return quantised(np.stack([np.resize(read(clip.path, rate), SECONDS * rate) for clip in clips]))


def right(logits: Logits, sounds: Floats, truth: Labels) -> NDArray[np.bool_]:
    """Return whether each sound is classified correctly."""
    guess: NDArray[np.bool_] = np.asarray(logits(sounds)).argmax(axis=1) == truth
    return guess


def deepfool(logits: Logits, sounds: Floats, truth: Labels) -> Floats:
    """Return each sound moved just over the nearest decision boundary found by DeepFool.

    Reference: Moosavi-Dezfooli et al., DeepFool, 2016, as in foolbox.
    """
    import foolbox
    import tensorflow as tf

    model = foolbox.TensorFlowModel(logits, bounds=(-1, 1), device=device())
    attack = foolbox.attacks.L2DeepFoolAttack(
        steps=_DEEPFOOL_STEPS, candidates=DEEPFOOL_CLASSES, loss="logits"
    )
    moved, _, _ = attack(model, tf.constant(sounds), tf.constant(truth), epsilons=None)
    return finite(np.asarray(moved), sounds)


def descend(
    logits: Logits, sounds: Floats, truth: Labels, budget_db: float, steps: int = 20, start: int = 1
) -> Floats:
    """Return sounds perturbed at an SNR of ``budget_db`` towards any wrong class (L2 projected gradient).

    ``start`` 0 begins at the clean sound; any other number seeds a random start at that SNR. Each sound
    keeps the step with the greatest margin of a wrong class, so more steps from one start cannot weaken
    the attack.
    """
    radius = np.linalg.norm(sounds, axis=1, keepdims=True) * amplitude_of_db(-budget_db)
    drawn = np.random.default_rng(start).standard_normal(sounds.shape).astype(np.float32)
    stride = 2.5 * radius / steps

    def advance(delta: Floats, gradient: Floats) -> Floats:
        return _on_sphere(delta + _on_sphere(gradient, stride), radius)

    return _best(logits, sounds, truth, advance, steps, _on_sphere(drawn, radius if start else 0 * radius))


def descend_peak(logits: Logits, sounds: Floats, truth: Labels, peak_db: float, steps: int = 20) -> Floats:
    """Return sounds perturbed with a peak of at most ``peak_db`` dBFS (signed gradients)."""
    # Rounded down to 16-bit steps, as rounding must not exceed the budget.
    radius = np.float32(np.floor(amplitude_of_db(peak_db) * _FULL_SCALE) / _FULL_SCALE)
    stride = np.float32(2.5 * radius / steps)

    def advance(delta: Floats, gradient: Floats) -> Floats:
        pushed: Floats = np.clip(delta + stride * np.sign(gradient), -radius, radius)
        return np.clip(sounds + pushed, -1.0, 1.0) - sounds

    return _best(logits, sounds, truth, advance, steps, np.zeros_like(sounds))


def _best(
    logits: Logits,
    sounds: Floats,
    truth: Labels,
    advance: Callable[[Floats, Floats], Floats],
    steps: int,
    delta: Floats,
) -> Floats:
    import tensorflow as tf

    best, reached = delta, np.full(len(sounds), -np.inf)
    for _ in range(steps + 1):
        with tf.GradientTape() as tape:
            moved = tf.constant(sounds + delta)
            tape.watch(moved)
            under = margins(logits(moved), truth)
        margin = np.asarray(under)
        # The clean sound is no perturbation: from there the first step is always kept.
        better = (margin > reached) & delta.any(axis=1)
        reached, best = np.where(better, margin, reached), np.where(better[:, None], delta, best)
        delta = advance(delta, np.asarray(tape.gradient(under, moved)))
    return quantised(sounds + best)


def nearest_sounds(logits: Logits, sounds: Floats, truth: Labels, steps: int) -> Floats:
    """Return each sound with the smallest change to a wrong class that FMN finds (Pintor et al., 2021).

    Changes are scaled by the sound's own norm, so that one step size suits loud and quiet sounds.
    """
    import foolbox
    import tensorflow as tf

    norm = np.linalg.norm(sounds, axis=1, keepdims=True).astype(np.float32)
    model = foolbox.TensorFlowModel(
        lambda changes: logits(sounds + norm * changes), bounds=(-1, 1), device=device()
    )
    attack = foolbox_fmn()(steps=steps, max_stepsize=_FMN_STEP)
    changes, _, _ = attack(model, tf.zeros_like(sounds), tf.constant(truth), epsilons=None)
    moved = sounds + np.float32(OVERSHOOT) * norm * np.asarray(changes)
    return finite(np.clip(moved, -1.0, 1.0), sounds)


def rounded(logits: Logits, sounds: Floats, moved: Floats, truth: Labels) -> Floats:
    """Return each change rounded to 16 bits, amplified just enough to remain successful."""
    results = quantised(moved)
    for factor in _TURNED_UP:
        lost = right(logits, results, truth)
        if not lost.any():
            break
        results[lost] = quantised(sounds + np.float32(factor) * (moved - sounds))[lost]
    return results


def dead(logits: Logits, inputs: Floats, truth: Labels) -> NDArray[np.bool_]:
    """Return whether the gradient of each input's cross-entropy is zero everywhere or not finite."""
    import tensorflow as tf

    given = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits(given))
    gradient = tape.gradient(loss, given, unconnected_gradients="zero")
    flat = np.asarray(gradient).reshape(len(inputs), -1)
    lost: NDArray[np.bool_] = ~flat.any(axis=1) | ~np.isfinite(flat).all(axis=1)
    return lost


def foolbox_fmn() -> Any:
    """Return foolbox's FMN with a corrected projection; that of 3.3.4 divides a norm by itself."""
    from foolbox import attacks
    from foolbox.attacks.gradient_descent_base import clip_lp_norms

    class Fmn(attacks.L2FMNAttack):  # type: ignore[misc]
        def project(self, x: Any, x0: Any, epsilon: Any) -> Any:
            return x0 + clip_lp_norms(x - x0, norm=epsilon, p=2)

    return Fmn


def finite(moved: Floats, before: Floats) -> Floats:
    """Replace non-finite results of an attack by the unchanged input."""
    whole = np.isfinite(moved).all(axis=tuple(range(1, moved.ndim)), keepdims=True)
    return np.where(whole, moved, before)


def noise_like(perturbed: Floats, sounds: Floats, colour: Callable[[Waveform], Waveform]) -> Floats:
    """Return control noise with each perturbation's norm; ``colour`` generates it from a sound's length."""
    noise = np.stack([colour(sound) for sound in sounds])
    radius = np.linalg.norm(perturbed - sounds, axis=1, keepdims=True)
    return quantised(sounds + _on_sphere(noise, radius))


def margins(logits: Any, truth: Labels) -> Any:
    """Return the logit margin of the best wrong class over the true one."""
    import tensorflow as tf

    mask = tf.one_hot(truth, logits.shape[1])
    own = tf.reduce_sum(logits * mask, axis=1)
    return tf.reduce_max(logits - 1e9 * mask, axis=1) - own


def _on_sphere(vectors: Floats, radius: Floats) -> Floats:
    norm = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    scaled: Floats = (vectors * (radius / norm)).astype(np.float32)
    return scaled
