"""The recipe of the shipped model, from data to package.

1. Cross-fit: let the teacher hear mixtures of two thirds of the training recordings, train on
   them, three times, so that each recording is scored once by a model that never heard it;
   fit temperature and thresholds on those scores.
2. Train on all training recordings and all lessons; the test fold and the test backgrounds are
   not read.
3. Test: accuracy on the clips of the test fold, alerts in streams, false alarms.
4. Convert, compare with Keras, write package and records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from monitor.model.card import Card, Quality
from monitor.model.package import write_package
from training.calibration import Heard, fit_class, fit_temperature
from training.data import CLASSES, LABELS, Clip, Corpora
from training.distillation import LessonPlan, Lessons, joined, make_lessons
from training.evaluation import AlertFigures, ClipFigures, Streamer, alert_figures, clip_figures
from training.export import check_parity, to_tflite
from training.fit import RunSpec, Scaling, measure_scaling
from training.mixing import Floats, Recipe
from training.networks import NetworkSpec
from training.packaging import NAME, Facts, make_card, undecided
from training.prepare import FrontEnd, make_mixer, targets_of
from training.splits import Part, cross_fit, split
from training.streams import Scored
from training.tutoring import Tutoring, train_with
from training.windows import clip_logits

CROSS_FITS = 3
DEVELOPMENT_SNR_DB = (0.0, 20.0)
TEST_SNR_DB = (15.0, 15.0)

Say = Callable[[str], None]


def default_run(seed: int, epochs: int) -> RunSpec:
    """The settings of the model that ships.

    The network hears the same at any gain of the microphone, and targets are smoothed but little,
    so that scores may come near 1.
    """
    network, recipe = NetworkSpec(level="window"), Recipe(smoothing=0.04)
    return RunSpec(network=network, recipe=recipe, seed=seed, epochs=epochs)


@dataclass(frozen=True)
class Plan:
    """One making of the model."""

    train_folds: tuple[int, ...]
    test_folds: tuple[int, ...]
    run: RunSpec
    tutoring: Tutoring
    lessons: LessonPlan
    version: str
    command: str


@dataclass(frozen=True)
class School:
    """Where lessons come from: the teacher's file, and sounds without labels that it hears too."""

    teacher: Path
    unlabelled: tuple[Clip, ...]


@dataclass(frozen=True)
class Trained:
    """A run's network with what it needs to be used."""

    model: Any
    scaling: Scaling
    front_end: FrontEnd

    def logits(self, part: Part, say: Say) -> Floats:
        """Mean logits of the part's events, then of its negatives and backgrounds."""
        clips = [*(c for c, _ in part.events), *part.negatives, *part.backgrounds]
        bank = self.front_end.bank(clips, lambda done: None)
        spec, hop = self.front_end.spec, self.front_end.hop_frames
        say(f"scoring {len(clips)} sounds")
        numbers = np.arange(len(clips))
        return clip_logits(
            self.model, bank, numbers, self.scaling, frames=spec.frames, hop=hop, floor=spec.floor
        )

    def flatbuffer(self) -> bytes:
        return to_tflite(self.model)

    def card(self, facts: Facts) -> Card:
        return make_card(self.front_end, self.scaling, facts)


@dataclass(frozen=True)
class Outcome:
    """Everything that one making yields."""

    card: Card
    flatbuffer: bytes
    parity: float
    clips: ClipFigures
    alerts: tuple[AlertFigures, ...]
    scenes: tuple[Scored, ...]
    beds: tuple[Scored, ...]
    development: tuple[AlertFigures, ...]
    development_hours: float

    @property
    def bed_hours(self) -> float:
        return _hours(self.beds)


def _hours(beds: Sequence[Scored]) -> float:
    return sum(bed.seconds for bed in beds) / 3600


def make(plan: Plan, corpora: Corpora, school: School, front_end: FrontEnd, runs: Path, say: Say) -> Outcome:
    """Run the whole recipe; every run resumes from ``runs`` where it was interrupted."""
    parts = split(corpora, plan.train_folds, plan.test_folds)
    fits, lessons = _cross_fits(parts.train, plan, school, front_end, runs, say)
    temperature, heard = _heard(fits, plan, say)
    classes = {label: fit_class(label, LABELS.index(label), heard) for label in CLASSES}
    final = _train(parts.train, plan, joined(lessons), front_end, runs / "final", say)
    flatbuffer = final.flatbuffer()
    parity = check_parity(final.model, flatbuffer, _some_windows(parts.train, plan.run, final))
    say(f"TFLite equals Keras within {parity:.1e}")
    truth = np.array([CLASSES.index(label) for _, label in parts.test.events])
    clips = clip_figures(final.logits(parts.test, say)[: len(truth)], truth)
    facts = Facts(plan.version, _now(), temperature, classes, ())
    streamer = Streamer(final.card(facts), flatbuffer)
    scenes = streamer.scenes(parts.test, TEST_SNR_DB, plan.run.seed)
    beds = streamer.beds(parts.test.backgrounds)
    quiet = {label: card.profiles["quiet"] for label, card in classes.items()}
    alerts = alert_figures(scenes, beds, quiet)
    card = final.card(replace(facts, quality=_quality(plan, clips, alerts, _hours(beds))))
    development = tuple(alert_figures(heard.scenes, heard.beds, quiet))
    return Outcome(
        card, flatbuffer, parity, clips, tuple(alerts), tuple(scenes), tuple(beds), development,
        _hours(heard.beds),
    )  # fmt: skip


