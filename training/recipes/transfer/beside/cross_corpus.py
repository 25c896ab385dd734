"""Cross-corpus tests: a network trained without ESC on ESC, and one trained without UrbanSound8K on that.

A recording that both corpora have is in no test.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from monitor.model.card import ProfileName
from training.base.report import Table as Grid
from training.data.audio import read
from training.data.corpora import CLASSES, LABELS, Clip, Corpora
from training.data.splits import ESC_LABELS, ESC_UNCLEAR, Part, everything
from training.export.conversion import to_tflite
from training.mixing.streams import Scene, Scored, decide, score
from training.networks import mn04
from training.recipes.transfer.held_out import FrozenScorer, Stream, load_streams, save_streams
from training.recipes.transfer.make import Plan, Workshop, leave_each_out
from training.recipes.transfer.scores import score as raw_scores
from training.recipes.transfer.scores import supported
from training.recipes.transfer.thresholds import BUDGETS, Rules, choose
from training.recipes.transfer.trunk import HOP_FRAMES, without_dropout

RECORD, PAGE = "cross-corpus.json", "cross-corpus.md"
_TITLES = {
    "esc": "Trained without ESC, tested on it",
    "urbansound8k": "Trained on ESC without UrbanSound8K, tested on its foreground clips; four classes",
}
_AROUND_S = 2.0
_NOISE = 1e-3
"""Amplitude of the noise around and under each recording: −60 dBFS."""


@dataclass(frozen=True)
class Reported:
    """Reports of one profile on the recordings of one ESC category.

    Parameters
    ----------
    label
        The corresponding class of ours, "" if there is none.
    own
        Recordings reported as it.
    any_class
        Recordings reported as any class.
    by_class
        Recordings reported as each class.
    """

    category: str
    label: str
    recordings: int
    own: int
    any_class: int
    by_class: Mapping[str, int]


Table = dict[ProfileName, tuple[Reported, ...]]


@dataclass(frozen=True)
class Direction:
    """One test across corpora.

    Parameters
    ----------
    trained
        What the network learns from.
    tested
        Clips that it is tested on.
    classes
        Our class of each label of the tested corpus that has one.
    reporting
        Classes that the network learned and may report.
    """

    name: str
    trained: Part
    tested: tuple[Clip, ...]
    classes: Mapping[str, str]
    reporting: tuple[str, ...]


def directions(corpora: Corpora, folds: Sequence[int]) -> tuple[Direction, Direction]:
    """Return the tests on ESC and on UrbanSound8K."""
    urban = tuple(clip for clip in corpora.urban if clip.fold in folds)
    ours = {clip.group for clip in urban}
    theirs = {clip.group for clip in corpora.esc}
    without_esc = everything(replace(corpora, esc=()), folds)
    esc = tuple(clip for clip in corpora.esc if clip.label not in ESC_UNCLEAR and clip.group not in ours)
    events = tuple((clip, ESC_LABELS[clip.label]) for clip in esc if clip.label in ESC_LABELS)
    learned = {clip.group for clip, _ in events}
    # One recording may occur under several of ESC's labels.
    others = tuple(clip for clip in esc if clip.label not in ESC_LABELS and clip.group not in learned)
    without_urban = Part(events, others, without_esc.backgrounds)
    reporting = tuple(label for label in CLASSES if label in ESC_LABELS.values())
    tested = tuple(clip for clip in urban if clip.salience == 1 and clip.group not in theirs)
    return (
        Direction("esc", without_esc, esc, ESC_LABELS, CLASSES),
        Direction("urbansound8k", without_urban, tested, {label: label for label in reporting}, reporting),
    )


def across(plan: Plan, corpora: Corpora, shop: Workshop) -> dict[str, Table]:
    """Train without each corpus and return the reports on it, by the corpus's name.

    Supports and thresholds are those of the recipe: chosen on held-out folds, with ESC's other sounds.
    """
    rules = choose(leave_each_out(replace(plan, seeds=plan.seeds[:1]), corpora, shop))
    return {one.name: _tested(one, plan, rules, shop) for one in directions(corpora, plan.folds)}


def _tested(one: Direction, plan: Plan, rules: Rules, shop: Workshop) -> Table:
    name = f"without-{one.name}"
    mixtures = shop.mixtures(one.trained, plan.mixtures, name)
    upper = shop.train(mixtures, replace(plan.tuning, seed=plan.seeds[0]), name)
    labels = mn04.audioset_labels(shop.pretrained.labels)
    flatbuffer = to_tflite(without_dropout(shop.pretrained, upper))
    raw = raw_scores({"clips": _streams(one, shop)}, flatbuffer, labels)["clips"]
    scored = [supported(stream, rules.supports) for stream in raw]
    return {profile: tuple(_reported(one, scored, rules, profile)) for profile in BUDGETS}


def _reported(
    one: Direction, scored: Sequence[Scored], rules: Rules, profile: ProfileName
) -> Iterator[Reported]:
    settings = {
        label: own for label, own in rules.decided.settings(profile).items() if label in one.reporting
    }
    found: dict[str, list[set[str]]] = {}
    for clip, stream in zip(one.tested, scored, strict=True):
        starts = decide(stream, LABELS, settings, 16_000)
        found.setdefault(clip.label, []).append({start.label for start in starts})
    for category, reports in sorted(found.items()):
        label = one.classes.get(category, "")
        names = sorted({name for report in reports for name in report})
        yield Reported(
            category,
            label,
            len(reports),
            sum(label in report for report in reports),
            sum(bool(report) for report in reports),
            {name: sum(name in report for report in reports) for name in names},
        )


def _streams(one: Direction, shop: Workshop) -> tuple[Stream, ...]:
    """Return each clip alone over faint noise, as output of the frozen blocks."""
    front_end = shop.sources.front_end
    digest = hashlib.sha256(shop.frozen + front_end.spec.model_dump_json().encode())
    digest.update("".join(clip.path.name for clip in one.tested).encode())
    path = front_end.cache / f"streams-{one.name}-{digest.hexdigest()[:20]}.npz"
    if not path.is_file():
        scorer, hop = FrozenScorer(front_end, shop.frozen), HOP_FRAMES * front_end.spec.hop
        scenes = _scenes(one.tested, front_end.rate)
        save_streams(path, [score(scene, scorer, hop, front_end.rate) for scene in scenes])
    return load_streams(path)


def _scenes(clips: Sequence[Clip], rate: int) -> Iterator[Scene]:
    rng, around = np.random.default_rng(0), round(_AROUND_S * rate)
    for clip in clips:
        sound = read(clip.path, rate)
        samples = rng.standard_normal(len(sound) + 2 * around).astype(np.float32) * np.float32(_NOISE)
        samples[around : around + len(sound)] += sound
        yield Scene(clip.path.stem, "", samples, _AROUND_S, _AROUND_S + len(sound) / rate)


def write_tables(tables: Mapping[str, Table], command: str, folder: Path) -> None:
    """Write the reports of each category as JSON and as a page."""
    folder.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {"command": command}
    record |= {
        name: {profile: [asdict(row) for row in rows] for profile, rows in table.items()}
        for name, table in tables.items()
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / PAGE).write_text(page(record), encoding="utf-8")


def page(record: Mapping[str, Any]) -> str:
    """Return the page, in Markdown, of what :data:`RECORD` holds."""
    parts = [
        "# Networks on a corpus that they did not train on",
        f"Printed by `{record['command']}`. Each clip stands alone over noise of −60 dBFS. A recording that "
        "both corpora have is in no test. Supports and thresholds come from the recipe's held-out folds.",
    ]
    for name, what in _TITLES.items():
        parts.append(f"## {what}")
        parts += [part for profile in BUDGETS for part in _section(profile, record[name][profile])]
    return "\n\n".join(parts) + "\n"


def _section(profile: ProfileName, reports: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    rows = [Reported(**row) for row in reports]
    others = [row for row in rows if not row.label]
    raising = sum(row.any_class for row in others) / sum(row.recordings for row in others)
    shown = [row for row in rows if row.label or row.any_class]
    cells = tuple(
        (
            row.category, row.label or "–", row.recordings,
            row.own / row.recordings if row.label else None, row.any_class / row.recordings,
            ", ".join(f"{name} {count}" for name, count in row.by_class.items()),
        )
        for row in sorted(shown, key=lambda row: (not row.label, -row.any_class / row.recordings))
    )  # fmt: skip
    columns = ("category", "our class", "clips", "reported as it", "as any class", "as")
    told = f"### `{profile}`\n\nOther sounds that raise an alarm of any class: {raising:.3f}."
    return told, Grid(columns, cells).markdown()
