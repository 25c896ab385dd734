"""The page of an own model and its tables, made from a record alone."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from monitor.tuning.poisson import interval
from training.base.report import Report, Table, write
from training.data.folders import Sounds, label_counts
from training.recipes.own import GROUPS, OwnOutcome, OwnPlan
from training.scoring.evaluation import ClipFigures, confusion_figures

Record = Mapping[str, Any]


def write_records(outcome: OwnOutcome, plan: OwnPlan, sounds: Sounds, folder: Path) -> Path:
    """Write ``record.json``, and the page and three CSV tables made of it; return the page."""
    record = {
        "command": plan.command,
        "version": plan.version,
        "created": outcome.card.created,
        "machine": f"{os.cpu_count()} cores ({platform.machine()})",
        "training_minutes": round(outcome.minutes, 1),
        "run": asdict(plan.run),
        "accuracy_of_each_group": outcome.accuracies,
        "tflite_against_keras": outcome.parity,
        "quality": [quality.model_dump() for quality in outcome.card.quality],
        "name": plan.identity.name,
        "network_bytes": len(outcome.flatbuffer),
        "background_files": dict(Counter(clip.label for clip in sounds.part.backgrounds)),
        "background_hours": outcome.bed_hours,
        "confusion": outcome.clips.confusion.tolist(),
        "classes": _classes(outcome, sounds),
        "recordings": _recordings(sounds),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    write(compose(folder), folder)
    return folder / "README.md"


def _classes(outcome: OwnOutcome, sounds: Sounds) -> dict[str, Any]:
    """Counts, alerts and settings of each class, in the order of the labels."""
    found = {}
    for (label, files, recordings), alert in zip(label_counts(sounds), outcome.alerts, strict=True):
        quiet = outcome.card.classes[label].profiles["quiet"]
        found[label] = {
            "files": files,
            "recordings": recordings,
            "scenes": alert.scenes,
            "heard": alert.heard,
            "median_delay_s": round(float(np.median(alert.delays_s)), 2) if alert.delays_s else None,
            "wrong": alert.wrong,
            "false_alarms": alert.false_alarms,
            "enter": quiet.enter,
            "smoothing_s": quiet.smoothing_s,
            "attack_s": quiet.attack_s,
        }
    return found


def _recordings(sounds: Sounds) -> dict[str, dict[str, int]]:
    """Of each class, every recording with the number of files cut from it."""
    counts = Counter((label, clip.recording) for clip, label in sounds.part.events)
    found: dict[str, dict[str, int]] = {}
    for (label, recording), files in sorted(counts.items()):
        found.setdefault(label, {})[recording] = files
    return found


def compose(folder: Path) -> Report:
    """Return the page and the tables of the record in ``folder``."""
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    clips = confusion_figures(np.array(record["confusion"], np.int64))
    classes = _class_table(record, clips)
    tables = {
        "classes.csv": classes,
        "confusion.csv": _confusion_table(record),
        "recordings.csv": _recording_table(record),
    }
    return Report(_page(record, clips, classes), {}, tables)


def _page(record: Record, clips: ClipFigures, classes: Table) -> str:
    rows = record["classes"].values()
    files, heard, scenes, wrong, count = (
        sum(row[name] for row in rows) for name in ("files", "heard", "scenes", "wrong", "false_alarms")
    )
    hours = record["background_hours"]
    low, high = interval(count)
    groups = ", ".join(f"{accuracy:.3f}" for accuracy in record["accuracy_of_each_group"])
    kinds = ", ".join(f"{kind} {files}" for kind, files in sorted(record["background_files"].items()))
    return "\n".join((
        f"# {record['name']}",
        "",
        f"`{record['command']}`",
        "",
        f"{files} files of {len(rows)} classes. The recordings were dealt into {GROUPS} groups; each group",
        "was scored by a network that trained on the others, with temperature and thresholds that these",
        "decided. So every figure is of recordings that nothing in it has seen; it is one of the recipe:",
        "the network in the package trained on all recordings.",
        "",
        f"- clips: accuracy **{clips.accuracy:.3f}** ({groups} in the groups), "
        f"macro F1 **{clips.macro_f1:.3f}**",
        f"- streams: {heard} of {scenes} clips, 15 dB over background, raise their own alert (profile "
        f"`quiet`); {wrong} alerts of another class in these scenes",
        f"- background ({kinds} files): "
        f"{count} false alarms in {hours * 60:.0f} minutes, {count / hours:.1f} an hour "
        f"(95 %: {low / hours:.1f} to {high / hours:.1f})",
        f"- TFLite against Keras: {record['tflite_against_keras']:.1e}",
        f"- package: {record['network_bytes'] / 1000:.0f} kB without its card; trained in "
        f"{record['training_minutes']:.0f} minutes on {record['machine']}, shared with other jobs",
        "",
        classes.markdown(),
        "",
        "Confusion of clips: `confusion.csv`; recordings: `recordings.csv`; settings: `record.json`.",
        "",
    ))  # fmt: skip


def _class_table(record: Record, clips: ClipFigures) -> Table:
    """A row per class, in the order of the labels."""
    columns = (
        "class", "files", "recordings", "clip recall", "clip precision", "scenes", "heard",
        "median delay s", "wrong alerts", "false alarms", "enter", "smoothing s", "attack s",
    )  # fmt: skip
    rows = []
    for index, (label, row) in enumerate(record["classes"].items()):
        recall, precision = (float(values[index]) for values in (clips.recall, clips.precision))
        rows.append((
            label, row["files"], row["recordings"], recall, precision, row["scenes"], row["heard"],
            row["median_delay_s"], row["wrong"], row["false_alarms"], row["enter"], row["smoothing_s"],
            row["attack_s"],
        ))  # fmt: skip
    return Table(columns, tuple(rows))


def _confusion_table(record: Record) -> Table:
    """Clips of each class, by the class that they were taken for."""
    labels = tuple(record["classes"])
    rows = tuple((label, *counts) for label, counts in zip(labels, record["confusion"], strict=True))
    return Table(("true", *labels), rows)


def _recording_table(record: Record) -> Table:
    """Every recording with its class and the number of files cut from it."""
    rows = [(label, name, n) for label, names in record["recordings"].items() for name, n in names.items()]
    return Table(("class", "recording", "files"), tuple(rows))
