"""What a making leaves behind: small tables, a page and a picture, all from one outcome."""

from __future__ import annotations

import csv
import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from monitor.tuning.poisson import interval
from training.data import CLASSES
from training.default import Outcome, Plan
from training.evaluation import AlertFigures, false_alarm_table


def write_records(outcome: Outcome, plan: Plan, folder: Path) -> None:
    """Write ``record.json``, three CSV tables, ``confusion.png`` and ``README.md`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    quiet = {label: card.profiles["quiet"] for label, card in outcome.card.classes.items()}
    by_bed = false_alarm_table(outcome.beds, quiet)
    _table(folder / "classes.csv", _CLASS_COLUMNS, class_rows(outcome))
    _table(folder / "backgrounds.csv", ("background", "minutes", "alerts"), by_bed)
    confusion = ((label, *row) for label, row in zip(CLASSES, outcome.clips.confusion.tolist(), strict=True))
    _table(folder / "confusion.csv", ("true", *CLASSES), confusion)
    _picture(outcome, folder / "confusion.png")
    record = {
        "command": plan.command,
        "version": plan.version,
        "created": outcome.card.created,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "train_folds": plan.train_folds,
        "test_folds": plan.test_folds,
        "run": asdict(plan.run),
        "lessons": asdict(plan.lessons),
        "tflite_against_keras": outcome.parity,
        "quality": [quality.model_dump() for quality in outcome.card.quality],
    }
    (folder / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / "README.md").write_text(page(outcome, plan))


_CLASS_COLUMNS = (
    "class", "clip recall", "clip precision", "scenes", "heard", "share heard", "median delay s",
    "wrong alerts in its scenes", "false alarms on background", "enter", "smoothing s", "attack s",
)  # fmt: skip


def class_rows(outcome: Outcome) -> list[tuple[object, ...]]:
    """One row per class, in the order of the labels."""
    rows: list[tuple[object, ...]] = []
    for index, alert in enumerate(outcome.alerts):
        quiet = outcome.card.classes[alert.label].profiles["quiet"]
        delay = sorted(alert.delays_s)[len(alert.delays_s) // 2] if alert.delays_s else float("nan")
        rows.append((
            alert.label,
            f"{outcome.clips.recall[index]:.2f}",
            f"{outcome.clips.precision[index]:.2f}",
            alert.scenes,
            alert.heard,
            f"{alert.heard / max(1, alert.scenes):.2f}",
            f"{delay:.1f}",
            alert.wrong,
            alert.false_alarms,
            f"{quiet.enter:g}",
            f"{quiet.smoothing_s:g}",
            f"{quiet.attack_s:g}",
        ))  # fmt: skip
    return rows


def page(outcome: Outcome, plan: Plan) -> str:
    """The figures as Markdown."""
    folds = f"trained on folds {_folds(plan.train_folds)}, tested on fold {_folds(plan.test_folds)}"
    lines = [
        "# The first model",
        "",
        f"`{plan.command}` ({folds}, seed {plan.run.seed}). Every figure is of the shipped weights,",
        "which never saw the test fold or the test backgrounds; thresholds and temperature were fitted on",
        "cross-fitted scores of training recordings. One seed on one fold: about ±7 points over recordings.",
        "What false alarms a class may cost and how promptly it must come (`training/calibration.py`) was",
        "settled with earlier figures of this fold in view: take the shares heard as a little too good.",
        "",
        f"- clips: accuracy **{outcome.clips.accuracy:.3f}**, macro F1 **{outcome.clips.macro_f1:.3f}**",
        f"- streams: {_heard(outcome.alerts)} foreground clips, 15 dB over background, raise their own alert "
        "(profile `quiet`)",
        f"- background: {_alarms(outcome.alerts, outcome.bed_hours)}",
        f"- where the thresholds were chosen, judged by cross-fitted models: {_heard(outcome.development)} "
        "foreground clips, 0 to 20 dB over background; "
        f"{_alarms(outcome.development, outcome.development_hours)}",
        f"- TFLite against Keras: {outcome.parity:.1e}",
        "",
        *_markdown(_CLASS_COLUMNS, class_rows(outcome)),
        "",
        "![Confusion of clips](confusion.png)",
        "",
        "Alerts on the held-out backgrounds: `backgrounds.csv`. Settings of the run: `record.json`.",
        "",
    ]
    return "\n".join(lines)


def _heard(alerts: Sequence[AlertFigures]) -> str:
    return f"{sum(row.heard for row in alerts)} of {sum(row.scenes for row in alerts)}"


def _alarms(alerts: Sequence[AlertFigures], hours: float) -> str:
    count = sum(row.false_alarms for row in alerts)
    low, high = interval(count)
    return (
        f"{count} false alarms in {hours * 60:.0f} minutes of background, {count / hours:.1f} an hour "
        f"(95 %: {low / hours:.1f} to {high / hours:.1f})"
    )


def _folds(folds: Sequence[int]) -> str:
    return " and ".join(map(str, folds))


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    table = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return table + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def _table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([f"{v:.2f}" if isinstance(v, float) else v for v in row] for row in rows)


def _picture(outcome: Outcome, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    confusion = outcome.clips.confusion
    figure, axes = pyplot.subplots(figsize=(6.5, 5.5), layout="constrained")
    axes.imshow(confusion / confusion.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(CLASSES)), CLASSES, rotation=60, ha="right")
    axes.set_yticks(range(len(CLASSES)), CLASSES)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    for (row, column), count in _cells(confusion.tolist()):
        axes.text(column, row, str(count), ha="center", va="center", fontsize=7)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def _cells(matrix: list[list[int]]) -> list[tuple[tuple[int, int], int]]:
    return [((i, j), count) for i, row in enumerate(matrix) for j, count in enumerate(row) if count]
