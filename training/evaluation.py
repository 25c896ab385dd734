"""What a model scores: clips by accuracy, streams by alerts and false alarms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.model.card import Card
from monitor.model.classifier import Classifier
from monitor.settings import ClassSettings
from training.audio import Waveform, read
from training.data import CLASSES, LABELS, Clip
from training.export import Invoker
from training.mixing import Floats
from training.prepare import HOP, RATE
from training.splits import Part
from training.streams import Scene, Scored, decide, foreground_scenes, score


@dataclass(frozen=True)
class ClipFigures:
    """Accuracy over the ten classes from mean logits, and where it comes from.

    ``confusion[t, p]`` counts clips of class t taken for p.
    """

    accuracy: float
    macro_f1: float
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    confusion: NDArray[np.int64]


def clip_figures(logits: Floats, truth: NDArray[np.int64]) -> ClipFigures:
    """Judge clips by the largest of the ten classes' logits; ``background`` does not compete."""
    guess = logits[:, : len(CLASSES)].argmax(axis=1)
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(confusion, (truth, guess), 1)
    right = np.diag(confusion)
    recall = right / np.maximum(confusion.sum(axis=1), 1)
    precision = right / np.maximum(confusion.sum(axis=0), 1)
    f1 = 2 * right / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1)
    present = confusion.sum(axis=1) > 0
    return ClipFigures(
        float(right.sum() / len(truth)), float(f1[present].mean()), recall, precision, confusion
    )


class Streamer:
    """Turns clips and backgrounds into scored streams with the daemon's own classifier.

    card : its front end, output kind and temperature are used; flatbuffer : the converted model
    """

    def __init__(self, card: Card, flatbuffer: bytes) -> None:
        groups = {label: [index] for index, label in enumerate(LABELS)}
        self._classifier = Classifier(card, Invoker(flatbuffer), groups)

    def scenes(self, part: Part, snr_db: tuple[float, float], seed: int) -> list[Scored]:
        """Score every foreground clip of the part, each over a background of the part.

        Backgrounds, places in them and levels are drawn from ``seed``.
        """
        return [self._score(laid) for laid in foreground_scenes(part, snr_db, RATE, seed)]

    def beds(self, clips: Iterable[Clip]) -> list[Scored]:
        """Score backgrounds as they are, each a stream."""
        return [self._score(_plain(clip.recording, read(clip.path, RATE))) for clip in clips]

    def joined(self, clips: Iterable[Clip], name: str) -> list[Scored]:
        """Score short sounds that are none of the classes, one after another in one stream."""
        sounds = [read(clip.path, RATE) for clip in clips]
        return [self._score(_plain(name, np.concatenate(sounds)))] if sounds else []

    def _score(self, stream: Scene) -> Scored:
        return score(stream, self._classifier, HOP, RATE)


def _plain(name: str, samples: Waveform) -> Scene:
    return Scene(name, "", samples, 0.0, len(samples) / RATE)


@dataclass(frozen=True)
class AlertFigures:
    """Alerts with one profile's settings.

    ``heard`` of ``scenes`` raised their own alert; ``wrong`` counts alerts of other classes in
    the class's scenes; ``false_alarms`` counts alerts of the class on background; ``delays_s``
    are decision times after the true onset.
    """

    label: str
    scenes: int
    heard: int
    wrong: int
    false_alarms: int
    delays_s: tuple[float, ...]


def alert_figures(
    scenes: Sequence[Scored], beds: Sequence[Scored], settings: Mapping[str, ClassSettings]
) -> list[AlertFigures]:
    """Run the daemon's event logic over scenes and backgrounds; one row per class."""
    total, heard, wrong, false = (dict.fromkeys(CLASSES, 0) for _ in range(4))
    delays: dict[str, list[float]] = {label: [] for label in CLASSES}
    for item in scenes:
        total[item.label] += 1
        starts = decide(item, LABELS, settings, HOP, RATE)
        after = [d for d in starts if d.decided_pos / RATE > item.onset_s]
        own = [d.decided_pos / RATE - item.onset_s for d in after if d.label == item.label]
        if own:
            heard[item.label] += 1
            delays[item.label].append(min(own))
        wrong[item.label] += sum(d.label != item.label for d in after)
    for bed in beds:
        for decision in decide(bed, LABELS, settings, HOP, RATE):
            false[decision.label] += 1
    return [
        AlertFigures(label, total[label], heard[label], wrong[label], false[label], tuple(delays[label]))
        for label in CLASSES
    ]


def false_alarm_table(
    beds: Sequence[Scored], settings: Mapping[str, ClassSettings]
) -> list[tuple[str, float, str]]:
    """Return (background, minutes, alerts as ``label ×n``) of every background, the quiet ones too."""
    rows = []
    for bed in beds:
        names = [d.label for d in decide(bed, LABELS, settings, HOP, RATE)]
        text = ", ".join(f"{name} ×{names.count(name)}" for name in dict.fromkeys(names))
        rows.append((bed.name, bed.seconds / 60, text))
    return rows
