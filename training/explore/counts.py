"""Count the clips of a corpus by class, fold and salience; test whether the folds hold the classes evenly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.corpora import CLASSES, Clip

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Numbers of clips in a table.

    Attributes
    ----------
    by_fold
        Shape (labels, folds).
    by_salience
        Shape (labels, 2): foreground, background.
    recordings
        Freesound recordings of each label.
    largest
        Clips of the largest recording of each label.
    """

    labels: tuple[str, ...]
    folds: tuple[int, ...]
    by_fold: Ints
    by_salience: Ints
    recordings: Ints
    largest: Ints


@dataclass(frozen=True)
class ChiSquare:
    """Pearson's chi-square test of independence of class and fold."""

    statistic: float
    degrees: int
    p: float


def labels_of(clips: Sequence[Clip]) -> tuple[str, ...]:
    """Return the labels present: UrbanSound8K's in their order, then others by name."""
    found = {clip.label for clip in clips}
    return (*(label for label in CLASSES if label in found), *sorted(found - set(CLASSES)))


def count(clips: Sequence[Clip]) -> Counts:
    """Count every row of a table, whether or not its file is present."""
    labels = labels_of(clips)
    folds = tuple(sorted({clip.fold for clip in clips}))
    by_fold = np.zeros((len(labels), len(folds)), np.int64)
    by_salience = np.zeros((len(labels), 2), np.int64)
    sizes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for clip in clips:
        row = labels.index(clip.label)
        by_fold[row, folds.index(clip.fold)] += 1
        by_salience[row, clip.salience - 1] += 1
        sizes[clip.label][clip.recording] += 1
    recordings = np.array([len(sizes[label]) for label in labels])
    largest = np.array([max(sizes[label].values()) for label in labels])
    return Counts(labels, folds, by_fold, by_salience, recordings, largest)


def chi_square(by_fold: Ints) -> ChiSquare:
    """Test class against fold; every label and every fold must have clips."""
    from scipy.stats import chi2_contingency

    result = chi2_contingency(by_fold)
    return ChiSquare(float(result.statistic), int(result.dof), float(result.pvalue))
