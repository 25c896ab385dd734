"""A network's logits of held-out streams, and the support of AudioSet labels for class logits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.model.card import Support
from training.base.arrays import Floats
from training.base.maths import logistic
from training.data.corpora import CLASSES, LABELS
from training.mixing.streams import Scored
from training.networks import mn04
from training.recipes.transfer.held_out import Kind, Stream, Streams
from training.recipes.transfer.may_hold import screened
from training.recipes.transfer.trunk import outputs_of
from training.scoring.calibration import rows_of

AUDIOSET_LABELS: Mapping[str, tuple[str, ...]] = {
    "air_conditioner": ("Air conditioning",),
    "car_horn": ("Vehicle horn, car horn, honking", "Toot", "Air horn, truck horn"),
    "children_playing": ("Children playing", "Children shouting", "Child speech, kid speaking"),
    "dog_bark": ("Bark", "Dog", "Bow-wow", "Yip"),
    "drilling": ("Drill", "Dental drill, dentist's drill"),
    "engine_idling": (
        "Idling", "Engine", "Light engine (high frequency)", "Medium engine (mid frequency)",
        "Heavy engine (low frequency)",
    ),
    "gun_shot": ("Gunshot, gunfire", "Machine gun", "Fusillade", "Artillery fire", "Cap gun"),
    "jackhammer": ("Jackhammer",),
    "siren": (
        "Siren", "Civil defense siren", "Police car (siren)", "Ambulance (siren)",
        "Fire engine, fire truck (siren)", "Emergency vehicle",
    ),
    "street_music": ("Music",),
}  # fmt: skip
"""AudioSet labels of each class; their maximum is used."""

AUDIOSET_WEIGHT: Mapping[str, float] = dict.fromkeys(CLASSES, 1.0) | {
    "siren": 2.0, "car_horn": 0.25, "gun_shot": 0.25, "jackhammer": 0.25,
}  # fmt: skip
"""Weight of a class's AudioSet logit beside the head's, which counts 1.

Fitted weights follow the folds, whose recordings are few and alike, and give the head twice as much. AudioSet
holds thousands of recordings of most classes, and of sirens far more than the folds do. Its labels are of
clips of ten seconds, though, of which a shot, a honk or a blow is a small part.
"""
_RIDGE, _NEWTON_STEPS, _LEAST_SCALE = 1e-3, 25, 0.05


@dataclass(frozen=True)
class Raw:
    """A stream with the logits of its rows.

    Parameters
    ----------
    head
        Logits of the classes and background, shape (rows, 11).
    audioset
        Maximum over each class's AudioSet labels, shape (rows, 10).
    """

    bare: Scored
    head: Floats
    audioset: Floats

    def scored(self, logits: Floats) -> Scored:
        """Return the stream with the scores of ``logits``."""
        return replace(self.bare, scores=logistic(logits).astype(np.float32))


RawStreams = Mapping[Kind, tuple[Raw, ...]]


def score(streams: Streams, upper: bytes, names: Sequence[str]) -> RawStreams:
    """Score streams with a network.

    Parameters
    ----------
    upper
        The upper blocks as TFLite.
    names
        AudioSet's labels.
    """
    groups = [[names.index(name) for name in AUDIOSET_LABELS[label]] for label in CLASSES]
    return {kind: tuple(_raw(stream, upper, groups) for stream in streams[kind]) for kind in streams}


def _raw(stream: Stream, upper: bytes, groups: Sequence[Sequence[int]]) -> Raw:
    run = outputs_of(upper)
    given = [run(maps) for maps in stream.maps]
    audioset = np.stack([one[mn04.AUDIOSET] for one in given])
    highest = np.stack([audioset[:, group].max(axis=1) for group in groups], axis=1)
    return Raw(stream.bare, np.stack([one[len(LABELS)] for one in given]), highest)


def fit_supports(folds: Iterable[RawStreams]) -> dict[str, Support]:
    """Return the supports of the classes, whose scale and bias make the logit a calibrated one.

    Scale and bias are fitted by logistic regression on rows of soundscapes, backgrounds and sounds of no
    class held out from the networks; the ratio of head and AudioSet is :data:`AUDIOSET_WEIGHT`.
    """
    streams = [raw for fold in folds for kind in ("scapes", "beds", "others") for raw in fold[kind]]
    weights = np.array([AUDIOSET_WEIGHT[label] for label in CLASSES], np.float32)
    sums = [screened(raw.scored(raw.head[:, : len(CLASSES)] + weights * raw.audioset)) for raw in streams]
    logits, targets = rows_of(sums, CLASSES)
    return {
        label: _support(label, logits[:, column], targets[:, column]) for column, label in enumerate(CLASSES)
    }


def supported(raw: Raw, supports: Mapping[str, Support]) -> Scored:
    """Return the stream with the daemon's scores."""
    logits = raw.head.copy()
    for column, label in enumerate(CLASSES):
        one = supports[label]
        logits[:, column] = one.head * raw.head[:, column] + one.weight * raw.audioset[:, column] + one.bias
    return raw.scored(logits)


def _support(label: str, logits: Floats, targets: Floats) -> Support:
    bias, slope = _logistic_regression(logits[:, None].astype(np.float64), targets.astype(np.float64))
    scale = max(float(slope), _LEAST_SCALE)
    return Support(
        labels=AUDIOSET_LABELS[label],
        head=round(scale, 4),
        weight=round(scale * AUDIOSET_WEIGHT[label], 4),
        bias=round(float(bias), 4),
    )


def _logistic_regression(inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bias and weights by Newton's method, with a small ridge."""
    design = np.concatenate([np.ones((len(inputs), 1)), inputs], axis=1)
    weights = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        scores = logistic(design @ weights)
        gradient = design.T @ (scores - targets) + _RIDGE * weights
        hessian = (design * (scores * (1 - scores))[:, None]).T @ design + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        weights -= step.clip(-5.0, 5.0)
    result: NDArray[np.float64] = weights
    return result
