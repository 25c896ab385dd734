"""The report of a user's model build: a page, tables and a record, all from one outcome."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np

from monitor.tuning.poisson import interval
from training.base.report import Report, Table, write
from training.data.folders import Sounds, label_counts
from training.recipes.own import GROUPS, OwnOutcome, OwnPlan


def write_records(outcome: OwnOutcome, plan: OwnPlan, sounds: Sounds, folder: Path) -> Path:
    """Write ``README.md``, ``index.html``, three CSV tables and ``record.json``; return the page."""
    tables = {
        "classes.csv": class_table(outcome, sounds),
        "confusion.csv": confusion_table(outcome, sounds),
        "recordings.csv": recording_table(sounds),
    }
    write(Report(page(outcome, plan, sounds), {}, tables), folder)
    record = {
        "command": plan.command,
        "version": plan.version,
        "created": outcome.card.created,
        "machine": _machine(),
        "training_minutes": round(outcome.minutes, 1),
        "run": asdict(plan.run),
        "accuracy_of_each_group": outcome.accuracies,
        "tflite_against_keras": outcome.parity,
        "quality": [quality.model_dump() for quality in outcome.card.quality],
    }
    (folder / "record.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return folder / "README.md"


def page(outcome: OwnOutcome, plan: OwnPlan, sounds: Sounds) -> str:
    """Return the figures as Markdown."""
    name, alerts = plan.identity.name, outcome.alerts
    heard, scenes = sum(row.heard for row in alerts), sum(row.scenes for row in alerts)
    count, hours = sum(row.false_alarms for row in alerts), outcome.bed_hours
    low, high = interval(count)
    groups = ", ".join(f"{accuracy:.3f}" for accuracy in outcome.accuracies)
    kinds = Counter(clip.label for clip in sounds.part.backgrounds)
    return "\n".join((
        f"# {name}",
        "",
        f"`{plan.command}`",
        "",
        f"{len(sounds.part.events)} files of {len(sounds.classes)} classes. The recordings were dealt into "
        f"{GROUPS} groups; each group",
        "was heard by a network that trained on the others, with temperature and thresholds that these",
        "decided. So every figure is of recordings that nothing in it has seen; it is one of the recipe:",
        "the network in the package trained on all recordings.",
        "",
        f"- clips: accuracy **{outcome.clips.accuracy:.3f}** ({groups} in the groups), "
        f"macro F1 **{outcome.clips.macro_f1:.3f}**",
        f"- streams: {heard} of {scenes} clips, 15 dB over background, raise their own alert (profile "
        f"`quiet`); {sum(row.wrong for row in alerts)} alerts of another class in these scenes",
        f"- background ({', '.join(f'{kind} {files}' for kind, files in sorted(kinds.items()))} files): "
        f"{count} false alarms in {hours * 60:.0f} minutes, {count / hours:.1f} an hour "
        f"(95 %: {low / hours:.1f} to {high / hours:.1f})",
        f"- TFLite against Keras: {outcome.parity:.1e}",
        f"- package: {len(outcome.flatbuffer) / 1000:.0f} kB without its card; trained in "
        f"{outcome.minutes:.0f} minutes on {_machine()}, shared with other jobs",
        "",
        class_table(outcome, sounds).markdown(),
        "",
        "Who was taken for whom: `confusion.csv`; recordings: `recordings.csv`; settings: `record.json`.",
        "",
    ))  # fmt: skip


def class_table(outcome: OwnOutcome, sounds: Sounds) -> Table:
    """Return one row per class, in label order."""
    columns = (
        "class", "files", "recordings", "clip recall", "clip precision", "scenes", "heard",
        "median delay s", "wrong alerts", "false alarms", "enter", "smoothing s", "attack s",
    )  # fmt: skip
    rows = []
    for index, (label, files, recordings) in enumerate(label_counts(sounds)):
        alert, quiet = outcome.alerts[index], outcome.card.classes[label].profiles["quiet"]
        delay = round(float(np.median(alert.delays_s)), 2) if alert.delays_s else None
        recall, precision = (float(v[index]) for v in (outcome.clips.recall, outcome.clips.precision))
        rows.append((
            label, files, recordings, recall, precision, alert.scenes, alert.heard, delay, alert.wrong,
            alert.false_alarms, quiet.enter, quiet.smoothing_s, quiet.attack_s,
        ))  # fmt: skip
    return Table(columns, tuple(rows))


def confusion_table(outcome: OwnOutcome, sounds: Sounds) -> Table:
    """Return the clips of each class by predicted class."""
    matrix = outcome.clips.confusion.tolist()
    rows = tuple((label, *counts) for label, counts in zip(sounds.classes, matrix, strict=True))
    return Table(("true", *sounds.classes), rows)


def recording_table(sounds: Sounds) -> Table:
    """Return every recording with its class and the number of files cut from it."""
    counts = Counter((label, clip.recording) for clip, label in sounds.part.events)
    return Table(("class", "recording", "files"), tuple((*key, n) for key, n in sorted(counts.items())))


def _machine() -> str:
    return f"{os.cpu_count()} cores ({platform.machine()})"
