"""Recall against false alarms an hour, by class: the new model, and others on the same sounds.

A class is reported where one row reaches a level; there is no smoothing, attack or cooldown, so that
only the scores differ. Sounds are the foreground clips 15 dB over background of each fold, false alarms
those on the fold's backgrounds; what may hold the class (:mod:`..may_hold`) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.base.atomic import atomic_write
from training.base.maths import log_odds
from training.base.report import Table
from training.data.corpora import CLASSES, Corpora
from training.mixing.streams import TAIL_S, Scored
from training.recipes.transfer.beside import smoothing
from training.recipes.transfer.beside.linear import linear_accuracies
from training.recipes.transfer.held_out import Kind
from training.recipes.transfer.make import Plan, Workshop, leave_each_out
from training.recipes.transfer.may_hold import counted
from training.recipes.transfer.scores import fit_supports
from training.recipes.transfer.trunk import upper_blocks
from training.scoring.evaluation import Streamer
from training.scoring.held_out import ALONE_SNR_DB

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RECORD, PICTURE = "curve.json", "curve.png"
NEW, PUBLISHED = "0.7.0", "mn04, published weights"
TRAINED = "(trained on them)"
"""In the name of a system that trained on these recordings: drawn dotted, for it is too good."""
_KINDS: tuple[Kind, Kind] = ("alone", "beds")
RATES = (0.3, 1.0, 3.0, 10.0, 30.0)
"""False alarms an hour and class of the table."""
_POINTS = np.round(np.geomspace(0.3, 60.0, 24), 3)
_APART_S = 6.0
_LEAST = 1e-6

Curve = list[list[float]]
"""False alarms an hour, and the share of sounds reported, rising."""
Fold = tuple[Sequence[Scored], Sequence[Scored]]
"""Sounds alone over background, and backgrounds."""


def curve(folds: Sequence[Fold], column: int) -> Curve:
    """Return the curve of one class over all folds."""
    peaks, alarms, seconds = [], list[float](), 0.0
    label = CLASSES[column]
    for alone, beds in folds:
        for stream in alone:
            odds = log_odds(stream.scores[:, column].astype(np.float64), _LEAST)
            for name, onset_s, offset_s in stream.sounds:
                if name == label:
                    inside = (stream.times_s > onset_s) & (stream.times_s <= offset_s + TAIL_S)
                    peaks.append(odds[inside].max())
        for bed in beds:
            alarms += _apart(counted(bed), column)
            seconds += bed.seconds
    highest = np.sort(np.array(alarms))[::-1]
    points = []
    for rate in _POINTS:
        allowed = int(rate * seconds / 3600)
        level = highest[allowed] if allowed < len(highest) else -np.inf
        points.append([float(rate), round(float((np.array(peaks) > level).mean()), 4)])
    return points


def _apart(bed: Scored, column: int) -> list[float]:
    """Return the peaks of a background that are at least :data:`_APART_S` apart, by greatest first."""
    odds = log_odds(bed.scores[:, column].astype(np.float64), _LEAST)
    odds[~np.array([bed.counts(at_s) for at_s in bed.times_s])] = -np.inf
    rows, found = round(_APART_S / bed.hop_s), list[float]()
    while np.isfinite(odds.max()):
        at = int(odds.argmax())
        found.append(float(odds[at]))
        odds[max(0, at - rows) : at + rows + 1] = -np.inf
    return found


@dataclass(frozen=True)
class Measured:
    """The curves of each system by class, and figures of one system each.

    Parameters
    ----------
    linear
        Accuracy of the linear classifier on each fold's clips.
    smoothing
        What averaging is worth to the new model.
    """

    curves: Mapping[str, Mapping[str, Curve]]
    linear: Mapping[int, float]
    smoothing: smoothing.Shares


def measure(plan: Plan, corpora: Corpora, shop: Workshop, others: Mapping[str, Streamer]) -> Measured:
    """Return the curves of the new model, of mn04 with its published weights, and of other systems."""
    scored = leave_each_out(replace(plan, seeds=plan.seeds[:1]), corpora, shop)
    folds: dict[str, list[Fold]] = {NEW: [], PUBLISHED: [], **{name: [] for name in others}}
    for one in scored:
        hearing = one.hearing(fit_supports(rest.streams for rest in scored if rest.fold != one.fold))
        folds[NEW].append((hearing.alone, hearing.heard.beds))
        raw = shop.score(one.part, upper_blocks(shop.pretrained), one.fold, 0).streams
        alone, beds = ([row.scored(row.audioset) for row in raw[kind]] for kind in _KINDS)
        folds[PUBLISHED].append((alone, beds))
        for name, streamer in others.items():
            shop.report(f"fold {one.fold}: {name}")
            scenes = streamer.scenes(one.part, ALONE_SNR_DB, 0)
            folds[name].append((scenes, streamer.beds(one.part.backgrounds)))
    curves = {
        name: {label: curve(some, column) for column, label in enumerate(CLASSES)}
        for name, some in folds.items()
    }
    linear = linear_accuracies({one.fold: one.part for one in scored}, shop)
    return Measured(curves, linear, smoothing.shares(folds[NEW]))


def write_curve(measured: Measured, command: str, folder: Path) -> None:
    """Write what was measured as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    linear = {str(fold): round(accuracy, 4) for fold, accuracy in measured.linear.items()}
    record = {
        "command": command,
        "linear": linear,
        "smoothing": measured.smoothing,
        "curves": measured.curves,
    }
    with atomic_write(folder / RECORD) as partial:
        partial.write_text(json.dumps(record) + "\n", encoding="utf-8")


def read_curve(folder: Path) -> dict[str, Any] | None:
    """Return the record in ``folder``, None if there is none."""
    path = folder / RECORD
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def table(record: Mapping[str, Any]) -> Table:
    """Return recall at some rates, by class and system."""
    rows = []
    for label in CLASSES:
        for name, curves in record["curves"].items():
            rates, recall = np.array(curves[label]).T
            rows.append((label, name, *(float(np.interp(rate, rates, recall)) for rate in RATES)))
    return Table(("class", "system", *(f"{rate:g}" for rate in RATES)), tuple(rows))


def picture(record: Mapping[str, Any]) -> Figure:
    """Draw a panel for each class."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.2), layout="constrained")
    panels = figure.subplots(2, 5, sharex=True, sharey=True)
    for label, axes in zip(CLASSES, panels.flat, strict=True):
        for name, curves in record["curves"].items():
            rates, recall = np.array(curves[label]).T
            style = ":" if TRAINED in name else "-"
            axes.plot(rates, recall, style, label=name, linewidth=2.2 if name == NEW else 1.2)
        axes.set(title=label.replace("_", " "), xscale="log", ylim=(0, 1))
        axes.grid(alpha=0.3)
    figure.supxlabel("false alarms an hour of background")
    figure.supylabel("sounds reported")
    figure.legend(*panels.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure
