"""Plots of the evaluation; each function returns a figure and does no IO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from monitor.tuning.poisson import interval
from training.data.corpora import CLASSES
from training.stream_eval.conditions import CONDITIONS, OVERLAP, PLAIN
from training.stream_eval.gathered import SystemProfile
from training.stream_eval.judge import MOVES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES = {"quiet": "-", "sensitive": "--"}


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _colours(systems: Sequence[SystemProfile]) -> dict[str, str]:
    names = dict.fromkeys(system.listener for system in systems)
    return {name: f"C{number % 10}" for number, name in enumerate(names)}


def recall_over_alarms(systems: Sequence[SystemProfile]) -> Figure:
    """Plot recall over false alarms per hour as all thresholds shift; markers are the profiles."""
    figure = _figure(8, 5)
    axes = figure.subplots()
    colours = _colours(systems)
    for system in systems:
        hours = sum(background.seconds for background in system.backgrounds) / 3600
        counts = [sum(background.curve[i] for background in system.backgrounds) for i in range(len(MOVES))]
        recall = [found / sounds for _, found, sounds in system.soundscapes[PLAIN].curve]
        style = _STYLES.get(system.profile, "-")
        axes.plot(np.array(counts) / hours, recall, style, color=colours[system.listener], label=system.name)
        now = MOVES.index(0.0)
        low, high = interval(counts[now])
        axes.plot([low / hours, high / hours], [recall[now]] * 2, color=colours[system.listener], lw=1)
        axes.plot(counts[now] / hours, recall[now], "o", color=colours[system.listener])
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set(xlim=(0, None), ylim=(0, 1), ylabel="share of sounds reported")
    axes.set_xlabel("false alarms an hour on all backgrounds; lines with all thresholds moved together")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def over_snr(systems: Sequence[SystemProfile]) -> Figure:
    """Plot onset and segment F1 over the SNR of the sounds."""
    figure = _figure(9, 4)
    panels = figure.subplots(1, 2, sharex=True)
    for axes, measure, name in zip(panels, ("onset_f1", "segment_f1"), ("onset", "segment"), strict=True):
        _over_snr(axes, systems, measure)
        axes.set(xlabel="dB over background", ylabel=f"{name} F1, mean over classes", ylim=(0, 1))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _over_snr(axes: Axes, systems: Sequence[SystemProfile], measure: str) -> None:
    colours = _colours(systems)
    for system in systems:
        found = [
            (c.value, system.soundscapes[c.name].macro(measure))
            for c in CONDITIONS
            if c.family == "snr" and c.name in system.soundscapes
        ]
        if found:
            levels, values = zip(*sorted(found), strict=True)
            style = "o" + _STYLES.get(system.profile, "-")
            axes.plot(levels, values, style, color=colours[system.listener], label=system.name)
    axes.grid(alpha=0.3)


def delays(systems: Sequence[SystemProfile]) -> Figure:
    """Plot delays from onset to decision: a line from median to 95 % per class and model."""
    figure = _figure(9, 6)
    axes = figure.subplots()
    colours, step = _colours(systems), 0.8 / max(1, len(systems))
    for number, system in enumerate(systems):
        rows = [row for row in system.soundscapes[PLAIN].classes if row.delays_s]
        places = [CLASSES.index(row.label) + step * (number - (len(systems) - 1) / 2) for row in rows]
        middle, late = (np.array([np.percentile(row.delays_s, p) for row in rows]) for p in (50, 95))
        colour, mark = colours[system.listener], "o" if system.profile == "quiet" else "^"
        axes.hlines(places, middle, late, color=colour, lw=1.5)
        axes.plot(middle, places, mark, color=colour, ms=4, label=system.name)
    axes.set_yticks(range(len(CLASSES)), CLASSES)
    axes.invert_yaxis()
    axes.axvline(1.0, color="0.6", lw=1)
    axes.set_xlabel("s from onset to decision: median, and line to 95 %")
    axes.set_xlim(0, None)
    axes.legend(fontsize=8)
    return figure


def conditions(systems: Sequence[SystemProfile]) -> Figure:
    """Plot onset F1 under each evaluated condition."""
    names = [
        c.name
        for c in CONDITIONS
        if c.family != OVERLAP and any(c.name in system.soundscapes for system in systems)
    ]
    figure = _figure(9, 4.5)
    axes = figure.subplots()
    colours = _colours(systems)
    for system in systems:
        mine = [name for name in names if name in system.soundscapes]
        values = [system.soundscapes[name].macro("onset_f1") for name in mine]
        mark = "o" if system.profile == "quiet" else "^"
        places = [names.index(name) for name in mine]
        axes.plot(places, values, mark, color=colours[system.listener], label=system.name)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set(ylabel="onset F1, mean over classes", ylim=(0, None))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, fontsize=8)
    return figure
