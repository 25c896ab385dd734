"""Reliability of scores: of all windows with score 0.8 for a class, 80 % should contain it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.base.report import Cell, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 15
_LEAST = 1e-7
_ACROSS = 4

Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class Reliability:
    """Reliability of one label, treated as a binary question for each window.

    Parameters
    ----------
    windows
        Number of windows in each bin, shape (bins,).
    score, present
        Mean score, and share of windows that contain the label; nan in an empty bin.
    nll
        Negative log-likelihood in nats per window.
    brier
        Mean squared error.
    """

    label: str
    windows: NDArray[np.int64]
    score: NDArray[np.float64]
    present: NDArray[np.float64]
    nll: float
    brier: float

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean over windows of their bin's |score − share|.

        Reference: Guo et al., On Calibration of Modern Neural Networks, 2017.
        """
        held = self.windows > 0
        off = np.abs(self.score - self.present)[held]
        return float((off * self.windows[held]).sum() / self.windows.sum())


def reliability(scores: Numbers, targets: Numbers, labels: Sequence[str]) -> list[Reliability]:
    """Evaluate calibrated scores on windows not used in fitting: one row per label, all labels pooled last.

    Parameters
    ----------
    scores
        Shape (windows, labels), 0…1.
    targets
        Same shape; 1 where the window contains the label, else 0.

    Raises
    ------
    ValueError
        If there are no windows, the shapes differ, or a target is neither 0 nor 1.
    """
    if not len(scores) or scores.shape != targets.shape or scores.shape[1] != len(labels):
        raise ValueError(f"scores {scores.shape}, targets {targets.shape}, {len(labels)} labels: do not fit")
    if not np.isin(targets, (0, 1)).all():
        raise ValueError("targets must be 0 or 1: what is smoothed or mixed cannot judge a score")
    columns = zip(labels, scores.T, targets.T, strict=True)
    rows = [_judged(label, score, target) for label, score, target in columns]
    return [*rows, _judged("all", scores.ravel(), targets.ravel())]


def _judged(label: str, score: Numbers, target: Numbers) -> Reliability:
    score, target = score.astype(np.float64), target.astype(np.float64)
    at = np.minimum((score * BINS).astype(np.int64), BINS - 1)
    windows = np.bincount(at, minlength=BINS)
    count = np.where(windows > 0, windows, np.nan)
    safe = np.clip(score, _LEAST, 1.0 - _LEAST)
    return Reliability(
        label,
        windows,
        np.bincount(at, score, BINS) / count,
        np.bincount(at, target, BINS) / count,
        float(-np.mean(target * np.log(safe) + (1.0 - target) * np.log(1.0 - safe))),
        float(np.mean(np.square(score - target))),
    )


def table(rows: Sequence[Reliability]) -> Table:
    """Return one line per label: windows, share that contain it, ECE, NLL, Brier score."""
    columns = ("class", "windows", "share present", "ECE", "NLL", "Brier")
    return Table(columns, tuple(_line(row) for row in rows))


def _line(row: Reliability) -> tuple[Cell, ...]:
    held = row.windows > 0
    present = float((row.present[held] * row.windows[held]).sum() / row.windows.sum())
    return (row.label, int(row.windows.sum()), present, row.ece, row.nll, row.brier)


def diagram(rows: Sequence[Reliability]) -> Figure:
    """Return a plot per label: observed share over mean score, with the diagonal; bars count windows."""
    from matplotlib.figure import Figure

    across = min(_ACROSS, len(rows))
    down = -(-len(rows) // across)
    figure = Figure(figsize=(2.6 * across, 2.4 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, row in zip(panels, rows, strict=False):
        _panel(axes, row)
    for axes in panels[len(rows) :]:
        axes.set_axis_off()
    figure.supxlabel("mean score of the bin")
    figure.supylabel("share of its windows that hold the class")
    return figure


def _panel(axes: Axes, row: Reliability) -> None:
    edges = np.linspace(0.0, 1.0, BINS + 1)
    heights = np.log1p(row.windows) / np.log1p(row.windows.max())
    axes.bar(edges[:-1], heights, 1 / BINS, align="edge", color="0.88")
    axes.plot([0, 1], [0, 1], color="0.6", lw=1)
    held = row.windows > 0
    axes.plot(row.score[held], row.present[held], "o-", color="#2166ac", ms=3, lw=1.2)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"{row.label}, ECE {row.ece:.3f}", fontsize=9)
