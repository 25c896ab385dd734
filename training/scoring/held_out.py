"""Scores of networks on held-out folds, and the decisions fitted on them.

Each fold, with its share of backgrounds and out-of-class sounds, is scored by a network trained on
the other folds. Shipped settings are fitted on all folds; the figures of a fold use settings fitted
on the other folds only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.model.card import Card, ClassCard, ProfileName
from monitor.settings import ClassSettings
from training.base.arrays import Floats
from training.base.progress import Progress
from training.data.corpora import LABELS
from training.data.splits import Part
from training.mixing.soundscapes import ScapePlan, make_soundscapes
from training.mixing.streams import Scored
from training.scoring.calibration import (
    BUDGETS,
    SPEECH,
    CalibrationStreams,
    Temper,
    fit_class,
    fit_temperature,
    recalibrated,
    rows_of,
)
from training.scoring.evaluation import AlertFigures, ClipFigures, Streamer, alert_figures, clip_figures

SCAPES = 40
"""Number of one-minute soundscapes on which a network is evaluated."""
ALONE_SNR_DB = (15.0, 15.0)


@dataclass(frozen=True)
class FoldScores:
    """Scores of one held-out fold at temperature 1.

    Parameters
    ----------
    logits
        Mean logits of each clip, shape (clips, labels).
    heard
        Scored soundscapes, backgrounds and out-of-class sounds.
    alone
        Every foreground clip at 15 dB over background.
    labels
        Labels of the columns, background last.
    """

    fold: int
    seed: int
    part: Part
    logits: Floats
    heard: CalibrationStreams
    alone: tuple[Scored, ...]
    labels: tuple[str, ...] = LABELS

    @property
    def truth(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array([self.labels.index(label) for _, label in self.part.events])


@dataclass(frozen=True)
class Decided:
    """Fitted decisions: the temperature, and the settings of each class."""

    temperature: float
    classes: Mapping[str, ClassCard]

    def settings(self, profile: ProfileName) -> dict[str, ClassSettings]:
        return {label: card.profiles[profile] for label, card in self.classes.items()}

    def heard(self, streams: Iterable[Scored]) -> tuple[Scored, ...]:
        """Return the streams with the temperature applied, as in the monitor."""
        return tuple(recalibrated(stream, self.temperature) for stream in streams)


@dataclass(frozen=True)
class FoldFigures:
    """Figures of a fold, evaluated with settings fitted on the other folds.

    Parameters
    ----------
    settings
        Settings of the profile ``quiet``.
    on_speech
        Alerts on backgrounds of speech.
    on_others
        Alerts on short sounds of no class.
    others
        Number of short sounds of no class.
    """

    fold: int
    seed: int
    clips: ClipFigures
    alerts: Mapping[ProfileName, tuple[AlertFigures, ...]]
    beds: tuple[Scored, ...]
    settings: Mapping[str, ClassSettings]
    on_speech: Mapping[ProfileName, int]
    on_others: Mapping[ProfileName, int]
    others: int


def hear(
    part: Part, listener: Streamer, fold: int, seed: int, card: Card,
    labels: tuple[str, ...] = LABELS, plan: ScapePlan | None = None,
) -> FoldScores:  # fmt: skip
    """Score a held-out fold with a network; ``plan`` is that of the soundscapes."""
    scapes = make_soundscapes(part, plan or ScapePlan(SCAPES, seed=seed))
    heard = CalibrationStreams(
        tuple(listener.soundscapes(scapes)),
        tuple(listener.beds(part.backgrounds)),
        tuple(listener.joined(part.negatives, f"ESC {fold}")),
        card.window / card.sample_rate,
        card.hop / card.sample_rate,
    )
    logits = listener.logits(clip for clip, _ in part.events)
    alone = tuple(listener.scenes(part, ALONE_SNR_DB, seed))
    return FoldScores(fold, seed, part, logits, heard, alone, labels)


def decide(hearings: Sequence[FoldScores], say: Progress, tempers: Mapping[str, Temper]) -> Decided:
    """Fit the temperature and the settings of the classes in ``tempers`` on the scores of all folds."""
    labels = hearings[0].labels
    rows = [rows_of([*one.heard.scenes, *one.heard.beds], labels[:-1]) for one in hearings]
    logits, targets = (np.concatenate(column) for column in zip(*rows, strict=True))
    temperature = fit_temperature(logits, targets)
    folds = ", ".join(str(one.fold) for one in hearings)
    say(f"thresholds from folds {folds}; temperature {temperature:g}")
    every = [one.heard for one in hearings]

    def pooled_streams(kind: str) -> tuple[Scored, ...]:
        return tuple(recalibrated(s, temperature) for heard in every for s in getattr(heard, kind))

    pooled = CalibrationStreams(
        scenes=pooled_streams("scenes"),
        beds=pooled_streams("beds"),
        others=pooled_streams("others"),
        window_s=every[0].window_s,
        hop_s=every[0].hop_s,
    )
    classes = {
        label: fit_class(label, labels.index(label), pooled, temper) for label, temper in tempers.items()
    }
    return Decided(temperature, classes)


def judge(one: FoldScores, decided: Decided) -> FoldFigures:
    """Evaluate a fold with settings that were fitted without it."""
    scenes, beds = decided.heard(one.alone), decided.heard(one.heard.beds)
    speech = [background for background in beds if background.name.startswith(f"{SPEECH}/")]
    unknown = decided.heard(one.heard.others)
    alerts, on_speech, on_others = {}, {}, {}
    for profile in BUDGETS:
        settings = decided.settings(profile)
        alerts[profile] = tuple(alert_figures(scenes, beds, settings, one.labels))
        on_speech[profile], on_others[profile] = (
            sum(row.false_alarms for row in alert_figures([], streams, settings, one.labels))
            for streams in (speech, unknown)
        )
    clips = clip_figures(one.logits, one.truth)
    quiet = decided.settings("quiet")
    return FoldFigures(
        one.fold, one.seed, clips, alerts, beds, quiet, on_speech, on_others, len(one.part.negatives),
    )  # fmt: skip
