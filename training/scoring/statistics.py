"""Clip-level figures: per fold, pooled, per class, by salience, calibrated or not.

Seeds are not independent samples of the data: each clip counts once, averaged over the seeds that
scored it. Intervals and differences are in :mod:`training.scoring.intervals`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from training.errors import DataError
from training.records.jobs import JobRecord

Numbers = NDArray[np.float64]

CALIBRATION_BINS = 15
_LEAST_PROBABILITY = 5e-4
"""Floor of probabilities: records round them to thousandths, so zero means less than half of one."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Scored clips of one model; each clip of a fold has total weight 1, shared by the seeds that scored it.

    Parameters
    ----------
    key
        (fold, clip stem) per row; a clip has one row per seed.
    recording, salience, truth, prediction, weight
        Shape (rows,).
    probability
        Shape (rows, labels).
    """

    key: tuple[tuple[int, str], ...]
    recording: NDArray[np.str_]
    salience: NDArray[np.int64]
    truth: NDArray[np.int64]
    prediction: NDArray[np.int64]
    weight: Numbers
    probability: NDArray[np.float32]

    def where(self, mask: NDArray[np.bool_]) -> Rows:
        """Return the rows where ``mask`` holds."""
        key = tuple(key for key, kept in zip(self.key, mask, strict=True) if kept)
        return Rows(
            key,
            self.recording[mask],
            self.salience[mask],
            self.truth[mask],
            self.prediction[mask],
            self.weight[mask],
            self.probability[mask],
        )


def rows(records: Sequence[JobRecord]) -> Rows:
    """Pool records of one model over folds and seeds.

    Raises
    ------
    DataError
        If there are no records, or their labels differ.
    """
    if not records:
        raise DataError("no records to pool; run the jobs first: sound-training cv")
    if len({record.data.labels for record in records}) > 1:
        raise DataError("records with different labels cannot be pooled; keep corpora in separate folders")
    seeds = Counter(record.job.test_fold for record in records)
    parts = [record.clips for record in records]
    shares = [1 / seeds[record.job.test_fold] for record in records]
    return Rows(
        tuple((record.job.test_fold, clip) for record in records for clip in record.clips.clip),
        np.concatenate([np.array(part.recording) for part in parts]),
        np.concatenate([part.salience for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.prediction for part in parts]),
        np.concatenate([np.full(len(part.truth), share) for part, share in zip(parts, shares, strict=True)]),
        np.concatenate([part.probability for part in parts]),
    )


@dataclass(frozen=True)
class Figures:
    """Figures of one model on a set of clips; ``nan`` where the set has no such clips.

    ``macro_…`` are means over the classes in the set; ``weighted_f1`` weights classes by their clips, as in
    the seed study; ``nll`` is in nats; ``ece`` uses 15 bins of confidence.
    """

    clips: int
    recordings: int
    accuracy: float
    macro_f1: float
    macro_recall: float
    weighted_f1: float
    foreground: float
    background: float
    nll: float
    ece: float


def figures(scored: Rows) -> Figures:
    """Return all figures of the rows."""
    truth, guess, weight = scored.truth, scored.prediction, scored.weight
    held = np.unique(truth)
    f1 = {
        average: metrics.f1_score(
            truth, guess, labels=held, average=average, sample_weight=weight, zero_division=0
        )
        for average in ("macro", "weighted")
    }
    recall = metrics.recall_score(
        truth, guess, labels=held, average="macro", sample_weight=weight, zero_division=0
    )
    return Figures(
        clips=len(set(scored.key)),
        recordings=len(np.unique(scored.recording)),
        accuracy=_accuracy(scored, np.ones(len(truth), bool)),
        macro_f1=float(f1["macro"]),
        macro_recall=float(recall),
        weighted_f1=float(f1["weighted"]),
        foreground=_accuracy(scored, scored.salience == 1),
        background=_accuracy(scored, scored.salience == 2),
        nll=_nll(scored),
        ece=calibration_error(scored),
    )


def _accuracy(scored: Rows, mask: NDArray[np.bool_]) -> float:
    if not mask.any():
        return float("nan")
    right = metrics.accuracy_score(
        scored.truth[mask], scored.prediction[mask], sample_weight=scored.weight[mask]
    )
    return float(right)


def _nll(scored: Rows) -> float:
    probability = np.maximum(scored.probability.astype(float), _LEAST_PROBABILITY)
    probability /= probability.sum(axis=1, keepdims=True)
    labels = range(probability.shape[1])
    return float(metrics.log_loss(scored.truth, probability, labels=labels, sample_weight=scored.weight))


def calibration_error(scored: Rows, bins: int = CALIBRATION_BINS) -> float:
    """Return the expected calibration error: |accuracy − confidence| over equal bins of confidence."""
    confidence = scored.probability.max(axis=1).astype(float)
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    surplus = (scored.prediction == scored.truth) - confidence
    gaps = np.bincount(bin_of, weights=scored.weight * surplus, minlength=bins)
    return float(np.abs(gaps).sum() / scored.weight.sum())


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class; ``clips`` and ``recordings`` count its members; an undefined share is nan."""

    clips: int
    recordings: int
    precision: float
    recall: float
    f1: float


def class_figures(scored: Rows) -> tuple[ClassFigures, ...]:
    """Return one row per label, in label order."""
    labels = np.arange(scored.probability.shape[1])
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        scored.truth, scored.prediction, labels=labels, sample_weight=scored.weight, zero_division=np.nan
    )
    table = []
    for label in labels:
        mine = scored.where(scored.truth == label)
        counts = len(set(mine.key)), len(np.unique(mine.recording))
        table.append(ClassFigures(*counts, float(precision[label]), float(recall[label]), float(f1[label])))
    return tuple(table)


def confusion(scored: Rows) -> Numbers:
    """Return the number of clips of class t predicted as p, ``[t, p]``, averaged over seeds."""
    labels = np.arange(scored.probability.shape[1])
    counts: Numbers = metrics.confusion_matrix(
        scored.truth, scored.prediction, labels=labels, sample_weight=scored.weight
    )
    return counts


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over folds, each fold averaged over seeds; deviation nan for one fold."""

    mean: float
    deviation: float
    folds: int


def over_folds(records: Sequence[JobRecord], value: Callable[[JobRecord], float]) -> Spread:
    """Return the spread of ``value`` of a record over the test folds."""
    by_fold = [
        np.mean([value(record) for record in records if record.job.test_fold == fold])
        for fold in sorted({record.job.test_fold for record in records})
    ]
    deviation = float(np.std(by_fold, ddof=1)) if len(by_fold) > 1 else float("nan")
    return Spread(float(np.mean(by_fold)), deviation, len(by_fold))
