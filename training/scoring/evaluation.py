"""Evaluation of a model: accuracy on clips, alerts and false alarms on streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.model.card import Card
from monitor.model.classifier import Classifier
from monitor.records import Decision
from monitor.settings import ClassSettings
from training.base.arrays import Floats
from training.base.maths import log_odds
from training.base.tflite import Invoker
from training.data.audio import RATE, Waveform, read
from training.data.corpora import BACKGROUND, LABELS, Clip
from training.data.repeats import repeated
from training.data.splits import Part
from training.mixing.soundscapes import Soundscape
from training.mixing.streams import TAIL_S, Scene, Scored, Scorer, decide, foreground_scenes, score


@dataclass(frozen=True)
class ClipFigures:
    """Accuracy over the classes from mean logits, with its confusion matrix.

    ``confusion[t, p]`` counts clips of class t predicted as p.
    """

    accuracy: float
    macro_f1: float
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    confusion: NDArray[np.int64]


def clip_figures(logits: Floats, truth: NDArray[np.int64]) -> ClipFigures:
    """Evaluate clips by the largest class logit; ``background``, the last label, is excluded."""
    classes = logits.shape[1] - 1
    guess = logits[:, :classes].argmax(axis=1)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (truth, guess), 1)
    return confusion_figures(confusion)


def confusion_figures(confusion: NDArray[np.int64]) -> ClipFigures:
    """Return the figures that follow from the counts alone."""
    right = np.diag(confusion)
    recall = right / np.maximum(confusion.sum(axis=1), 1)
    precision = right / np.maximum(confusion.sum(axis=0), 1)
    f1 = 2 * right / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1)
    present = confusion.sum(axis=1) > 0
    return ClipFigures(
        float(right.sum() / confusion.sum()), float(f1[present].mean()), recall, precision, confusion
    )


REPEATED_S, UNHEARD_S = 3, 1.0
"""Clips are repeated to at least the first duration; rows count from the second on."""


class Streamer:
    """Scores clips, mixtures and backgrounds as streams with the daemon's own classifier.

    Parameters
    ----------
    hop
        Samples between rows, from the classifier's card.
    rate
        Sample rate of the classifier's input in Hz.
    """

    def __init__(self, classifier: Scorer, hop: int, rate: int = RATE) -> None:
        self._classifier, self._hop, self._rate = classifier, hop, rate

    def scenes(self, part: Part, snr_db: tuple[float, float], seed: int) -> list[Scored]:
        """Score every foreground clip of the part, each mixed with a background of the part.

        Backgrounds, their offsets and the levels are drawn from ``seed``.
        """
        return [self._score(laid) for laid in foreground_scenes(part, snr_db, self._rate, seed)]

    def soundscapes(self, scapes: Iterable[Soundscape]) -> list[Scored]:
        """Score soundscapes, each with the times of its sounds."""
        scored = []
        for scape in scapes:
            spans = tuple((t.label, t.onset_s, t.offset_s) for t in scape.truths)
            scored.append(replace(self._score(self._plain(scape.name, scape.samples)), truths=spans))
        return scored

    def logits(self, clips: Iterable[Clip]) -> Floats:
        """Return the mean logits of each clip, shape (clips, labels), from the row that covers a second on.

        Short clips are repeated to three seconds, as is usual for these corpora.
        """
        heard = (one.scores[one.times_s >= UNHEARD_S].astype(np.float64) for one in self.clips(clips))
        return np.stack([log_odds(scores).mean(axis=0) for scores in heard]).astype(np.float32)

    def clips(self, clips: Iterable[Clip]) -> Iterator[Scored]:
        """Score each clip on its own; short clips are repeated to three seconds."""
        for clip in clips:
            samples = read(clip.path, self._rate)
            samples = np.resize(samples, max(len(samples), REPEATED_S * self._rate))
            yield self._score(self._plain("", samples))

    def beds(self, clips: Iterable[Clip]) -> list[Scored]:
        """Score backgrounds unmixed, each as a stream that records which stretches repeat earlier ones."""
        beds = []
        for clip in clips:
            samples = read(clip.path, self._rate)
            scored = self._score(self._plain(clip.recording, samples))
            beds.append(replace(scored, again=tuple(repeated(samples, self._rate))))
        return beds

    def joined(self, clips: Iterable[Clip], name: str) -> list[Scored]:
        """Score short sounds of no class, concatenated into one stream."""
        sounds = [read(clip.path, self._rate) for clip in clips]
        return [self._score(self._plain(name, np.concatenate(sounds)))] if sounds else []

    def _score(self, stream: Scene) -> Scored:
        return score(stream, self._classifier, self._hop, self._rate)

    def _plain(self, name: str, samples: Waveform) -> Scene:
        return Scene(name, "", samples, 0.0, len(samples) / self._rate)


@dataclass(frozen=True)
class AlertFigures:
    """Alerts with the settings of one profile.

    Parameters
    ----------
    heard
        Number of ``scenes`` whose own alert was raised no later than two seconds after the offset.
    wrong
        Alerts of other classes in mixtures of the class; each mixture holds one sound.
    false_alarms
        Alerts of the class on background.
    delays_s
        Decision times after the true onset, in seconds.
    """

    label: str
    scenes: int
    heard: int
    wrong: int
    false_alarms: int
    delays_s: tuple[float, ...]


def alert_figures(
    scenes: Sequence[Scored],
    beds: Sequence[Scored],
    settings: Mapping[str, ClassSettings],
    labels: Sequence[str] = LABELS,
) -> list[AlertFigures]:
    """Run the daemon's event logic over mixtures and backgrounds; return one row per class."""
    classes = [label for label in labels if label != BACKGROUND]
    total, heard, wrong, false = (dict.fromkeys(classes, 0) for _ in range(4))
    delays: dict[str, list[float]] = {label: [] for label in classes}
    for item in scenes:
        starts = [(d.label, d.decided_pos / RATE) for d in decide(item, labels, settings, RATE)]
        for label, onset_s, offset_s in item.sounds:
            own = [at - onset_s for name, at in starts if name == label and onset_s < at <= offset_s + TAIL_S]
            total[label] += 1
            if own:
                heard[label] += 1
                delays[label].append(min(own))
        if item.label:
            wrong[item.label] += sum(n != item.label and at > item.onset_s for n, at in starts)
    for background in beds:
        for decision in _alarms(background, labels, settings):
            false[decision.label] += 1
    return [
        AlertFigures(label, total[label], heard[label], wrong[label], false[label], tuple(delays[label]))
        for label in classes
    ]


def _alarms(
    background: Scored, labels: Sequence[str], settings: Mapping[str, ClassSettings]
) -> list[Decision]:
    """Return the alerts on a background; those in repeated stretches count once."""
    return [d for d in decide(background, labels, settings, RATE) if background.counts(d.decided_pos / RATE)]


def streamer(card: Card, flatbuffer: bytes, labels: Sequence[str] = LABELS) -> Streamer:
    """Return the streamer of a converted model whose outputs are ``labels``.

    The front end, output kind and temperature are taken from ``card``.
    """
    groups = {label: [index] for index, label in enumerate(labels)}
    return Streamer(Classifier(card, Invoker(flatbuffer), groups), card.hop, card.sample_rate)
