"""The page that compares the default model's networks with peers, from records alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.base.report import Cell, Report, Table
from training.data.corpora import CLASSES
from training.stream_eval.peers.figures import (
    CURVE,
    DRAWS,
    RATES,
    Estimate,
    SystemCurve,
    curve,
    difference,
    estimate,
    sample,
)
from training.stream_eval.peers.operating import FITTED_AT, TrialCounts
from training.stream_eval.peers.records import TrialRecord
from training.stream_eval.peers.systems import OURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FEW = 10
"""Recordings of a class below which its figure is marked."""


@dataclass(frozen=True)
class _Compared:
    """Systems on the folds that all of them have, ours first."""

    folds: tuple[int, ...]
    counts: tuple[TrialCounts, ...]
    curves: tuple[SystemCurve, ...]


def compose(records: Sequence[TrialRecord]) -> Report:
    """Return the page, its picture and its tables."""
    compared = _compare([record.counts for record in records])
    tables = {
        "f1.csv": Table(_F1_COLUMNS, tuple(_f1_rows(compared))),
        "differences.csv": Table(_DIFFERENCE_COLUMNS, tuple(_difference_rows(compared))),
        "classes.csv": Table(("system", "false alarms an hour", *CLASSES), tuple(_class_rows(compared))),
        "trials.csv": Table(_TRIAL_COLUMNS, tuple(_trial_rows(compared.counts))),
    }
    parts = (_opening(compared, records), _f1(compared), _differences(compared), _classes(compared))
    return Report("\n\n".join(parts) + "\n", {"curve.png": _picture(compared)}, tables)


def _compare(counts: Sequence[TrialCounts]) -> _Compared:
    names = sorted({t.system for t in counts}, key=lambda name: (name != OURS, name))
    by_seed = {(t.system, t.seed) for t in counts}
    # A seed without one of the folds is in no figure.
    folds = set.intersection(*({t.fold for t in counts if t.system == name} for name in names))
    whole = {
        (name, seed)
        for name, seed in by_seed
        if folds <= {t.fold for t in counts if (t.system, t.seed) == (name, seed)}
    }
    kept = tuple(t for t in counts if t.fold in folds and (t.system, t.seed) in whole)
    drawn = sample(kept)
    curves = tuple(curve(name, [t for t in kept if t.system == name], drawn) for name in names)
    return _Compared(tuple(sorted(folds)), kept, curves)


def _opening(compared: _Compared, records: Sequence[TrialRecord]) -> str:
    first = {t.fold: t for t in compared.counts}
    hours = sum(bed.seconds for t in first.values() for bed in t.beds) / 3600
    recordings = {(t.fold, row.recording) for t in first.values() for row in t.sounds}
    sounds = sum(row.sounds for t in first.values() for row in t.sounds)
    seeds = {c.system: c.f1.shape[0] for c in compared.curves}
    commands = ", ".join(sorted({f"`{record.command}`" for record in records}))
    codes = ", ".join(sorted({f"{r.code.digest} (commit {r.code.commit})" for r in records}))
    return "\n".join((
        "# The default model beside its peers, at equal false alarms",
        "",
        f"Made from {len(records)} records of {commands}, code {codes}. Folds "
        f"{', '.join(map(str, compared.folds))}: {sounds} sounds of {len(recordings)} recordings in "
        f"soundscapes, {hours * 60:.0f} minutes of background.",
        "",
        "- **default**: the default recipe's networks, each on the fold that it held out "
        f"({seeds.get(OURS, 0)} seeds).",
        "- **mn04**, **YAMNet**: the published networks untouched; a class scores the highest of its "
        "AudioSet labels.",
        "- **head on mn04**, **head on YAMNet**: a logistic regression for each class on the embedding of "
        "the same, fitted on the training folds: single sounds over background, backgrounds, other sounds.",
        "",
        "Every system is treated alike: a temperature of its own, a smoothing of 1 s for brief sounds and "
        "2 s for others, and for each class onset shift and threshold (24 from .002 to .99), fitted on the "
        "other folds for "
        f"{FITTED_AT:g} false alarms an hour. Then all its thresholds move together until the test "
        "backgrounds give the rate asked for. F1 is of onsets within 0.5 s, the mean over the ten classes.",
        "",
        f"Intervals hold 95 % of {DRAWS} draws of recordings, backgrounds and seeds; beside them the lowest "
        "and the highest seed. A system without seeds is trained in closed form or not at all.",
    ))  # fmt: skip


_F1_COLUMNS = ("system", "false alarms an hour", "onset F1", "low", "high", "lowest seed", "highest seed")


def _f1_rows(compared: _Compared) -> Iterator[tuple[Cell, ...]]:
    for one in compared.curves:
        for rate in CURVE:
            found = estimate(one, rate)
            yield one.system, rate, found.value, found.low, found.high, *found.seeds


def _f1(compared: _Compared) -> str:
    columns = ("system", *(f"onset F1 at {rate:g} an hour" for rate in RATES))
    rows = tuple((c.system, *(_shown(estimate(c, rate), c) for rate in RATES)) for c in compared.curves)
    return "\n\n".join((
        "## Onset F1", Table(columns, rows).markdown(), "![F1 over false alarms an hour](curve.png)",
        "At other rates: `f1.csv`; what was fitted: `trials.csv`.",
    ))  # fmt: skip


def _shown(found: Estimate, of: SystemCurve, sign: str = "") -> str:
    text = f"{found.value:{sign}.3f} ({found.low:{sign}.3f} … {found.high:{sign}.3f})"
    low, high = found.seeds
    return f"{text}; seeds {low:{sign}.3f} … {high:{sign}.3f}" if of.f1.shape[0] > 1 else text


_DIFFERENCE_COLUMNS = (
    "first", "minus", "false alarms an hour", "onset F1", "low", "high", "lowest seed", "highest seed",
)  # fmt: skip


def _difference_rows(compared: _Compared) -> Iterator[tuple[Cell, ...]]:
    first, *peers = compared.curves
    for peer in peers:
        for rate in CURVE:
            found = difference(first, peer, rate)
            yield first.system, peer.system, rate, found.value, found.low, found.high, *found.seeds


def _differences(compared: _Compared) -> str:
    first, *peers = compared.curves
    columns = (f"{first.system} minus", *(f"at {rate:g} an hour" for rate in RATES))
    rows: list[tuple[Cell, ...]] = []
    for peer in peers:
        shown = []
        for rate in RATES:
            found = difference(first, peer, rate)
            sure = "" if found.low <= 0 <= found.high else " *"
            shown.append(_shown(found, first, "+") + sure)
        rows.append((peer.system, *shown))
    return "\n\n".join((
        "## Paired differences", Table(columns, tuple(rows)).markdown(),
        "\\* The interval excludes zero.",
    ))  # fmt: skip


def _class_rows(compared: _Compared) -> Iterator[tuple[Cell, ...]]:
    for one in compared.curves:
        for number, rate in enumerate(CURVE):
            yield one.system, rate, *map(float, one.classes[number])


def _classes(compared: _Compared) -> str:
    recordings = {
        label: {(t.fold, row.recording) for t in compared.counts for row in t.sounds if row.label == label}
        for label in CLASSES
    }
    at = CURVE.index(FITTED_AT)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (label, len(recordings[label]), *(float(one.classes[at, column]) for one in compared.curves))
        for column, label in enumerate(CLASSES)
    )
    few = [label for label in CLASSES if len(recordings[label]) < _FEW]
    small = f" Fewer than {_FEW} recordings, so hardly evidence: {', '.join(few)}." if few else ""
    return "\n\n".join((
        f"## Classes at {FITTED_AT:g} false alarms an hour",
        Table(("class", "recordings", *(one.system for one in compared.curves)), rows).markdown(),
        f"Onset F1, the mean over seeds, without intervals: read them as an orientation.{small}",
    ))  # fmt: skip


_TRIAL_COLUMNS = (
    "system", "fold", "seed", "temperature", "class", "enter", "smoothing s", "attack s", "onset shift s",
)  # fmt: skip


def _trial_rows(counts: Sequence[TrialCounts]) -> Iterator[tuple[Cell, ...]]:
    for trial in counts:
        for label, one in trial.settings.items():
            yield (
                trial.system, trial.fold, trial.seed, trial.temperature, label, one.enter, one.smoothing_s,
                one.attack_s, one.onset_shift_s,
            )  # fmt: skip


def _picture(compared: _Compared) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, one in enumerate(compared.curves):
        found = [estimate(one, rate) for rate in CURVE]
        axes.plot(CURVE, [e.value for e in found], "o-", color=f"C{number}", label=one.system)
        axes.fill_between(
            CURVE, [e.low for e in found], [e.high for e in found], color=f"C{number}", alpha=0.12
        )
    axes.set_xscale("log")
    axes.set_xticks(CURVE, [f"{rate:g}" for rate in CURVE])
    axes.set(xlabel="false alarms an hour on test backgrounds", ylabel="onset F1, mean over classes")
    axes.set_ylim(0, None)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
