"""What networks make of the fold that they never heard, and what is decided on it.

Each fold of the data, with its share of backgrounds and of sounds of no class, is heard by a
network that trained on the others. What ships is decided on all of them; a fold's own figures
come from what the other folds alone decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.model.card import ClassCard, ProfileName
from monitor.settings import ClassSettings
from training.calibration import BUDGETS, SPEECH, Heard, fit_class, fit_temperature, recalibrated, rows_of
from training.data import BACKGROUND, CLASSES, LABELS
from training.evaluation import AlertFigures, ClipFigures, Streamer, alert_figures, clip_figures
from training.mixing import Floats
from training.soundscapes import ScapePlan, make_soundscapes
from training.splits import Part
from training.streams import Scored

SCAPES = 40
"""Soundscapes of a minute that a network is judged on."""
ALONE_SNR_DB = (15.0, 15.0)
REJECT = 0.3
"""A row that scores at least this for background is none of the classes: a sound that is not known."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Hearing:
    """A fold as a network scores it, at temperature 1.

    logits : means over each clip, shape (clips, labels); heard : soundscapes, backgrounds, other sounds;
    alone : every foreground clip, 15 dB over background
    """

    fold: int
    seed: int
    part: Part
    logits: Floats
    heard: Heard
    alone: tuple[Scored, ...]

    @property
    def truth(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array([CLASSES.index(label) for _, label in self.part.events])


@dataclass(frozen=True)
class Decided:
    """One temperature, and the settings of each class."""

    temperature: float
    classes: Mapping[str, ClassCard]

    def settings(self, profile: ProfileName) -> dict[str, ClassSettings]:
        return {label: card.profiles[profile] for label, card in self.classes.items()}


@dataclass(frozen=True)
class FoldFigures:
    """A fold judged with what the others decide.

    settings : of the profile ``quiet``; on_speech : alerts on backgrounds of speech
    questions : calibrated scores, and whether the class holds, of rows of soundscapes and backgrounds
    """

    fold: int
    seed: int
    clips: ClipFigures
    alerts: Mapping[ProfileName, tuple[AlertFigures, ...]]
    beds: tuple[Scored, ...]
    settings: Mapping[str, ClassSettings]
    on_speech: Mapping[ProfileName, int]
    questions: tuple[Floats, Floats]


def hear(part: Part, listener: Streamer, fold: int, seed: int, window_s: float, hop_s: float) -> Hearing:
    """Let the network hear the part."""
    scapes = make_soundscapes(part, ScapePlan(SCAPES, seed=seed))
    heard = Heard(
        tuple(listener.soundscapes(scapes)),
        tuple(listener.beds(part.backgrounds)),
        tuple(listener.joined(part.negatives, f"ESC {fold}")),
        window_s,
        hop_s,
    )
    logits = listener.logits(clip for clip, _ in part.events)
    return Hearing(fold, seed, part, logits, heard, tuple(listener.scenes(part, ALONE_SNR_DB, seed)))


def rejected(stream: Scored, over: float) -> Scored:
    """The stream as the monitor hears it by the card's reject rule: what is surely background is no class."""
    scores = stream.scores.copy()
    scores[stream.scores[:, LABELS.index(BACKGROUND)] >= over] = 0.0
    return replace(stream, scores=scores)


def decide(hearings: Sequence[Hearing], say: Say) -> Decided:
    """Fit temperature and class settings on all hearings."""
    rows = [rows_of([*one.heard.scenes, *one.heard.beds], CLASSES) for one in hearings]
    logits, targets = (np.concatenate(column) for column in zip(*rows, strict=True))
    temperature = fit_temperature(logits, targets)
    folds = ", ".join(str(one.fold) for one in hearings)
    say(f"thresholds from folds {folds}; temperature {temperature:g}")
    every = [one.heard for one in hearings]
    pooled = Heard(
        *(
            tuple(
                rejected(recalibrated(stream, temperature), REJECT)
                for heard in every
                for stream in getattr(heard, kind)
            )
            for kind in ("scenes", "beds", "others")
        ),
        every[0].window_s,
        every[0].hop_s,
    )
    return Decided(temperature, {label: fit_class(label, LABELS.index(label), pooled) for label in CLASSES})


def judge(one: Hearing, decided: Decided) -> FoldFigures:
    """Judge a fold with what was decided without it."""
    scenes, beds = (
        [rejected(recalibrated(s, decided.temperature), REJECT) for s in streams]
        for streams in (one.alone, one.heard.beds)
    )
    alerts = {profile: tuple(alert_figures(scenes, beds, decided.settings(profile))) for profile in BUDGETS}
    speech = [bed for bed in beds if bed.name.startswith(f"{SPEECH}/")]
    on_speech = {
        profile: sum(row.false_alarms for row in alert_figures([], speech, decided.settings(profile)))
        for profile in BUDGETS
    }
    logits, targets = rows_of([*one.heard.scenes, *one.heard.beds], CLASSES)
    scores: Floats = 1 / (1 + np.exp(-logits / decided.temperature))
    clips = clip_figures(one.logits, one.truth)
    quiet = decided.settings("quiet")
    return FoldFigures(one.fold, one.seed, clips, alerts, tuple(beds), quiet, on_speech, (scores, targets))
