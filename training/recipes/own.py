"""A model of a user's own sounds: from a folder per class to a package, in minutes.

1. Cross-fit: train on two thirds of the recordings, three times, so that each recording is scored
   once by a network for which it is held out.
2. Fit temperature and thresholds on those scores. The figures of a third use settings fitted on the
   other two thirds.
3. Train on everything with the same settings; convert, compare with Keras, write the package.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from monitor.model.card import Card, Quality
from monitor.model.package import write_package
from training.base.progress import Progress
from training.data.folders import Sounds
from training.data.splits import Part, cross_fit
from training.export.conversion import to_tflite
from training.export.package import Facts, Identity, make_card, undecided
from training.export.parity import check_parity
from training.features.front_end import FrontEnd
from training.fit.trained import train
from training.fit.windows import RunSpec, Scaling, measure_scaling
from training.mixing.mixer import Mixer, Recipe
from training.mixing.prepare import make_mixer
from training.mixing.soundscapes import ScapePlan
from training.networks.compact import NetworkSpec
from training.scoring.calibration import Temper
from training.scoring.evaluation import AlertFigures, ClipFigures, clip_figures, streamer
from training.scoring.held_out import FoldScores, decide, hear, judge

GROUPS = 3
HOP_FRAMES = 12
"""Frames per hop: 0.24 s."""
_SCAPES = (6, 40)
"""Least and most one-minute soundscapes per third of the recordings."""


@dataclass(frozen=True)
class OwnPlan:
    """Settings of one model build."""

    run: RunSpec
    identity: Identity
    version: str
    command: str


@dataclass(frozen=True)
class OwnOutcome:
    """All results of one model build.

    ``clips`` and ``alerts`` are of recordings held out from the network that scored them; ``minutes`` is the
    total training time.
    """

    card: Card
    flatbuffer: bytes
    parity: float
    accuracies: tuple[float, ...]
    clips: ClipFigures
    alerts: tuple[AlertFigures, ...]
    bed_hours: float
    minutes: float

    def write(self, path: Path, labels: Sequence[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_package(path, self.flatbuffer, labels, self.card)


def small_run(seed: int, epochs: int) -> RunSpec:
    """Return a run of a small network and small batches, enough for a few sounds."""
    network = NetworkSpec(frames=48, stem=10, blocks=(16, 32, 64), top=96, level="window")
    return RunSpec(network, Recipe(smoothing=0.04), seed, epochs, steps=50, batch=32)


def make(plan: OwnPlan, sounds: Sounds, front_end: FrontEnd, runs: Path, say: Progress) -> OwnOutcome:
    """Run the whole recipe; every training resumes from ``runs`` if interrupted."""
    front_end = front_end.cut(plan.run.network.frames)
    course = _Course(plan, sounds, front_end, runs, _Estimate(say, plan.run.epochs))
    thirds = [course.third(number, *parts) for number, parts in enumerate(cross_fit(sounds.part, GROUPS))]
    say("fitting thresholds")
    tempers = {label: temper_of(sounds, label) for label in sounds.classes}
    alerts = []
    for third in thirds:
        others = [other for other in thirds if other is not third]
        alerts.append(judge(third, decide(others, say, tempers)).alerts["quiet"])
    decided = decide(thirds, say, tempers)
    scaling, model = course.trained(sounds.part, "final")
    flatbuffer = to_tflite(model)
    windows, _ = course.mixer(sounds.part).batch(16, np.random.default_rng(plan.run.seed))
    parity = check_parity(model, flatbuffer, scaling.apply(windows))
    say(f"TFLite equals Keras within {parity:.1e}")
    accuracies = tuple(clip_figures(third.logits, third.truth).accuracy for third in thirds)
    logits, truth = (np.concatenate([getattr(t, name) for t in thirds]) for name in ("logits", "truth"))
    clips, pooled = clip_figures(logits, truth), tuple(map(_pooled, zip(*alerts, strict=True)))
    hours = sum(bed.seconds for third in thirds for bed in third.heard.beds) / 3600
    quality = _quality(plan, sounds, clips, pooled, hours)
    facts = Facts(plan.version, _now(), decided.temperature, decided.classes, quality)
    card = course.card(scaling, facts)
    return OwnOutcome(card, flatbuffer, parity, accuracies, clips, pooled, hours, course.minutes())


class _Estimate:
    """Reports each epoch and the estimated time remaining for all trainings."""

    def __init__(self, say: Progress, epochs: int) -> None:
        self._say, self._epochs, self._begun = say, epochs, time.monotonic()
        self._done = self._in_run = 0
        self._runs = GROUPS + 1

    def of(self, name: str) -> Progress:
        """Return the progress callback of the next training."""
        self._runs, self._in_run = self._runs - 1, 0

        def tell(text: str) -> None:
            self._done, self._in_run = self._done + 1, self._in_run + 1
            pace_s = (time.monotonic() - self._begun) / self._done
            left_s = pace_s * (self._runs * self._epochs + self._epochs - self._in_run)
            self._say(f"{name}: {text}; about {left_s / 60:.0f} min left")

        return tell


@dataclass
class _Course:
    """State shared by all trainings of a build."""

    plan: OwnPlan
    sounds: Sounds
    front_end: FrontEnd
    runs: Path
    estimate: _Estimate
    _folders: list[Path] = field(default_factory=list)

    def mixer(self, part: Part) -> Mixer:
        recipe = self.plan.run.recipe
        return make_mixer(part, self.front_end, recipe, lambda done: None, self.sounds.labels)

    def trained(self, part: Part, name: str) -> tuple[Scaling, Any]:
        run, mixer = self.plan.run, self.mixer(part)
        scaling = measure_scaling(mixer, run.seed)
        # Other sounds or settings are another run, whose state must not be resumed.
        folder = self.runs / f"{name}-{_key(part, self.front_end, run)}"
        self._folders.append(folder)
        outputs = len(self.sounds.labels)
        return scaling, train(run, outputs, mixer, scaling, folder, self.estimate.of(name))

    def minutes(self) -> float:
        """Duration of all trainings, without interruptions."""
        seconds = 0.0
        for path in self._folders:
            with np.load(path / "state.npz") as state:
                seconds += sum(row["seconds"] for row in json.loads(str(state["history"])))
        return seconds / 60

    def card(self, scaling: Scaling, facts: Facts) -> Card:
        spec = self.front_end.spec
        return make_card(spec, scaling, facts, HOP_FRAMES * spec.hop, self.plan.identity)

    def third(self, number: int, learn: Part, held: Part) -> FoldScores:
        """Train without the held-out part and score it."""
        scaling, model = self.trained(learn, f"cross{number}")
        labels, seed = self.sounds.labels, self.plan.run.seed
        card = self.card(scaling, undecided(self.sounds.classes))
        listener = streamer(card, to_tflite(model), labels)
        count = int(np.clip(len(held.events) // 4, *_SCAPES))
        return hear(held, listener, number, seed, card, labels, ScapePlan(count, seed=seed + number))


def _key(part: Part, front_end: FrontEnd, run: RunSpec) -> str:
    """Return a digest of everything that decides a training."""
    digest = hashlib.sha256(f"{front_end.spec.model_dump_json()} {asdict(run)}".encode())
    for clip in (*(c for c, _ in part.events), *part.negatives, *part.backgrounds):
        digest.update(f"{clip.path.name} {clip.path.stat().st_size}\n".encode())
    return digest.hexdigest()[:20]


def temper_of(sounds: Sounds, label: str) -> Temper:
    """Derive a class's prior settings from the lengths of its sounds."""
    lengths = [soundfile.info(clip.path).duration for clip, name in sounds.part.events if name == label]
    shortest_s = round(float(np.clip(np.quantile(lengths, 0.1), 0.25, 2.0)), 2)
    if np.median(lengths) < 1.5:
        return Temper(shortest_s, (0.0, 0.5), (0.0, 0.25, 0.5), 1.0)
    return Temper(shortest_s, (0.0, 0.5, 1.0, 2.0), (0.0, 0.25, 0.5, 1.0), 2.0)


