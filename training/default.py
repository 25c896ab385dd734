"""The recipe of the shipped model, from data to package.

1. Cross-fit: let the teacher hear scenes of two thirds of the training recordings, train on
   them, three times, so that each recording is scored once by a model that never heard it;
   fit temperature and thresholds on soundscapes and backgrounds that these models score.
2. Train on all training recordings and all lessons; the test fold and the test backgrounds are
   not read.
3. Test: accuracy on the clips of the test fold, alerts in streams, false alarms.
4. Convert to the streaming form, compare with Keras, write package and records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from monitor.features.spec import LogMelSpec
from monitor.model.card import Card, Quality
from monitor.model.package import write_package
from training.calibration import Heard, fit_class, fit_temperature
from training.data import CLASSES, LABELS, Clip, Corpora
from training.evaluation import (
    AlertFigures,
    ClipFigures,
    Streamer,
    alert_figures,
    clip_figures,
    streamer,
)
from training.export import to_tflite
from training.fit import Scaling
from training.mixing import Floats
from training.packaging import NAME, Facts, make_card, undecided
from training.prepare import RATE, FrontEnd
from training.soundscapes import ScapePlan, make_soundscapes
from training.splits import Part, cross_fit, split
from training.streaming.fit import StreamRun, make_mixer, measure_scaling, train
from training.streaming.lessons import LessonPlan, Lessons, joined, make_lessons
from training.streaming.network import check_parity, streaming
from training.streaming.scenes import Timing
from training.streams import Scored

CROSS_FITS = 3
HOP_FRAMES = 12
"""Frames between two sets of scores: 0.24 s."""
DEVELOPMENT_SCAPES = 40
"""Soundscapes of a minute that each cross-fitted model is judged on."""
TEST_SNR_DB = (15.0, 15.0)
_RISE_S, _FALL_S = 0.3, 1.0
"""For so long after a sound's onset and end a row is not asked what it should have said."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """One making of the model."""

    train_folds: tuple[int, ...]
    test_folds: tuple[int, ...]
    run: StreamRun
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
    run: StreamRun
    scaling: Scaling
    front_end: FrontEnd

    @property
    def spec(self) -> LogMelSpec:
        return self.front_end.spec.model_copy(update={"frames": self.run.network.frames})

    def streamed(self) -> Any:
        return streaming(self.model, self.run.network, HOP_FRAMES)

    def card(self, facts: Facts, state: int) -> Card:
        return make_card(self.spec, self.scaling, facts, HOP_FRAMES * self.spec.hop, state)


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
    say("fitting thresholds")
    classes = {label: fit_class(label, LABELS.index(label), heard) for label in CLASSES}
    final = _train(parts.train, plan, joined(lessons), front_end, runs / "final", say)
    streamed = final.streamed()
    flatbuffer, state = to_tflite(streamed), streamed.inputs[1].shape[1]
    facts = Facts(plan.version, _now(), temperature, classes, ())
    parity = check_parity(final.model, flatbuffer, _some_frames(parts.train, final), HOP_FRAMES, state)
    say(f"TFLite equals Keras within {parity:.1e}")
    listener = streamer(final.card(facts, state), flatbuffer)
    truth = np.array([CLASSES.index(label) for _, label in parts.test.events])
    clips = clip_figures(listener.logits(clip for clip, _ in parts.test.events), truth)
    scenes = listener.scenes(parts.test, TEST_SNR_DB, plan.run.seed)
    beds = listener.beds(parts.test.backgrounds)
    quiet = {label: card.profiles["quiet"] for label, card in classes.items()}
    alerts = alert_figures(scenes, beds, quiet)
    card = final.card(replace(facts, quality=_quality(plan, clips, alerts, _hours(beds))), state)
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
    mixer = make_mixer(part, front_end, plan.run.recipe, Timing())
    scaling = measure_scaling(mixer, plan.run.seed)
    model = train(plan.run, mixer, lessons, scaling, folder, lambda text: say(f"{folder.name}: {text}"))
    return Trained(model, plan.run, scaling, front_end)


