"""Plots for the page about the shipped model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.data.corpora import CLASSES
from training.scoring.held_out import FoldFigures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion(figures: Sequence[FoldFigures]) -> NDArray[np.int64]:
    """Return the clips of all folds, true class by predicted class."""
    total: NDArray[np.int64] = np.sum([one.clips.confusion for one in figures], axis=0)
    return total


def confusion_picture(figures: Sequence[FoldFigures]) -> Figure:
    """Return the confusion matrix as a picture."""
    from matplotlib.figure import Figure

    counts = confusion(figures)
    figure = Figure(figsize=(6.5, 5.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts / counts.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(CLASSES)), CLASSES, rotation=60, ha="right")
    axes.set_yticks(range(len(CLASSES)), CLASSES)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, str(count), ha="center", va="center", fontsize=7)
    return figure