def _pooled(rows: Sequence[AlertFigures]) -> AlertFigures:
    """Pool one class's alerts over all thirds."""
    return AlertFigures(
        rows[0].label,
        scenes=sum(row.scenes for row in rows),
        heard=sum(row.heard for row in rows),
        wrong=sum(row.wrong for row in rows),
        false_alarms=sum(row.false_alarms for row in rows),
        delays_s=tuple(delay for row in rows for delay in row.delays_s),
    )


def _quality(
    plan: OwnPlan, sounds: Sounds, clips: ClipFigures, alerts: Sequence[AlertFigures], hours: float
) -> tuple[Quality, ...]:
    files = len(sounds.part.events)
    figures = {
        f"clip accuracy, {len(sounds.classes)} classes, mean logits": clips.accuracy,
        "clip macro F1": clips.macro_f1,
        "clips that raise their own alert, 15 dB over background, profile quiet": (
            sum(row.heard for row in alerts) / sum(row.scenes for row in alerts)
        ),
        f"false alarms an hour of background ({hours * 60:.0f} minutes), profile quiet": (
            sum(row.false_alarms for row in alerts) / hours
        ),
    }
    return tuple(
        Quality(
            measure=measure,
            value=round(value, 4),
            data=f"{files} files of the user's own, each judged by a network that never heard its recording",
            fold=f"{GROUPS} groups of recordings",
            seed=plan.run.seed,
            command=plan.command,
            recipe_cv=True,
        )
        for measure, value in figures.items()
    )


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
