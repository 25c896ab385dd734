"""Universal perturbations: one sound that hides any siren, or raises a false one on any street.

The perturbation is two seconds long and loops. It is optimised on training recordings by gradients
through random shifts and random rooms, so that it needs no synchronisation and can be played from
a loudspeaker (expectation over transformation, Athalye et al., 2018), and evaluated on others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats
from training.base.maths import power_of_db
from training.base.progress import Progress
from training.data.audio import RATE, Waveform
from training.data.corpora import CLASSES
from training.features.alterations import room_response
from training.robustness.attacks.methods import Logits, quantised
from training.robustness.targets.front_end import SAMPLES

Goal = Literal["hide", "raise"]
SNRS_DB = (30.0, 25.0, 20.0, 15.0, 10.0, 5.0, 0.0, -5.0, -10.0)
"""Levels of the sound over the perturbation, quietest perturbation first."""
PERIOD = 2 * RATE
SIREN = CLASSES.index("siren")
_BATCH, _RATE = 8, 0.08
_RT60_S, _DIRECT_DB = (0.2, 0.8), (-3.0, 6.0)
_MARGIN = 2.0
Detected = NDArray[np.bool_]


@dataclass(frozen=True)
class UniversalEffort:
    """Gradient steps at every SNR."""

    steps: int = 30


@dataclass(frozen=True)
class Universal:
    """One goal against one network; one row per evaluation sound.

    Parameters
    ----------
    names
        Names of the sirens, or of the stretches of street.
    before
        Whether a siren is detected in the clean sound.
    shifted, in_rooms, noise
        By SNR ("10 dB"), whether a siren is detected with the perturbation at a random moment; through a
        random room too; with noise of the same level, moment and room.
    alerts
        By package and profile, then by SNR ("0 dB", "noise at 0 dB", "as recorded"), whether the running
        monitor reports a siren; perturbations in random rooms.
    heard
        Packages whose weights were trained on recordings of this fold.
    learnt_on, recordings
        Recordings used for optimisation, and the recording of each evaluation sound.
    streets
        By package, backgrounds of the monitor's input, under the sirens or alone.
    """

    source: str
    fold: int
    seed: int
    goal: Goal
    names: tuple[str, ...]
    before: tuple[bool, ...]
    shifted: Mapping[str, tuple[bool, ...]]
    in_rooms: Mapping[str, tuple[bool, ...]]
    noise: Mapping[str, tuple[bool, ...]]
    alerts: Mapping[str, Mapping[str, tuple[bool, ...]]]
    heard: tuple[str, ...] = ()
    learnt_on: tuple[str, ...] = ()
    recordings: tuple[str, ...] = ()
    streets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def counted(self) -> tuple[bool, ...]:
        """Return the sirens detected before, or the streets without a detection before."""
        return tuple(detected == (self.goal == "hide") for detected in self.before)

    def fooled(self, kept: Sequence[bool]) -> float:
        """Return the share of detected sirens that are missed now, or of streets with a false siren now."""
        changed = (np.array(self.before) != np.array(kept))[np.array(self.counted)]
        return float(changed.mean()) if len(changed) else float("nan")

    @property
    def smallest_db(self) -> float | None:
        """Return the lowest level of :data:`SNRS_DB` that fools half through rooms; None if none does."""
        return next((snr for snr in SNRS_DB if self.fooled(self.in_rooms[f"{snr:g} dB"]) >= 0.5), None)


def learn(
    logits: Logits, sounds: Floats, goal: Goal, snr_db: float, start: Waveform, steps: int, seed: int = 0
) -> Waveform:
    """Return the most effective perturbation at ``snr_db``, :data:`PERIOD` samples of unit power.

    Parameters
    ----------
    logits
        Maps sounds, shape (n, SAMPLES), to logits of the ten classes.
    start
        Starting point of the optimisation.
    """
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    wave = tf.Variable(start / max(float(np.sqrt(np.mean(start**2))), 1e-9))
    adam = keras.optimizers.Adam(_RATE)
    for _ in range(steps):
        rows = rng.choice(len(sounds), min(_BATCH, len(sounds)), replace=False)
        given = tf.constant(sounds[rows])
        responses = tf.constant(folded_rooms(len(rows), rng))
        with tf.GradientTape() as tape:
            added = played(wave, responses, rng.integers(PERIOD, size=len(rows)), given, snr_db)
            value = _loss(logits(given + added), goal)
        adam.apply([tape.gradient(value, wave)], [wave])
        wave.assign(wave / tf.sqrt(tf.reduce_mean(wave**2)))
    return np.asarray(wave)


def _loss(logits: Any, goal: Goal) -> Any:
    """Hinge loss: the siren's own output below one half, or above it and above all other classes."""
    import tensorflow as tf

    siren = logits[:, SIREN]
    if goal == "hide":
        return tf.reduce_mean(tf.nn.relu(siren + _MARGIN))
    others = tf.reduce_max(logits - 1e9 * tf.one_hot(SIREN, len(CLASSES)), axis=1)
    return tf.reduce_mean(tf.nn.relu(_MARGIN - siren) + 0.2 * tf.nn.relu(others - siren))


