"""Transfer of adversarial sounds to other networks, TFLite conversions and packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.progress import Progress
from training.base.tflite import Invoker
from training.data.audio import RATE
from training.errors import DataError, ExportError
from training.export.conversion import to_tflite
from training.robustness.attacks.methods import Labels, Logits, descend, noise_like, sounds_of
from training.robustness.corruptions.disturbances import coloured
from training.robustness.targets import published_front_end
from training.robustness.targets.front_end import log_mel, on_waveforms
from training.robustness.targets.networks import Target, Windows
from training.robustness.targets.subjects import Subject, of_network, of_published
from training.study.trainers import plain

SNRS_DB = (40.0, 30.0, 20.0, 10.0)
_SHOWN_CLIPS = 50
"""Clips whose windows calibrate an int8 network."""


@dataclass(frozen=True)
class Transferred:
    """Sounds made against ``source``, classified by ``receiver``; one row per clip.

    Parameters
    ----------
    right
        Whether the receiver classifies the clean sound correctly.
    withstood, noise
        By SNR ("20 dB"), whether it still does with the perturbation, and with white noise of that SNR.
    heard
        Whether the receiver's weights were trained on recordings of this fold.
    """

    source: str
    receiver: str
    fold: int
    seed: int
    clips: tuple[str, ...]
    right: tuple[bool, ...]
    withstood: Mapping[str, tuple[bool, ...]]
    noise: Mapping[str, tuple[bool, ...]]
    heard: bool = False


def transfer(
    source: Target,
    receivers: Sequence[Subject],
    heard: frozenset[str],
    steps: int,
    say: Progress,
) -> list[Transferred]:
    """Perturb the source's clips at every SNR and evaluate the receivers.

    ``heard`` names receivers that were trained on the clips' fold.
    """
    sounds = sounds_of(source.clips)
    made = perturbed(source, sounds, source.truth, steps, say)
    found = []
    for receiver in receivers:
        say(f"{receiver.name} evaluates sounds made against {source.job.model}")

        def kept(given: Floats, receiver: Subject = receiver) -> tuple[bool, ...]:
            return tuple((receiver.hear(list(given)).argmax(axis=1) == source.truth).tolist())

        job = source.job
        found.append(Transferred(
            job.model, receiver.name, job.test_fold, job.seed,
            tuple(clip.path.stem for clip in source.clips), kept(sounds),
            {f"{snr:g} dB": kept(made[f"{snr:g} dB"]) for snr in SNRS_DB},
            {f"{snr:g} dB": kept(made[f"noise at {snr:g} dB"]) for snr in SNRS_DB},
            receiver.name in heard,
        ))  # fmt: skip
    return found


def perturbed(source: Target, sounds: Floats, truth: Labels, steps: int, say: Progress) -> dict[str, Floats]:
    """Return the sounds with a perturbation ("20 dB") and with noise ("noise at 20 dB") at every SNR."""
    heard = logits_by(source)
    noise, rng = coloured(0.0), np.random.default_rng(0)
    made = {}
    for snr in SNRS_DB:
        say(f"perturbing at {snr:g} dB against {source.job.model}")
        given = descend(heard, sounds, truth, snr, steps)
        made[f"{snr:g} dB"] = given
        made[f"noise at {snr:g} dB"] = noise_like(given, sounds, lambda sound: noise(sound, rng))
    return made


def logits_by(source: Target) -> Logits:
    """Return the source as a function of sounds at the monitor's rate, with resampling if needed.

    Raises
    ------
    DataError
        If it does not take waveforms.
    """
    if source.published is not None:
        heard, rate = published_front_end.on_waveforms(source.published), source.published.spec.rate
        return lambda sounds: heard(resampled(sounds, RATE, rate))
    if source.held_out is not None:
        own, native = source.held_out.on_waveforms, source.held_out.rate
        return lambda sounds: own(resampled(sounds, RATE, native))
    network = windows_of(source).network
    return on_waveforms(network.model, network.front.spec, network.scaling)


def resampled(sounds: Any, rate: int, wanted: int) -> Any:
    """Return sounds, shape (n, samples), at a higher rate; differentiable."""
    import tensorflow as tf

    samples = sounds.shape[1]
    count = samples * wanted // rate
    spectrum = tf.signal.rfft(tf.cast(sounds, tf.float32))
    above = tf.pad(spectrum, [[0, 0], [0, count // 2 - samples // 2]])
    return tf.signal.irfft(above, [count]) * (count / samples)


def windows_of(target: Target) -> Windows:
    """Return the components of a network on the monitor's windows.

    Raises
    ------
    DataError
        If it is not one.
    """
    if target.windows is None:
        raise DataError(f"{target.job.model}: does not take the monitor's windows; choose another source")
    return target.windows


def conversions(source: Target, say: Progress) -> list[Subject]:
    """Return the source's TFLite conversions that succeed, in float32 and in int8.

    The default model has none: its own subject is its package.
    """
    if source.held_out is not None:
        return []
    model = source.windows.network.model if source.windows else _published(source).model
    found = []
    converters: dict[str, Callable[[Any], bytes]] = {
        "TFLite": to_tflite,
        "8 bits": lambda model: to_tflite(model, "int8", _shown(source)),
    }
    for name, convert in converters.items():
        try:
            found.append(_of_flatbuffer(source, name, convert(model)))
        except ExportError as error:
            say(f"{source.job.model}, {name}: {error}")
    return found


def _published(source: Target) -> plain.PublishedNetwork:
    assert source.published is not None
    return source.published


def _shown(source: Target) -> Floats:
    """Return inputs from validation clips, used for neither training nor test."""
    if source.windows is None:
        network = _published(source)
        values = network.values(source.validation[:_SHOWN_CLIPS])
        return network.scaler.apply(values) if network.scaler else values.astype(np.float32)
    task, windowed = source.windows.task, source.windows.network
    clips = [task.corpus.clips[row] for row in task.parts.validation[:_SHOWN_CLIPS]]
    decibels = np.asarray(log_mel(windowed.front.spec, RATE)(sounds_of(clips)))
    return windowed.scaling.apply(decibels[:, -windowed.front.spec.frames :])


def _of_flatbuffer(source: Target, form: str, flatbuffer: bytes) -> Subject:
    invoke, name = Invoker(flatbuffer), f"{source.job.model}, {form}"

    def run(given: Floats, training: bool = False) -> Floats:
        return np.stack([invoke(window) for window in np.asarray(given)])

    model: Any = run
    if source.windows is None:
        return of_published(name, replace(_published(source), model=model), compiled=False)
    return of_network(name, source.windows.task, replace(source.windows.network, model=model))
