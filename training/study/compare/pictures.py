"""Draw the pictures of the comparison; each function returns a figure and writes no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from training.scoring.intervals import Interval
from training.scoring.statistics import confusion
from training.study.compare.gather import Comparison, Entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.32
"""Height of a line of a chart, inches."""
_PANELS = 4
"""Panels side by side."""
_COLOURS = {"seed": "#b35806", "honest": "#2166ac"}
_SECOND = "#92c5de"


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def accuracies(entries: Sequence[Entry]) -> Figure:
    """Draw pooled accuracy with its interval over recordings, and a tick per job."""
    figure = _figure(8, 1.2 + _ROW * len(entries))
    axes = figure.subplots()
    for place, entry in enumerate(reversed(entries)):
        value = entry.accuracy
        axes.plot([value.low, value.high], [place, place], color=_COLOURS[entry.protocol], lw=2)
        axes.plot(value.value, place, "o", color=_COLOURS[entry.protocol], ms=7)
        each = [record.clips.accuracy for record in entry.records]
        axes.plot(each, [place] * len(each), "|", color="0.45", ms=9)
    axes.set_yticks(range(len(entries)), [entry.model for entry in reversed(entries)])
    axes.set_xlabel("accuracy: all clips with 95 % over recordings; ticks are single jobs")
    axes.grid(axis="x", alpha=0.3)
    return figure


def curves(entries: Sequence[Entry]) -> Figure:
    """Draw loss and accuracies during training, a panel per model, a thin line per job."""
    rows = -(-len(entries) // _PANELS)
    figure = _figure(3 * _PANELS, 2.4 * rows)
    panels = np.atleast_1d(figure.subplots(rows, _PANELS, squeeze=False)).ravel()
    for axes, entry in zip(panels, entries, strict=False):
        _curves(axes, entry)
    for axes in panels[len(entries) :]:
        axes.set_axis_off()
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=9)
    return figure


_LINES = (
    ("accuracy", "training accuracy", "0.6"),
    ("val_accuracy", "validation accuracy", "#2166ac"),
    ("test_accuracy", "test accuracy", "#b35806"),
)


def _curves(axes: Axes, entry: Entry) -> None:
    for attribute, name, colour in _LINES:
        label = name
        for record in entry.records:
            points = [(e.epoch, value) for e in record.epochs if (value := getattr(e, attribute)) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, lw=1, alpha=0.8, label=label)
                label = "_"
    losses = axes.twinx()
    for record in entry.records:
        losses.plot(
            [e.epoch for e in record.epochs], [e.loss for e in record.epochs], ":", color="0.3", lw=0.8
        )
    losses.tick_params(labelsize=7, colors="0.3")
    axes.plot([], [], ":", color="0.3", label="loss (right)")
    axes.set_ylim(0, 1)
    axes.locator_params(axis="x", integer=True)
    axes.tick_params(labelsize=7)
    axes.set_title(entry.model, fontsize=9)


def confusions(entries: Sequence[Entry], labels: Sequence[str]) -> Figure:
    """Draw the normalised confusion matrix of each model."""
    rows = -(-len(entries) // _PANELS)
    figure = _figure(3 * _PANELS, 3 * rows)
    panels = np.atleast_1d(figure.subplots(rows, _PANELS, squeeze=False)).ravel()
    for axes, entry in zip(panels, entries, strict=False):
        counts = confusion(entry.rows)
        axes.imshow(counts / counts.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=6)
        axes.set_yticks(range(len(labels)), labels, fontsize=6)
        axes.set_title(f"{entry.model} {entry.figures.accuracy:.3f}", fontsize=9)
    for axes in panels[len(entries) :]:
        axes.set_axis_off()
    return figure


def confusion_of(entry: Entry, labels: Sequence[str]) -> Figure:
    """Draw the confusion matrix of one model, with counts; rows are true classes."""
    counts = confusion(entry.rows)
    figure = _figure(6.5, 5.8)
    axes = figure.subplots()
    shares = counts / counts.sum(axis=1, keepdims=True).clip(1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(entry.name)
    for (row, column), count in np.ndenumerate(counts):
        if count >= 0.5:
            colour = "white" if shares[row, column] > 0.6 else "black"
            axes.text(column, row, f"{count:.0f}", ha="center", va="center", fontsize=7, color=colour)
    return figure


def class_bars(first: Entry, second: Entry | None, labels: Sequence[str]) -> Figure:
    """Draw recall and precision of every class, the best entry beside the reference."""
    shown = [entry for entry in (second, first) if entry is not None]
    figure = _figure(9, 4.6)
    panels = figure.subplots(1, 2, sharey=True)
    height = 0.8 / len(shown)
    for axes, measure in zip(panels, ("recall", "precision"), strict=True):
        for shift, (entry, colour) in enumerate(zip(shown[::-1], ("#2166ac", _SECOND), strict=False)):
            values = np.nan_to_num([getattr(c, measure) for c in entry.classes])
            axes.barh(np.arange(len(labels)) + shift * height, values, height, color=colour, label=entry.name)
        axes.set_yticks(np.arange(len(labels)) + 0.4 - height / 2, labels)
        axes.set_xlabel(measure)
        axes.set_xlim(0, 1)
        axes.grid(axis="x", alpha=0.3)
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def costs(comparison: Comparison) -> Figure:
    """Draw accuracy against parameters and against multiply-adds, on logarithmic axes."""
    figure = _figure(10, 4.6)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, attribute in zip(panels, ("parameters", "multiply_adds"), strict=True):
        for protocol, colour in _COLOURS.items():
            shown = [e for e in comparison.of(protocol) if getattr(e.cost, attribute) > 0]
            for entry in shown:
                value, at = entry.accuracy, getattr(entry.cost, attribute)
                axes.plot([at, at], [value.low, value.high], color=colour, lw=1, alpha=0.4)
                axes.annotate(entry.model, (at, value.value), (4, 3), textcoords="offset points", fontsize=7)
            axes.plot([getattr(e.cost, attribute) for e in shown], [e.figures.accuracy for e in shown], "o",
                      color=colour, label=f"{protocol} protocol")  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlabel(attribute.replace("_", "-") + " of a window" * (attribute == "multiply_adds"))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("accuracy, all clips, 95 % over recordings")
    panels[0].legend(fontsize=8)
    return figure


def forest(values: Mapping[str, Interval], what: str) -> Figure:
    """Draw differences with their intervals, the first on top; ``what`` labels the axis."""
    figure = _figure(8, 1.2 + _ROW * len(values))
    axes = figure.subplots()
    axes.axvline(0, color="0.4", lw=1)
    for place, value in enumerate(list(values.values())[::-1]):
        colour = "#2166ac" if value.excludes_zero else "0.55"
        axes.plot([100 * value.low, 100 * value.high], [place, place], color=colour, lw=2)
        axes.plot(100 * value.value, place, "o", color=colour)
    axes.set_yticks(range(len(values)), list(values)[::-1])
    axes.set_xlabel(f"{what}, points, 95 % over recordings")
    axes.grid(axis="x", alpha=0.3)
    return figure