def write(outcome: Outcome, folder: Path) -> Path:
    """Write the package into ``folder``; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}.tflite"
    write_package(path, outcome.flatbuffer, LABELS, outcome.card)
    return path


def _train(part: Part, plan: Plan, lessons: Lessons, front_end: FrontEnd, folder: Path, say: Say) -> Trained:
    mixer = make_mixer(part, front_end, plan.run.recipe, lambda done: None)
    scaling = measure_scaling(mixer, plan.run.seed)
    model = train_with(
        plan.run, plan.tutoring, mixer, lessons, scaling, folder, lambda text: say(f"{folder.name}: {text}")
    )
    return Trained(model, scaling, front_end)


def _cross_fits(
    part: Part, plan: Plan, school: School, front_end: FrontEnd, runs: Path, say: Say
) -> tuple[list[tuple[Trained, Part]], list[Lessons]]:
    """Return the cross-fitted models, each with what it never heard, and the lessons of all."""
    fits, lessons = [], []
    for number, (learn, held) in enumerate(cross_fit(part, CROSS_FITS)):
        name = f"cross{number}"
        lessons.append(
            make_lessons(
                learn, school.unlabelled, front_end, school.teacher, plan.lessons, plan.run.recipe,
                plan.run.seed, lambda done, name=name: say(f"{name}: {done} mixtures heard"),
            )
        )  # fmt: skip
        fits.append((_train(learn, plan, lessons[-1], front_end, runs / name, say), held))
    return fits, lessons


def _heard(fits: Sequence[tuple[Trained, Part]], plan: Plan, say: Say) -> tuple[float, Heard]:
    """Return the temperature, and the scores that cross-fitted models give to what they never heard."""
    logits = np.concatenate([trained.logits(held, say) for trained, held in fits])
    targets = np.concatenate([targets_of(held, plan.run.recipe) for _, held in fits])
    temperature = fit_temperature(logits, targets)
    say(f"temperature {temperature:g}")
    scenes: list[Scored] = []
    beds: list[Scored] = []
    others: list[Scored] = []
    for number, (trained, held) in enumerate(fits):
        say(f"scoring the streams of cross-fit {number}")
        card = trained.card(replace(undecided(), temperature=temperature))
        streamer = Streamer(card, trained.flatbuffer())
        scenes += streamer.scenes(held, DEVELOPMENT_SNR_DB, plan.run.seed + number)
        beds += streamer.beds(held.backgrounds)
        others += streamer.joined(held.negatives, f"ESC {number}")
    return temperature, Heard(tuple(scenes), tuple(beds), tuple(others))


def _some_windows(part: Part, run: RunSpec, trained: Trained) -> Floats:
    mixer = make_mixer(part, trained.front_end, run.recipe, lambda done: None)
    return trained.scaling.apply(mixer.batch(64, np.random.default_rng((run.seed, 10**6 + 1)))[0])


def _quality(
    plan: Plan, clips: ClipFigures, alerts: Sequence[AlertFigures], bed_hours: float
) -> tuple[Quality, ...]:
    """The figures of exactly these weights: they never saw the test folds or the test backgrounds."""
    scenes = sum(row.scenes for row in alerts)
    figures = {
        "clip accuracy, ten classes, mean logits": clips.accuracy,
        "clip macro F1": clips.macro_f1,
        "foreground clips that raise their own alert, 15 dB over background, profile quiet": (
            sum(row.heard for row in alerts) / scenes
        ),
        "false alarms an hour of held-out background, profile quiet": (
            sum(row.false_alarms for row in alerts) / bed_hours
        ),
    }
    trained_on = ", ".join(map(str, plan.train_folds))
    tested_on = ", ".join(map(str, plan.test_folds))
    return tuple(
        Quality(
            measure=measure,
            value=round(value, 4),
            data=f"UrbanSound8K; these weights were trained on folds {trained_on} (as far as present)",
            fold=tested_on,
            seed=plan.run.seed,
            command=plan.command,
        )
        for measure, value in figures.items()
    )


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