def played(wave: Any, responses: Any, shifts: NDArray[np.int64], sounds: Any, snr_db: float) -> Any:
    """Return the signal added to each sound: the wave through its room, shifted, at ``snr_db``.

    Parameters
    ----------
    responses
        Periodic, shape (sounds, PERIOD); see :func:`folded_rooms`.
    """
    import tensorflow as tf

    spectrum = tf.signal.rfft(wave)[None] * tf.signal.rfft(responses)
    turns = np.exp(-2j * np.pi * np.outer(shifts, np.arange(PERIOD // 2 + 1)) / PERIOD)
    once = tf.signal.irfft(spectrum * tf.constant(turns, tf.complex64), [PERIOD])
    ever = tf.tile(once, [1, SAMPLES // PERIOD])
    power = tf.reduce_mean(sounds**2, axis=1, keepdims=True)
    own = tf.reduce_mean(ever**2, axis=1, keepdims=True) + 1e-12
    return ever * tf.sqrt(power / own * power_of_db(-snr_db))


def folded_rooms(count: int, rng: np.random.Generator) -> Floats:
    """Return periodic responses of random rooms, wrapped to the period of the looped perturbation."""
    rooms = []
    for _ in range(count):
        response = room_response(RATE, rng.uniform(*_RT60_S), rng.uniform(*_DIRECT_DB), rng)
        periods = -(-len(response) // PERIOD)
        whole = np.pad(response, (0, periods * PERIOD - len(response)))
        rooms.append(whole.reshape(periods, PERIOD).sum(axis=0))
    return np.stack(rooms).astype(np.float32)


def no_rooms(count: int) -> Floats:
    """Return identity responses."""
    responses = np.zeros((count, PERIOD), np.float32)
    responses[:, 0] = 1.0
    return responses


def added(wave: Waveform, sounds: Floats, snr_db: float, rooms: bool, seed: int) -> Floats:
    """Return the sounds in 16 bits with the wave at random moments, in random rooms or in none."""
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    shifts = rng.integers(PERIOD, size=len(sounds))
    responses = folded_rooms(len(sounds), rng) if rooms else no_rooms(len(sounds))
    mixed = sounds + np.asarray(played(tf.constant(wave), responses, shifts, tf.constant(sounds), snr_db))
    # Attenuated where it would exceed full scale: clipping would be another attack.
    return quantised(mixed / np.maximum(1.0, np.abs(mixed).max(axis=1, keepdims=True)))


def is_detected(logits: Logits, sounds: Floats) -> Detected:
    """Return whether a siren's own output is above one half."""
    over: Detected = np.asarray(logits(sounds))[:, SIREN] > 0.0
    return over


def search(
    logits: Logits, learning: Floats, goal: Goal, effort: UniversalEffort, say: Progress
) -> dict[float, Waveform]:
    """Return a perturbation for every SNR; each optimisation starts from the result of the louder one."""
    wave: Waveform = np.random.default_rng(0).standard_normal(PERIOD).astype(np.float32)
    found = {}
    for snr in SNRS_DB[::-1]:
        say(f"learning one sound to {goal} sirens at {snr:g} dB")
        found[snr] = wave = learn(logits, learning, goal, snr, wave, effort.steps)
    return found


def judged(
    logits: Logits, waves: Mapping[float, Waveform], sounds: Floats
) -> tuple[dict[str, tuple[bool, ...]], dict[str, tuple[bool, ...]], dict[str, tuple[bool, ...]]]:
    """Return the detections by SNR: with shifts only, with rooms too, and with noise in those rooms."""
    noise: Waveform = np.random.default_rng(1).standard_normal(PERIOD).astype(np.float32)

    def by_snr(rooms: bool, of: Mapping[float, Waveform]) -> dict[str, tuple[bool, ...]]:
        return {
            f"{snr:g} dB": tuple(is_detected(logits, added(of[snr], sounds, snr, rooms, 2)).tolist())
            for snr in SNRS_DB
        }

    return by_snr(False, waves), by_snr(True, waves), by_snr(True, dict.fromkeys(SNRS_DB, noise))


def stretches(recordings: Sequence[Waveform], count: int, seed: int) -> Floats:
    """Return random stretches of the recordings in turn, as long as attacked sounds."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        recording = recordings[number % len(recordings)]
        rows.append(np.resize(np.roll(recording, -int(rng.integers(len(recording)))), SAMPLES))
    return quantised(np.stack(rows))
