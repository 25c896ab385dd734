"""Peers of the default model: pretrained networks as they are, and a linear head on their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.base.arrays import Floats
from training.base.maths import logistic
from training.data.corpora import CLASSES
from training.mixing.streams import Scored
from training.recipes.transfer.may_hold import counted
from training.recipes.transfer.thresholds import PartScores, choose
from training.scoring.calibration import (
    CalibrationStreams,
    fit_temperature,
    recalibrated,
    row_targets,
    rows_of,
)

OURS = "default"
_STRENGTH = 0.01
"""Inverse strength of the head's L2 penalty, on standardised embeddings."""
_LEAST_LOGIT = -20.0


@dataclass(frozen=True)
class Heard:
    """One stream through a pretrained network.

    Parameters
    ----------
    bare
        The stream, whatever its scores.
    scores
        The highest score of each class's AudioSet labels, shape (rows, 10).
    embedding
        Shape (rows, width).
    """

    bare: Scored
    scores: Floats
    embedding: Floats

    def scored(self, score: Callable[[Floats], Floats] | None) -> Scored:
        """Return the stream with the network's own scores, or with a head's."""
        return replace(self.bare, scores=self.scores if score is None else score(self.embedding))


@dataclass(frozen=True)
class FoldHeard:
    """A fold's streams through a pretrained network.

    Parameters
    ----------
    alone
        Single sounds over background, from which a head learns too.
    """

    scenes: tuple[Heard, ...]
    beds: tuple[Heard, ...]
    others: tuple[Heard, ...]
    alone: tuple[Heard, ...]
    window_s: float
    hop_s: float

    def streams(self, score: Callable[[Floats], Floats] | None = None) -> CalibrationStreams:
        """Return the streams with the network's own scores, or with a head's."""
        scenes, beds, others = (
            tuple(one.scored(score) for one in kind) for kind in (self.scenes, self.beds, self.others)
        )
        return CalibrationStreams(scenes, beds, others, self.window_s, self.hop_s)


@dataclass(frozen=True)
class Trial:
    """One system tested on one fold; ``development`` are the other folds, which settle everything."""

    system: str
    fold: int
    seed: int
    temperature: float
    development: CalibrationStreams
    test: CalibrationStreams


def ours(scored: Sequence[PartScores]) -> Iterator[Trial]:
    """Yield the trials of the default recipe's networks, one for each fold and seed."""
    for one in scored:
        rest = [other for other in scored if other.seed == one.seed and other.fold != one.fold]
        supports = choose(rest).supports
        heard = [other.hearing(supports).heard for other in rest]
        yield calibrated(OURS, (one.fold, one.seed), heard, one.hearing(supports).heard)


def untouched(system: str, folds: Mapping[int, FoldHeard]) -> Iterator[Trial]:
    """Yield the trials of a network's own AudioSet scores."""
    for fold, test in folds.items():
        rest = [heard.streams() for other, heard in folds.items() if other != fold]
        yield calibrated(system, (fold, 0), rest, test.streams())


def with_head(system: str, folds: Mapping[int, FoldHeard]) -> Iterator[Trial]:
    """Yield the trials of a logistic regression on the embedding; each fold is scored by one without it.

    As for our own networks, thresholds come from the other folds, each scored by a head that left it out.
    """
    scored = {
        fold: test.streams(fit_head([heard for other, heard in folds.items() if other != fold]))
        for fold, test in folds.items()
    }
    for fold, streams in scored.items():
        yield calibrated(system, (fold, 0), [s for other, s in scored.items() if other != fold], streams)


def fit_head(folds: Sequence[FoldHeard]) -> Callable[[Floats], Floats]:
    """Fit one logistic regression for each class on rows of single sounds, backgrounds and other sounds.

    A class without sounds scores nothing.
    """
    from sklearn.linear_model import LogisticRegression

    rows = [_rows(one) for fold in folds for one in (*fold.alone, *fold.beds, *fold.others)]
    inputs, targets = (np.concatenate(column) for column in zip(*rows, strict=True))
    mean, scale = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-6)
    weights, bias = np.zeros((inputs.shape[1], len(CLASSES))), np.full(len(CLASSES), _LEAST_LOGIT)
    for column in np.flatnonzero(targets.any(axis=0)):
        model = LogisticRegression(C=_STRENGTH, max_iter=300)
        model.fit((inputs - mean) / scale, targets[:, column] > 0)
        weights[:, column], bias[column] = model.coef_[0], model.intercept_[0]

    def score(embedding: Floats) -> Floats:
        scores: Floats = logistic((embedding - mean) / scale @ weights + bias).astype(np.float32)
        return scores

    return score


def _rows(heard: Heard) -> tuple[Floats, Floats]:
    targets, sure = row_targets(heard.bare, CLASSES)
    return heard.embedding[sure].astype(np.float32), targets[sure].astype(np.float32)


def calibrated(
    system: str, place: tuple[int, int], development: Sequence[CalibrationStreams], test: CalibrationStreams
) -> Trial:
    """Return a trial on (fold, seed) with the system's own temperature, fitted on development streams."""
    rows = [rows_of([*one.scenes, *one.beds], CLASSES) for one in development]
    logits, targets = (np.concatenate(column) for column in zip(*rows, strict=True))
    temperature = fit_temperature(logits, targets)

    def cooled(streams: Sequence[CalibrationStreams]) -> CalibrationStreams:
        scenes, beds, others = (
            tuple(recalibrated(s, temperature) for one in streams for s in getattr(one, kind))
            for kind in ("scenes", "beds", "others")
        )
        # What may hold a class counts for nobody, as for our own networks.
        screened_beds = tuple(map(counted, beds))
        return CalibrationStreams(scenes, screened_beds, others, test.window_s, test.hop_s)

    return Trial(system, *place, temperature, cooled(development), cooled([test]))
