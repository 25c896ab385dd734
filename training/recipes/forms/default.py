"""The forms of the default recipe's network on the fold that it held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from monitor.features.logmel import LogMel
from monitor.features.window import SlidingWindow
from monitor.model.classifier import Inference
from monitor.records import Samples
from training.base.arrays import Floats
from training.data.corpora import CLASSES, LABELS, Clip, Corpora
from training.data.splits import Part, Split, leave_one_out
from training.export.conversion import Weights
from training.features.front_end import AudioSetFrontEnd
from training.mixing.streams import Scored
from training.networks import mn04
from training.recipes.forms.figures import Figure, FormFigures, UnitCounts, by_unit, paired
from training.recipes.forms.make import NAMES, Converted, convert_all, form_figures, windows_of
from training.recipes.transfer.held_out import Kind, scored_streams
from training.recipes.transfer.make import JudgeSoundscapes, Plan, Workshop, leave_each_out
from training.recipes.transfer.scores import AUDIOSET_LABELS, Raw
from training.recipes.transfer.thresholds import BUDGETS, PartScores, Rules, choose
from training.recipes.transfer.trunk import HOP_FRAMES, Outputs, whole
from training.scoring.evaluation import Streamer, alert_figures

_KINDS: tuple[Kind, ...] = ("scapes", "beds", "alone", "clips")
_HEAD = len(LABELS)


@dataclass(frozen=True)
class _Judged:
    """What one form got right on a fold; F1 by measure."""

    counts: Mapping[str, UnitCounts]
    f1: Mapping[str, float]
    scores: Floats


class _Scorer:
    """Gives the class logits and the classes' AudioSet logits of several networks at each hop."""

    def __init__(
        self, front_end: AudioSetFrontEnd, networks: Sequence[bytes], groups: Sequence[Sequence[int]]
    ) -> None:
        spec = front_end.spec
        self._front_end = LogMel(spec, front_end.rate, HOP_FRAMES)
        self._window = SlidingWindow(spec.frames, (spec.n_mels,), warmup="repeat")
        self._runs, self._groups = [Outputs(one) for one in networks], groups

    def reset(self) -> None:
        self._front_end.reset()
        self._window.reset()

    def push(self, hop: Samples) -> Inference:
        window = self._window.push(self._front_end.push(hop))
        rows = []
        for run in self._runs:
            given = run(window)
            highest = [given[mn04.AUDIOSET][group].max() for group in self._groups]
            rows += [given[_HEAD], np.array(highest, np.float32)]
        return Inference(np.concatenate(rows))


def measure_default(
    plan: Plan, corpora: Corpora, shop: Workshop, soundscapes: JudgeSoundscapes, other: Path | None
) -> tuple[list[FormFigures], float]:
    """Return the forms of the network that held the first fold out, and :attr:`Converted.rounded_input`.

    The fold is judged with supports and thresholds of the other folds, as for the model's own figures.
    """
    fold, seed = plan.folds[0], plan.seeds[0]
    scored = leave_each_out(replace(plan, seeds=(seed,)), corpora, shop)
    rules = choose([one for one in scored if one.fold != fold])
    parts = leave_one_out(corpora, plan.folds)[fold]
    made = _converted(plan, shop, fold, parts, other)
    shop.report(f"fold {fold}: scoring with {', '.join(made.flatbuffers)}")
    judged = {
        form: _judged(PartScores(fold, seed, parts.test, streams), rules, soundscapes)
        for form, streams in _streams(parts.test, shop, made).items()
    }
    return _compared(made, judged), made.rounded_input


def _converted(plan: Plan, shop: Workshop, fold: int, parts: Split, other: Path | None) -> Converted:
    """Convert the network that held a fold out; its training recordings calibrate int8."""
    mixtures = shop.mixtures(parts.train, plan.mixtures, f"without fold {fold}")
    seed = plan.seeds[0]
    upper = shop.train(mixtures, replace(plan.tuning, seed=seed), f"fold{fold}-seed{seed}")
    spec = shop.sources.front_end.spec
    train, test = (
        windows_of([clip.path for clip in _clips(part)], spec, HOP_FRAMES)
        for part in (parts.train, parts.test)
    )
    names = {**NAMES, _HEAD: "classes"}
    return convert_all(whole(shop.pretrained, upper), names, train, test, other, shop.report)


