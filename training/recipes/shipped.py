"""The recipe of the shipped model, from data to package.

1. Leave each fold out in turn: build a distillation set from mixtures of the other folds, train on
   it, score the held-out fold. Further seeds do the same for the figures.
2. Fit temperature and thresholds on all held-out scores; for a fold's figures on the other folds only.
3. Train the shipped model on everything with the same settings.
4. Convert to the streaming form, compare with Keras, write package and records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from monitor.features.spec import LogMelSpec
from monitor.model.card import Card, Quality
from monitor.model.package import write_package
from training.base.arrays import Floats
from training.base.progress import Progress, Tick
from training.data.corpora import CLASSES, LABELS, Clip, Corpora
from training.data.splits import Part, everything, leave_one_out
from training.export.conversion import to_tflite
from training.export.package import NAME as PACKAGE
from training.export.package import Facts, make_card, undecided
from training.export.parity import check_streaming_parity
from training.features.front_end import FrontEnd
from training.fit.distillation import cache_key
from training.fit.lessons import LessonPlan, Lessons, joined, make_lessons
from training.fit.loop import Row, history_of
from training.fit.streaming import StreamRun, train
from training.fit.windows import Scaling, measure_scaling
from training.mixing.prepare import make_mixer
from training.networks.streaming import streaming
from training.scoring.calibration import BUDGETS
from training.scoring.evaluation import streamer
from training.scoring.held_out import Decided, FoldFigures, FoldScores, decide, hear, judge
from training.scoring.reliability import reliability

NAME = "default"
HOP_FRAMES = 24
"""Frames per hop: 0.48 s, at which inference costs less than a tenth of YAMNet's (`bench`)."""


@dataclass(frozen=True)
class ShippedPlan:
    """Settings of one model build; the first of ``seeds`` is shipped, the others add to the figures.

    ``name`` identifies the recipe and its variations.
    """

    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    run: StreamRun
    lessons: LessonPlan
    version: str
    command: str
    name: str = NAME


@dataclass(frozen=True)
class School:
    """Sources of the distillation set: the teacher's file, and unlabelled sounds."""

    teacher: Path
    unlabelled: tuple[Clip, ...]


@dataclass(frozen=True)
class Trained:
    """A run's network with everything needed to use it."""

    model: Any
    run: StreamRun
    scaling: Scaling
    front_end: FrontEnd

    @property
    def spec(self) -> LogMelSpec:
        return self.front_end.spec.model_copy(update={"frames": self.run.network.frames})

    def converted(self) -> tuple[bytes, int]:
        """Return the streaming form as flatbuffer, and the length of its state."""
        streamed = streaming(self.model, self.run.network, HOP_FRAMES)
        return to_tflite(streamed), int(streamed.inputs[1].shape[1])

    def card(self, facts: Facts, state: int) -> Card:
        return make_card(self.spec, self.scaling, facts, HOP_FRAMES * self.spec.hop, state)


@dataclass(frozen=True)
class Package:
    """The contents of a package for the monitor."""

    card: Card
    flatbuffer: bytes

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_package(path, self.flatbuffer, LABELS, self.card)
        return path


@dataclass(frozen=True)
class ShippedOutcome:
    """All results of one model build.

    Parameters
    ----------
    apart
        By fold, the network of the first seed that held it out, with settings from the other folds.
    histories
        The epochs of each evaluated network.
    unrejected
        The first seed's figures with all settings fitted without the reject rule.
    """

    package: Package
    parity: float
    apart: dict[int, Package]
    hearings: tuple[FoldScores, ...]
    histories: tuple[list[Row], ...]
    figures: tuple[FoldFigures, ...]
    unrejected: tuple[FoldFigures, ...]


@dataclass(frozen=True)
class _Fit:
    """A network with a held-out fold: its conversion, and its scores of the fold."""

    trained: Trained
    flatbuffer: bytes
    state: int
    hearing: FoldScores
    history: list[Row]

    def package(self, facts: Facts) -> Package:
        return Package(self.trained.card(facts, self.state), self.flatbuffer)


def make(
    plan: ShippedPlan, corpora: Corpora, school: School, front_end: FrontEnd, runs: Path, say: Progress
) -> ShippedOutcome:
    """Run the whole recipe; every run resumes from ``runs`` if interrupted."""
    front_end = front_end.cut(plan.run.network.window)
    fits, lessons = _leave_each_out(plan, corpora, school, front_end, runs, say)
    figures, unrejected, apart = [], [], {}
    for fit in fits:
        others = [f.hearing for f in fits if _same_seed(f, fit) and f is not fit]
        decided = decide(others, say)
        figures.append(judge(fit.hearing, decided))
        if fit.hearing.seed == plan.seeds[0]:
            unrejected.append(judge(fit.hearing, decide(others, say, reject=None)))
            held = _quality(plan, figures[-1:], recipe_cv=False)
            apart[fit.hearing.fold] = fit.package(_facts(plan, decided, held))
    decided = decide([fit.hearing for fit in fits if fit.hearing.seed == plan.seeds[0]], say)
    part = everything(corpora, plan.folds)
    run = replace(plan.run, seed=plan.seeds[0])
    final = _train(part, run, joined(lessons), front_end, runs / "final", say)
    flatbuffer, state = final.converted()
    parity = check_streaming_parity(
        final.model, final.run.network, flatbuffer, _some_frames(part, final), HOP_FRAMES, state
    )
    say(f"TFLite equals Keras within {parity:.1e}")
    quality = (*_quality(plan, figures, recipe_cv=True), _conversion(plan, parity))
    facts = _facts(plan, decided, quality)
    package = Package(final.card(facts, state), flatbuffer)
    hearings, histories = zip(*((fit.hearing, fit.history) for fit in fits), strict=True)
    return ShippedOutcome(package, parity, apart, hearings, histories, tuple(figures), tuple(unrejected))


