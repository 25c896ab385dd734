"""The report of an adapter build: a page and two tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from monitor.tuning.poisson import interval
from training.recipes.adapter import AdapterOutcome, AdapterPlan
from training.scoring.evaluation import false_alarm_table

_COLUMNS = (
    "class", "clip recall", "clip precision", "scenes", "heard", "share heard", "median delay s",
    "wrong alerts in its scenes", "false alarms on background", "enter", "smoothing s", "attack s",
)  # fmt: skip


def write_records(outcome: AdapterOutcome, plan: AdapterPlan, folder: Path) -> None:
    """Write ``README.md``, ``classes.csv`` and ``backgrounds.csv`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    quiet = {label: card.profiles["quiet"] for label, card in outcome.adapter.card.classes.items()}
    beds = [
        (name, f"{minutes:.1f}", alerts) for name, minutes, alerts in false_alarm_table(outcome.beds, quiet)
    ]
    _table(folder / "classes.csv", _COLUMNS, _rows(outcome))
    _table(folder / "backgrounds.csv", ("background", "minutes", "alerts"), beds)
    (folder / "README.md").write_text(_page(outcome, plan), encoding="utf-8")


def _rows(outcome: AdapterOutcome) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for index, alert in enumerate(outcome.alerts):
        quiet = outcome.adapter.card.classes[alert.label].profiles["quiet"]
        delays = sorted(alert.delays_s)
        rows.append((
            alert.label,
            f"{outcome.clips.recall[index]:.2f}",
            f"{outcome.clips.precision[index]:.2f}",
            str(alert.scenes),
            str(alert.heard),
            f"{alert.heard / max(1, alert.scenes):.2f}",
            f"{delays[len(delays) // 2]:.1f}" if delays else "–",
            str(alert.wrong),
            str(alert.false_alarms),
            f"{quiet.enter:g}",
            f"{quiet.smoothing_s:g}",
            f"{quiet.attack_s:g}",
        ))  # fmt: skip
    return rows


def _page(outcome: AdapterOutcome, plan: AdapterPlan) -> str:
    """Return the figures as Markdown."""
    alarms = sum(row.false_alarms for row in outcome.alerts)
    heard, scenes = sum(row.heard for row in outcome.alerts), sum(row.scenes for row in outcome.alerts)
    low, high = (limit / outcome.bed_hours for limit in interval(alarms))
    card = outcome.adapter.card
    lines = [
        "# The head on YAMNet's embedding",
        "",
        f"`{plan.command}` (seed {plan.seed}): `models/{outcome.adapter.path.name}`, version {plan.version}.",
        "The head never saw the test fold or the test backgrounds; decay, temperature and thresholds were",
        "fitted on cross-fitted judgements of training recordings. YAMNet itself was trained by others on",
        "AudioSet, which may hold any recording. One seed on one fold.",
        "How many false alarms a class may cost (`training/scoring/calibration.py`) and that the head",
        "learns from sounds alone beside those over background was settled with earlier figures of this",
        "fold in view: take the figures as a little too good.",
        "",
        f"- clips: accuracy **{outcome.clips.accuracy:.3f}**, macro F1 **{outcome.clips.macro_f1:.3f}**",
        f"- streams: {heard} of {scenes} foreground clips, 15 dB over background, raise their own alert "
        "(profile `quiet`)",
        f"- background: {alarms} alerts in {outcome.bed_hours * 60:.0f} minutes, "
        f"{alarms / outcome.bed_hours:.1f} an hour (95 %: {low:.1f} to {high:.1f})",
        f"- weight decay {outcome.decay:g}, temperature {card.temperature:g}",
        "",
        "| " + " | ".join(_COLUMNS) + " |",
        "|" + "---|" * len(_COLUMNS),
        *("| " + " | ".join(row) + " |" for row in _rows(outcome)),
        "",
        "Alerts on the held-out backgrounds: `backgrounds.csv`.",
        "",
    ]
    return "\n".join(lines)


def _table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
