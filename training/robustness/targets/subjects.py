"""Evaluation subjects: networks of the study on their test fold, and packages as the daemon runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from monitor.features.resample import Resampler
from monitor.model.card import Card, ProfileName
from monitor.model.classifier import Classifier
from monitor.model.load import ThirdParty, load_model
from training.base.arrays import Floats
from training.base.maths import fit_temperature, log_odds
from training.data.audio import RATE, Waveform
from training.data.corpora import CLASSES, Clip
from training.data.splits import rank
from training.errors import DataError
from training.features.extract import extract
from training.features.mel_bank import bank_of
from training.fit.predict import clip_logits, predict
from training.mixing.streams import Scene, Scored, decide, score
from training.study.task import Task
from training.study.trainers import augmented, plain

_PROFILES: tuple[ProfileName, ...] = ("quiet", "sensitive")
_TAIL_S = 2.0
"""Silence after a clip, in which the daemon may still report it."""

Hearing = Callable[[Sequence[Waveform]], Floats]
"""Waveforms at :data:`training.data.audio.RATE` → calibrated logits of the ten classes, (sounds, 10)."""


@dataclass(frozen=True)
class Responses:
    """What a package makes of sounds.

    Parameters
    ----------
    logits
        See :data:`Hearing`.
    reported
        By profile, the classes of the events that each sound starts.
    """

    logits: Floats
    reported: Mapping[ProfileName, tuple[frozenset[str], ...]]


@dataclass(frozen=True)
class Subject:
    """A model with the name under which its folds are pooled; ``report`` is of a package alone."""

    name: str
    hear: Hearing
    report: Callable[[Sequence[Waveform]], Responses] | None = None


@dataclass(frozen=True)
class FoldSubjects:
    """The clips of one test fold, and the models for which that fold is held out."""

    fold: int
    clips: tuple[Clip, ...]
    subjects: tuple[Subject, ...]


def chosen(clips: Sequence[Clip], count: int) -> tuple[Clip, ...]:
    """Return ``count`` clips (0: all), the same ones for every model and in every run."""
    order = sorted(clips, key=lambda clip: rank(clip.path.stem))
    return tuple(order[: count or None])


def of_network(name: str, task: Task, network: augmented.WindowedNetwork) -> Subject:
    """Return the network with the temperature of its validation clips, evaluated as in the study."""
    validation = task.parts.validation
    temperature = np.float32(fit_temperature(network.logits(validation), task.truth(validation)))

    def hear(sounds: Sequence[Waveform]) -> Floats:
        spec, front = network.front.spec, network.front
        means = clip_logits(
            network.model, bank_of(sounds, spec, RATE), np.arange(len(sounds)), network.scaling,
            frames=spec.frames, hop=front.hop_frames, floor=spec.floor,
        )  # fmt: skip
        logits: Floats = means[:, : len(CLASSES)] / temperature
        return logits

    return Subject(name, hear)


def of_published(
    name: str, network: plain.PublishedNetwork, temperature: float = 1.0, compiled: bool = True
) -> Subject:
    """Return a published network with features computed from the waveform, at its own rate."""
    import tensorflow as tf

    spec = network.spec
    # Compiled, as a recurrent network run eagerly takes twenty times as long.
    infer = tf.function(network.model, reduce_retracing=True) if compiled else network.model

    def hear(sounds: Sequence[Waveform]) -> Floats:
        frames = [extract(_resampled(sound, RATE, spec.rate), spec) for sound in sounds]
        # Rounded to float16 as in the study, since the network was trained on rounded features.
        values = np.stack(frames).astype(np.float16)
        inputs = network.scaler.apply(values) if network.scaler else values.astype(np.float32)
        logits: Floats = predict(infer, inputs) / np.float32(temperature)
        return logits

    return Subject(name, hear)


def _resampled(sound: Waveform, rate: int, wanted: int) -> Waveform:
    resampler = Resampler(rate, wanted)
    return np.concatenate([resampler.push(sound), resampler.flush()])


def named(package: Path) -> str:
    """Return the file's name and the card's version, which keeps findings on versions side by side."""
    return f"{package.stem} {load_model(package, ThirdParty()).card.version}"


def of_package(path: Path) -> Subject:
    """Return a package as a subject; a clip's logits are the mean over hops, calibrated by the card.

    Events are those of a clip in silence, with the card's profiles.

    Raises
    ------
    PackageError
        See :func:`monitor.model.load.load_model`.
    DataError
        If it lacks one of the ten classes.
    """
    model = load_model(path, ThirdParty())
    missing = [label for label in CLASSES if label not in model.labels]
    if missing:
        raise DataError(f"{path}: has no output {missing[0]!r}; only models of the ten classes are compared")
    columns = [model.labels.index(label) for label in CLASSES]
    classifier, card = model.classifier(), model.card

    def hear(sounds: Sequence[Waveform]) -> Floats:
        return np.stack([_log_odds(_scored(classifier, card, sound, 0.0), card)[columns] for sound in sounds])

    def report(sounds: Sequence[Waveform]) -> Responses:
        scored = [_scored(classifier, card, sound, _TAIL_S) for sound in sounds]
        tail = round(_TAIL_S * card.sample_rate / card.hop)
        logits = [_log_odds(replace(one, scores=one.scores[:-tail]), card)[columns] for one in scored]
        reported = {
            name: tuple(_events(one, model.labels, card, name) for one in scored) for name in _PROFILES
        }
        return Responses(np.stack(logits), reported)

    return Subject(named(path), hear, report)


def _scored(classifier: Classifier, card: Card, sound: Waveform, tail_s: float) -> Scored:
    """Return the scores of whole hops, then of silence; a short sound is repeated to fill a window."""
    samples = _resampled(sound, RATE, card.sample_rate)
    hops = -(-max(len(samples), card.window) // card.hop)
    samples = np.resize(samples, hops * card.hop)
    silence = np.zeros(round(tail_s * card.sample_rate / card.hop) * card.hop, np.float32)
    stream = Scene("", "", np.concatenate([samples, silence]), 0.0, len(samples) / card.sample_rate)
    return score(stream, classifier, card.hop, card.sample_rate)


def _log_odds(scored: Scored, card: Card) -> Floats:
    """Return the mean over hops with a full window."""
    whole = scored.scores[-(-card.window // card.hop) - 1 :]
    means: Floats = log_odds(whole).mean(axis=0).astype(np.float32)
    return means


def _events(scored: Scored, labels: Sequence[str], card: Card, profile: ProfileName) -> frozenset[str]:
    settings = {
        label: one.profiles[profile] for label, one in card.classes.items() if profile in one.profiles
    }
    return frozenset(event.label for event in decide(scored, labels, settings, card.sample_rate))