def write(outcome: ShippedOutcome, models: Path, runs: Path) -> Path:
    """Write the package into ``models``, those of the single folds into ``runs``; return the first's path."""
    for fold, package in outcome.apart.items():
        package.write(runs / f"without-fold{fold}.tflite")
    return outcome.package.write(models / f"{PACKAGE}.tflite")


def _same_seed(one: _Fit, other: _Fit) -> bool:
    return one.hearing.seed == other.hearing.seed


def _leave_each_out(
    plan: ShippedPlan, corpora: Corpora, school: School, front_end: FrontEnd, runs: Path, say: Progress
) -> tuple[list[_Fit], list[Lessons]]:
    """Return a network per seed and fold, and the first seed's distillation sets."""
    fits, lessons = [], {}
    apart = leave_one_out(corpora, plan.folds)

    def tick_of(fold: int) -> Tick:
        return lambda done: say(f"without fold {fold}: {done} mixtures embedded by the teacher")

    for fold, parts in apart.items():
        lessons[fold] = make_lessons(
            parts.train, school.unlabelled, front_end, plan.run.network.lead, school.teacher, plan.lessons,
            plan.run.recipe.faint_label, plan.run.seed, tick_of(fold),
        )  # fmt: skip
    for seed in plan.seeds:
        for fold, parts in apart.items():
            run, folder = replace(plan.run, seed=seed), runs / f"fold{fold}-seed{seed}"
            trained = _train(parts.train, run, lessons[fold], front_end, folder, say)
            flatbuffer, state = trained.converted()
            say(f"{folder.name}: scoring the held-out fold")
            card = trained.card(undecided(), state)
            hearing = hear(parts.test, streamer(card, flatbuffer), fold, seed, card)
            fits.append(_Fit(trained, flatbuffer, state, hearing, history_of(folder)))
    return fits, list(lessons.values())


def _train(
    part: Part, run: StreamRun, lessons: Lessons, front_end: FrontEnd, folder: Path, say: Progress
) -> Trained:
    mixer = make_mixer(part, front_end, run.recipe, lambda done: None, run.network.lead)
    scaling = measure_scaling(mixer, run.seed)
    heard = f"{cache_key(part, (), front_end)} {lessons.digest()}"
    model = train(run, mixer, lessons, scaling, folder, lambda text: say(f"{folder.name}: {text}"), heard)
    return Trained(model, run, scaling, front_end)


def _facts(plan: ShippedPlan, decided: Decided, quality: tuple[Quality, ...]) -> Facts:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Facts(plan.version, now, decided.temperature, decided.classes, quality, decided.reject)


def _some_frames(part: Part, trained: Trained) -> Floats:
    """Return concatenated training windows as the network's input, shape (frames, n_mels)."""
    run = trained.run
    mixer = make_mixer(part, trained.front_end, run.recipe, lambda done: None, run.network.lead)
    windows, _ = mixer.batch(4, np.random.default_rng((run.seed, 10**6 + 1)))
    return trained.scaling.apply(np.concatenate(windows))


def _conversion(plan: ShippedPlan, parity: float) -> Quality:
    return Quality(
        measure="largest difference of a logit, TFLite in float32 and Keras, relative to the largest",
        value=float(f"{parity:.2g}"),
        data="training windows, one after another",
        fold="none",  # a number would claim that these weights held out that fold
        seed=plan.seeds[0],
        command=plan.command,
    )


def _quality(plan: ShippedPlan, figures: Sequence[FoldFigures], *, recipe_cv: bool) -> tuple[Quality, ...]:
    """Return means over folds and seeds, each fold scored by a network that held it out."""
    hours = sum(bed.seconds for one in figures for bed in one.beds) / 3600
    clips = [one.clips.confusion for one in figures]
    scores, targets = (np.concatenate(c) for c in zip(*(one.questions for one in figures), strict=True))
    values = {
        "clip accuracy, ten classes, mean logits": (
            sum(matrix.trace() for matrix in clips) / sum(matrix.sum() for matrix in clips)
        ),
        "clip macro F1": float(np.mean([one.clips.macro_f1 for one in figures])),
        "expected calibration error of rows": reliability(scores, targets, CLASSES)[-1].ece,
    }
    for profile in BUDGETS:
        alerts = [row for one in figures for row in one.alerts[profile]]
        values[f"foreground clips that raise their own alert, 15 dB over background, profile {profile}"] = (
            sum(row.heard for row in alerts) / sum(row.scenes for row in alerts)
        )
        values[f"false alarms an hour of unheard background, profile {profile}"] = (
            sum(row.false_alarms for row in alerts) / hours
        )
    folds = sorted({one.fold for one in figures})
    others = ", ".join(str(fold) for fold in plan.folds if recipe_cv or fold not in folds)
    seeds = ", ".join(str(seed) for seed in sorted({one.seed for one in figures}))
    rule = "each fold by a network trained on the others" if recipe_cv else f"trained on folds {others}"
    return tuple(
        Quality(
            measure=measure,
            value=round(float(value), 4),
            data=f"UrbanSound8K (as far as present); {rule}, thresholds from them; seeds {seeds}",
            fold=", ".join(map(str, folds)),
            seed=figures[0].seed,
            command=plan.command,
            recipe_cv=recipe_cv,
        )
        for measure, value in values.items()
    )