def _clips(part: Part) -> list[Clip]:
    return [*(clip for clip, _ in part.events), *part.negatives, *part.backgrounds]


def _streams(part: Part, shop: Workshop, made: Converted) -> dict[Weights, dict[Kind, tuple[Raw, ...]]]:
    """Return the part's streams as scored by each form, through the daemon's front end and window."""
    front_end, names = shop.sources.front_end, mn04.audioset_labels(shop.pretrained.labels)
    groups = [[names.index(name) for name in AUDIOSET_LABELS[label]] for label in CLASSES]
    scorer = _Scorer(front_end, list(made.flatbuffers.values()), groups)
    streamer = Streamer(scorer, HOP_FRAMES * front_end.spec.hop, front_end.rate)
    every: dict[Kind, tuple[Scored, ...]] = {"others": ()}
    for kind in _KINDS:
        every[kind] = tuple(scored_streams(streamer, part, front_end.rate, kind))
        shop.report(f"scored {kind}")
    size = _HEAD + len(CLASSES)
    return {
        form: {
            kind: tuple(_raw(one, number * size) for one in streams) for kind, streams in every.items()
        }
        for number, form in enumerate(made.flatbuffers)
    }  # fmt: skip


def _raw(stream: Scored, at: int) -> Raw:
    head = stream.scores[:, at : at + _HEAD]
    return Raw(stream, head, stream.scores[:, at + _HEAD : at + _HEAD + len(CLASSES)])


def _judged(one: PartScores, rules: Rules, soundscapes: JudgeSoundscapes) -> _Judged:
    hearing = one.hearing(rules.supports)
    right = hearing.logits[:, : len(CLASSES)].argmax(axis=1) == hearing.truth
    recordings = [clip.group for clip, _ in one.part.events]
    counts = {"clip accuracy": by_unit(right, np.ones(len(right)), recordings)}
    f1 = dict[str, float]()
    for profile in BUDGETS:
        settings = rules.decided.settings(profile)
        foreground = [clip.group for clip, _ in one.part.events if clip.salience == 1]
        reported = [sum(row.heard for row in alert_figures([s], (), settings)) for s in hearing.alone]
        counts[f"single sounds reported, {profile}"] = by_unit(reported, np.ones(len(reported)), foreground)
        beds = hearing.heard.beds
        alarms = [sum(row.false_alarms for row in alert_figures((), [bed], settings)) for bed in beds]
        counts[f"false alarms an hour, {profile}"] = by_unit(
            alarms, [bed.seconds / 3600 for bed in beds], [bed.name for bed in beds]
        )
        rows = soundscapes(hearing.heard.scenes, settings)
        f1[f"soundscapes onset F1, {profile}"] = float(np.mean([row.onset_f1 for row in rows]))
        f1[f"soundscapes segment F1, {profile}"] = float(np.mean([row.segment_f1 for row in rows]))
    streams = (*hearing.heard.scenes, *hearing.heard.beds)
    return _Judged(counts, f1, np.concatenate([s.scores[:, : len(CLASSES)] for s in streams]))


def _compared(made: Converted, judged: Mapping[Weights, _Judged]) -> list[FormFigures]:
    base = judged["float32"]
    figures, changes = dict[Weights, dict[str, Figure]](), dict[Weights, tuple[float, float]]()
    for form, one in judged.items():
        figures[form] = {
            name: paired(counts, base.counts[name], name.startswith("false alarms"))
            for name, counts in one.counts.items()
        }
        figures[form] |= {name: Figure(value, value - base.f1[name]) for name, value in one.f1.items()}
        moved = np.abs(one.scores - base.scores)
        changes[form] = (float(moved.mean()), float(moved.max()))
    return form_figures(made, figures, changes)
