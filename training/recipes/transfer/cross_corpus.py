"""Cross-corpus test: a network trained without recordings of ESC, evaluated on all of ESC."""

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
from training.data.corpora import LABELS, Clip, Corpora
from training.data.splits import ESC_LABELS, ESC_UNCLEAR, everything
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


def across(plan: Plan, corpora: Corpora, shop: Workshop) -> Table:
    """Train without ESC and return the reports on it.

    Supports and thresholds are those of the recipe: chosen on held-out folds, with ESC's other sounds.
    """
    rules = choose(leave_each_out(replace(plan, seeds=plan.seeds[:1]), corpora, shop))
    part = everything(replace(corpora, esc=()), plan.folds)
    mixtures = shop.mixtures(part, plan.mixtures, "without ESC")
    upper = shop.train(mixtures, replace(plan.tuning, seed=plan.seeds[0]), "without-esc")
    labels = mn04.audioset_labels(shop.pretrained.labels)
    flatbuffer = to_tflite(without_dropout(shop.pretrained, upper))
    raw = raw_scores({"clips": _streams(corpora.esc, shop)}, flatbuffer, labels)["clips"]
    scored = [supported(one, rules.supports) for one in raw]
    return {profile: tuple(_reported(corpora.esc, scored, rules, profile)) for profile in BUDGETS}


def _reported(
    clips: Sequence[Clip], scored: Sequence[Scored], rules: Rules, profile: ProfileName
) -> Iterator[Reported]:
    settings = rules.decided.settings(profile)
    found: dict[str, list[set[str]]] = {}
    for clip, stream in zip(clips, scored, strict=True):
        if clip.label not in ESC_UNCLEAR:
            starts = decide(stream, LABELS, settings, 16_000)
            found.setdefault(clip.label, []).append({start.label for start in starts})
    for category, reports in sorted(found.items()):
        label = ESC_LABELS.get(category, "")
        names = sorted({name for report in reports for name in report})
        yield Reported(
            category,
            label,
            len(reports),
            sum(label in report for report in reports),
            sum(bool(report) for report in reports),
            {name: sum(name in report for report in reports) for name in names},
        )


def _streams(clips: Sequence[Clip], shop: Workshop) -> tuple[Stream, ...]:
    """Return each recording alone over faint noise, as output of the frozen blocks."""
    front_end = shop.sources.front_end
    digest = hashlib.sha256(shop.frozen + front_end.spec.model_dump_json().encode())
    digest.update("".join(clip.path.name for clip in clips).encode())
    path = front_end.cache / f"streams-esc-{digest.hexdigest()[:20]}.npz"
    if not path.is_file():
        scorer, hop = FrozenScorer(front_end, shop.frozen), HOP_FRAMES * front_end.spec.hop
        save_streams(
            path, [score(scene, scorer, hop, front_end.rate) for scene in _scenes(clips, front_end.rate)]
        )
    return load_streams(path)


def _scenes(clips: Sequence[Clip], rate: int) -> Iterator[Scene]:
    rng, around = np.random.default_rng(0), round(_AROUND_S * rate)
    for clip in clips:
        sound = read(clip.path, rate)
        samples = rng.standard_normal(len(sound) + 2 * around).astype(np.float32) * np.float32(_NOISE)
        samples[around : around + len(sound)] += sound
        yield Scene(clip.path.stem, "", samples, _AROUND_S, _AROUND_S + len(sound) / rate)


def write_table(table: Table, command: str, folder: Path) -> None:
    """Write the reports of each category as JSON and as a page."""
    folder.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {"command": command}
    record |= {profile: [asdict(row) for row in rows] for profile, rows in table.items()}
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / PAGE).write_text(page(record), encoding="utf-8")


def page(record: Mapping[str, Any]) -> str:
    """Return the page, in Markdown, of what :data:`RECORD` holds."""
    parts = [
        "# A network that trained without ESC, on ESC",
        f"Printed by `{record['command']}`. Each recording stands alone over noise of −60 dBFS.",
    ]
    for profile in BUDGETS:
        rows = [Reported(**row) for row in record[profile]]
        others = [row for row in rows if not row.label]
        raising = sum(row.any_class for row in others) / sum(row.recordings for row in others)
        parts.append(f"## `{profile}`\n\nOther sounds that raise an alarm of any class: {raising:.3f}.")
        shown = [row for row in rows if row.label or row.any_class]
        cells = tuple(
            (
                row.category, row.label or "–", row.recordings,
                row.own / row.recordings if row.label else None, row.any_class / row.recordings,
                ", ".join(f"{name} {count}" for name, count in row.by_class.items()),
            )
            for row in sorted(shown, key=lambda row: (not row.label, -row.any_class))
        )  # fmt: skip
        columns = ("category", "our class", "recordings", "reported as it", "as any class", "as")
        parts.append(Grid(columns, cells).markdown())
    return "\n\n".join(parts) + "\n"
