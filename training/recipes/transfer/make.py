"""The recipe of the shipped model, from data to package.

1. Leave each fold out in turn: draw mixtures of the other folds, train on them, score the held-out
   fold. Further seeds do the same for the figures.
2. Fit the classes' AudioSet supports and the thresholds on all held-out scores; for a fold's figures
   on the other folds only.
3. Train the shipped model on everything with the same settings; convert and compare with Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from monitor.model.card import MultiHeadCard, Outputs, ProfileName
from monitor.model.package import write_package
from monitor.settings import ClassSettings
from training.base.arrays import Floats
from training.base.progress import Progress
from training.base.tflite import operator_names
from training.data.corpora import BACKGROUND, LABELS, Clip, Corpora
from training.data.splits import Part, everything, leave_one_out
from training.errors import ExportError
from training.export.conversion import Weights, to_tflite
from training.export.package import TRANSFER
from training.features.front_end import audioset_front_end
from training.mixing.streams import Scored
from training.networks import mn04
from training.recipes.transfer.fine_tune import FineTuning, fine_tune
from training.recipes.transfer.held_out import streams_of
from training.recipes.transfer.mixtures import MixturePlan, Mixtures, Sources, make_mixtures
from training.recipes.transfer.scores import score, supported
from training.recipes.transfer.thresholds import BUDGETS, PartScores, Rules, choose
from training.recipes.transfer.trunk import (
    FRAMES,
    HOP_FRAMES,
    Pretrained,
    frozen_blocks,
    whole,
    without_dropout,
)
from training.recipes.transfer.trunk import (
    Outputs as Run,
)
from training.scoring.evaluation import AlertFigures, alert_figures
from training.scoring.held_out import FoldFigures, judge

NAME = "default"


@dataclass(frozen=True)
class Plan:
    """Settings of one model build; the first of ``seeds`` is shipped, the others add to the figures.

    Parameters
    ----------
    form
        Weight format of the flatbuffer.
    """

    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    version: str
    command: str
    mixtures: MixturePlan = field(default_factory=MixturePlan)
    tuning: FineTuning = field(default_factory=FineTuning)
    form: Weights = "float16"


@dataclass(frozen=True)
class Workshop:
    """Resources shared by all steps.

    Parameters
    ----------
    frozen
        The frozen blocks as TFLite.
    runs
        Folder of trained networks.
    jobs
        Number of processes.
    """

    sources: Sources
    pretrained: Pretrained
    frozen: bytes
    runs: Path
    jobs: int
    report: Progress

    def mixtures(self, part: Part, plan: MixturePlan, name: str) -> Mixtures:
        return make_mixtures(part, self.sources, plan, self.frozen, self.jobs, self._named(name))

    def train(self, mixtures: Mixtures, tuning: FineTuning, name: str) -> Any:
        return fine_tune(mixtures, self.pretrained, tuning, self.runs / name, self._named(name))

    def score(self, part: Part, upper: Any, fold: int, seed: int) -> PartScores:
        name = f"fold {fold}"
        streams = streams_of(part, self.sources.front_end, self.frozen, self.jobs, self._named(name))
        labels = mn04.audioset_labels(self.pretrained.labels)
        scored = score(streams, to_tflite(without_dropout(self.pretrained, upper)), labels)
        return PartScores(fold, seed, part, scored)

    def _named(self, name: str) -> Progress:
        return lambda text: self.report(f"{name}: {text}")


class SoundscapeRow(Protocol):
    """One class in soundscapes: its sounds, how many were detected, F1 of onsets and of segments."""

    @property
    def label(self) -> str: ...
    @property
    def sounds(self) -> int: ...
    @property
    def heard(self) -> int: ...
    @property
    def onset_f1(self) -> float: ...
    @property
    def segment_f1(self) -> float: ...


JudgeSoundscapes = Callable[[Sequence[Scored], Mapping[str, ClassSettings]], Sequence[SoundscapeRow]]


@dataclass(frozen=True)
class FoldResult:
    """Figures of a fold under rules fitted on the other folds.

    Parameters
    ----------
    sirens
        By profile, the reported sirens at 5 dB over background, and their number.
    """

    figures: FoldFigures
    soundscapes: Mapping[ProfileName, Sequence[SoundscapeRow]]
    sirens: Mapping[ProfileName, tuple[int, int]]


@dataclass(frozen=True)
class Outcome:
    """All results of one model build.

    Parameters
    ----------
    parity
        Largest difference of an output between TFLite float32 and Keras, relative to the largest output.
    results
        Results of each fold and seed, with rules from the other folds.
    """

    card: MultiHeadCard
    flatbuffer: bytes
    sounds: tuple[str, ...]
    parity: float
    rules: Rules
    results: tuple[FoldResult, ...]

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_package(path, self.flatbuffer, LABELS, self.card, self.sounds)
        return path


def workshop(
    corpora: Corpora, unlabelled: tuple[Clip, ...], root: Path, cache: Path, runs: Path, jobs: int,
    report: Progress,
) -> Workshop:  # fmt: skip
    """Return the resources of the steps, for the data folder ``root``."""
    pretrained = Pretrained.under(root)
    clips = (*corpora.urban, *corpora.esc, *corpora.backgrounds)
    tested = {clip.group for clip in clips}
    unlabelled = tuple(clip for clip in unlabelled if clip.group not in tested)
    sources = Sources(clips, unlabelled, audioset_front_end(cache, FRAMES))
    return Workshop(sources, pretrained, frozen_blocks(pretrained), runs, jobs, report)


def make(plan: Plan, corpora: Corpora, shop: Workshop, soundscapes: JudgeSoundscapes) -> Outcome:
    """Run the whole recipe; resumes from ``shop.runs`` if interrupted.

    Parameters
    ----------
    soundscapes
        Evaluates scored soundscapes with the settings of a profile.
    """
    scored = leave_each_out(plan, corpora, shop)
    results = tuple(result_of(one, scored, soundscapes) for one in scored)
    rules = choose([one for one in scored if one.seed == plan.seeds[0]])
    part = everything(corpora, plan.folds)
    mixtures = shop.mixtures(part, plan.mixtures, "final")
    upper = shop.train(mixtures, replace(plan.tuning, seed=plan.seeds[0]), "final")
    network = whole(shop.pretrained, upper)
    parity = check(network, to_tflite(network), windows=16)
    shop.report(f"TFLite equals Keras within {parity:.1e}")
    sounds = mn04.audioset_labels(shop.pretrained.labels)
    card = make_card(plan, rules, shop)
    return Outcome(card, to_tflite(network, plan.form), sounds, parity, rules, results)


def leave_each_out(plan: Plan, corpora: Corpora, shop: Workshop) -> list[PartScores]:
    """Return the scores of each fold by networks that held it out, one per seed."""
    scored = []
    for fold, parts in leave_one_out(corpora, plan.folds).items():
        mixtures = shop.mixtures(parts.train, plan.mixtures, f"without fold {fold}")
        for seed in plan.seeds:
            upper = shop.train(mixtures, replace(plan.tuning, seed=seed), run_name(fold, seed))
            scored.append(shop.score(parts.test, upper, fold, seed))
    return scored


def run_name(fold: int, seed: int) -> str:
    """Return the folder, under the runs, of the network that held out a fold."""
    return f"fold{fold}-seed{seed}"


def result_of(one: PartScores, scored: Sequence[PartScores], soundscapes: JudgeSoundscapes) -> FoldResult:
    """Evaluate a fold with rules from the other folds of its seed."""
    rules = choose([other for other in scored if other.seed == one.seed and other.fold != one.fold])
    hearing = one.hearing(rules.supports)
    sirens = tuple(supported(raw, rules.supports) for raw in one.streams["sirens"])
    by_profile = {profile: rules.decided.settings(profile) for profile in BUDGETS}
    return FoldResult(
        judge(hearing, rules.decided),
        {name: soundscapes(hearing.heard.scenes, kept) for name, kept in by_profile.items()},
        {name: _siren(alert_figures(sirens, (), kept)) for name, kept in by_profile.items()},
    )


def _siren(rows: Sequence[AlertFigures]) -> tuple[int, int]:
    return next((row.heard, row.scenes) for row in rows if row.label == "siren")


def check(network: Any, flatbuffer: bytes, windows: int) -> float:
    """Return the largest difference of an output on random windows, relative to the largest of its kind.

    Raises
    ------
    ExportError
        If light runtimes lack an operator, or the difference is above 1e-4.
    """
    bad = [name for name in operator_names(flatbuffer) if name.startswith(("Flex", "VAR_HANDLE"))]
    if bad:
        raise ExportError(f"the converted model needs {', '.join(bad)}; light runtimes lack them")
    run, rng, largest = Run(flatbuffer), np.random.default_rng(0), 0.0
    for _ in range(windows):
        window: Floats = rng.normal(0.0, 0.7, (FRAMES, mn04.BANDS)).astype(np.float32)
        given = run(window)
        for output in network(window[None], training=False):
            expected = np.asarray(output)[0]
            difference = np.abs(given[len(expected)] - expected).max() / np.abs(expected).max()
            largest = max(largest, float(difference))
    if not largest < 1e-4:
        raise ExportError(f"TFLite differs from Keras by {largest:.2g}")
    return largest


def make_card(plan: Plan, rules: Rules, shop: Workshop) -> MultiHeadCard:
    """Return the card of the shipped model, without figures."""
    front_end = shop.sources.front_end
    return MultiHeadCard(
        schema=2,
        name=TRANSFER.name,
        version=plan.version,
        created=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        licence=TRANSFER.licence,
        data_licences=TRANSFER.data_licences,
        sample_rate=front_end.rate,
        window=front_end.window,
        hop=HOP_FRAMES * front_end.spec.hop,
        front_end=front_end.spec,
        output="logits",
        classes=dict(rules.decided.classes),
        negative_labels=(BACKGROUND,),
        outputs=Outputs(classes=len(LABELS), sounds=mn04.AUDIOSET, embedding=mn04.EMBEDDING),
        support=dict(rules.supports),
    )
