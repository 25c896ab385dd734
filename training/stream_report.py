"""The evaluation of several listeners on the same streams, and its page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.assembly import assemble
from monitor.config.load import Config
from training.report import Cell, Table
from training.soundscapes import ScapePlan, make_soundscapes, write_wavs
from training.splits import Part
from training.stream_eval import Alarms, ClassFigures, alarm_figures, listen, scene_figures

Say = Callable[[str], None]


@dataclass(frozen=True)
class Evaluation:
    """One listener's figures."""

    model: str
    profile: str
    classes: tuple[ClassFigures, ...]
    alarms: tuple[Alarms, ...]

    def summary(self) -> tuple[Cell, ...]:
        """The row of the page: macro figures over the classes that occur."""
        sounds, heard = sum(c.sounds for c in self.classes), sum(c.heard for c in self.classes)
        delays = [delay for c in self.classes for delay in c.delays_s]
        rate, low, high = self.alarms[-1].per_hour
        return (
            self.model,
            self.profile,
            f"{np.mean([c.onset_f1 for c in self.classes]):.3f}",
            f"{np.mean([c.segment_f1 for c in self.classes]):.3f}",
            f"{heard} of {sounds}",
            f"{rate:.1f} ({low:.1f} to {high:.1f})",
            _seconds(delays, 50),
            _seconds(delays, 95),
        )


def evaluate(
    listeners: Mapping[tuple[str, str], Config], part: Part, plan: ScapePlan, say: Say
) -> list[Evaluation]:
    """Let every listener, named by model and profile, hear the same soundscapes and backgrounds."""
    scapes = make_soundscapes(part, plan)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = write_wavs(scapes, Path(folder))
        for (model, profile), config in listeners.items():
            say(f"{model}, profile {profile}, listens")
            assembly = assemble(config)
            classes = scene_figures(scapes, listen(assembly, files))
            beds = listen(assembly, [clip.path for clip in part.backgrounds])
            alarms = alarm_figures(part.backgrounds, beds)
            rows.append(Evaluation(model, profile, tuple(classes), tuple(alarms)))
    return rows


_COLUMNS = (
    "model", "profile", "onset F1, 0.5 s", "segment F1, 1 s", "sounds heard",
    "false alarms an hour (95 %)", "delay s, median", "delay s, 95 %",
)  # fmt: skip
_CLASS_COLUMNS = (
    "model", "profile", "class", "sounds", "heard", "onset F1", "segment F1",
    "delay s, median", "delay s, 95 %",
)  # fmt: skip
_ALARM_COLUMNS = (
    "model",
    "profile",
    "background",
    "minutes",
    "false alarms",
    "an hour",
    "low",
    "high",
    "by class",
)


def write_report(rows: Sequence[Evaluation], command: str, folder: Path) -> None:
    """Write ``README.md``, ``classes.csv`` and ``backgrounds.csv`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    classes, alarms = Table(_CLASS_COLUMNS, _class_rows(rows)), Table(_ALARM_COLUMNS, _alarm_rows(rows))
    (folder / "classes.csv").write_text(classes.csv(), encoding="utf-8")
    (folder / "backgrounds.csv").write_text(alarms.csv(), encoding="utf-8")
    lines = [
        "# On streams",
        "",
        f"`{command}`: minutes with eight foreground clips each at 0 to 20 dB over background, and the",
        "plain backgrounds, replayed by the monitor itself. No recording in them was trained on or had",
        "thresholds fitted to it. YAMNet's classes are mapped to ours, its thresholds fitted by the same",
        "rule.",
        "F1 by sed_eval, means over the classes. A sound is heard if its class is decided while it lasts or",
        "within 2 s after; delays are from true onset to decision.",
        "",
        Table(_COLUMNS, tuple(row.summary() for row in rows)).markdown(),
        "",
        "By class: `classes.csv`. Backgrounds, kind by kind: `backgrounds.csv`.",
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")


def _class_rows(rows: Sequence[Evaluation]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        (
            row.model, row.profile, c.label, c.sounds, c.heard, f"{c.onset_f1:.3f}", f"{c.segment_f1:.3f}",
            _seconds(c.delays_s, 50), _seconds(c.delays_s, 95),
        )
        for row in rows
        for c in row.classes
    )  # fmt: skip


def _alarm_rows(rows: Sequence[Evaluation]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        (
            row.model, row.profile, a.kind, f"{a.hours * 60:.1f}", a.count,
            *(f"{value:.1f}" for value in a.per_hour),
            ", ".join(f"{label} ×{count}" for label, count in a.by_label.items()),
        )
        for row in rows
        for a in row.alarms
    )  # fmt: skip


def _seconds(delays: Sequence[float], percent: float) -> str:
    return f"{np.percentile(delays, percent):.1f}" if delays else "–"