def _cross_fits(
    part: Part, plan: Plan, school: School, front_end: FrontEnd, runs: Path, say: Say
) -> tuple[list[tuple[Trained, Part]], list[Lessons]]:
    """Return the cross-fitted models, each with what it never heard, and the lessons of all."""
    fits, lessons = [], []
    for number, (learn, held) in enumerate(cross_fit(part, CROSS_FITS)):
        name = f"cross{number}"
        lessons.append(
            make_lessons(
                learn, school.unlabelled, front_end, school.teacher, plan.lessons, Timing(),
                plan.run.recipe.faint_label, plan.run.seed,
                lambda done, name=name: say(f"{name}: {done} scenes heard"),
            )
        )  # fmt: skip
        fits.append((_train(learn, plan, lessons[-1], front_end, runs / name, say), held))
    return fits, lessons


def _heard(fits: Sequence[tuple[Trained, Part]], plan: Plan, say: Say) -> tuple[float, Heard]:
    """Return the temperature, and the scores that cross-fitted models give to what they never heard."""
    scenes: list[Scored] = []
    beds: list[Scored] = []
    others: list[Scored] = []
    for number, (trained, held) in enumerate(fits):
        say(f"scoring the streams of cross-fit {number}")
        listener = _listener(trained)
        scapes = make_soundscapes(held, ScapePlan(DEVELOPMENT_SCAPES, seed=plan.run.seed + number))
        scenes += listener.soundscapes(scapes)
        beds += listener.beds(held.backgrounds)
        others += listener.joined(held.negatives, f"ESC {number}")
    temperature = fit_temperature(*_rows([*scenes, *beds]))
    say(f"temperature {temperature:g}")
    spec = fits[0][0].spec
    window_s, hop_s = (frames * spec.hop / RATE for frames in (spec.frames, HOP_FRAMES))
    calibrated = (
        tuple(replace(s, scores=_recalibrated(s.scores, temperature)) for s in streams)
        for streams in (scenes, beds, others)
    )
    return temperature, Heard(*calibrated, window_s, hop_s)


def _listener(trained: Trained) -> Streamer:
    streamed = trained.streamed()
    card = trained.card(undecided(), streamed.inputs[1].shape[1])
    return streamer(card, to_tflite(streamed))


def _rows(streams: Sequence[Scored]) -> tuple[Floats, Floats]:
    """Return logits and targets of the ten classes, one after another, where it is known what holds."""
    logits, targets = [], []
    for stream in streams:
        scores = stream.scores[:, : len(CLASSES)].astype(np.float64).clip(1e-6, 1 - 1e-6)
        holds, known = np.zeros(scores.shape), np.ones(scores.shape, bool)
        for label, onset_s, offset_s in stream.sounds:
            column, since = CLASSES.index(label), stream.times_s - onset_s
            holds[(since > _RISE_S) & (stream.times_s <= offset_s), column] = 1.0
            known[(since > 0) & (since <= _RISE_S), column] = False
            known[(stream.times_s > offset_s) & (stream.times_s <= offset_s + _FALL_S), column] = False
        logits.append(np.log(scores / (1 - scores))[known | (holds > 0)])
        targets.append(holds[known | (holds > 0)])
    return np.concatenate(logits).astype(np.float32), np.concatenate(targets).astype(np.float32)


def _recalibrated(scores: Floats, temperature: float) -> Floats:
    """Scores of temperature 1 at another."""
    safe = scores.astype(np.float64).clip(1e-6, 1 - 1e-6)
    odds = (safe / (1 - safe)) ** (1 / temperature)
    recalibrated: Floats = (odds / (1 + odds)).astype(np.float32)
    return recalibrated


def _some_frames(part: Part, trained: Trained) -> Floats:
    """A training scene as the network sees it, shape (frames, n_mels)."""
    mixer = make_mixer(part, trained.front_end, trained.run.recipe, Timing())
    scene = mixer.batch(1, np.random.default_rng((trained.run.seed, 10**6 + 1)))
    return trained.scaling.apply(scene.decibels)[0]


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
