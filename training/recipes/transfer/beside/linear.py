"""Clips by a logistic regression on the published network's embedding: what training must beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats
from training.data.splits import Part
from training.export.conversion import to_tflite
from training.networks import mn04
from training.recipes.transfer.held_out import Stream, streams_of
from training.recipes.transfer.make import Workshop
from training.recipes.transfer.trunk import outputs_of, upper_blocks
from training.scoring.evaluation import UNHEARD_S

_STRENGTH = 0.1
"""Inverse strength of the L2 penalty, on embeddings as they are."""


@dataclass(frozen=True)
class Embedded:
    """The clips of a fold: mean embeddings, shape (n, width), labels and groups, shape (n,)."""

    inputs: Floats
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]


def linear_accuracies(parts: Mapping[int, Part], shop: Workshop) -> dict[int, float]:
    """Return the accuracy on the clips of each fold, by a regression on the clips of the others.

    Parameters
    ----------
    parts
        The test part of each fold.
    """
    upper = to_tflite(upper_blocks(shop.pretrained))
    return accuracies({fold: _embedded(part, upper, shop) for fold, part in parts.items()})


def accuracies(folds: Mapping[int, Embedded]) -> dict[int, float]:
    """Return the accuracy on each fold; groups that it holds are left out of its training."""
    from sklearn.linear_model import LogisticRegression

    found = {}
    for fold, test in folds.items():
        rest = [one for other, one in folds.items() if other != fold]
        apart = ~np.isin(np.concatenate([one.groups for one in rest]), test.groups)
        model = LogisticRegression(C=_STRENGTH, max_iter=1000)
        model.fit(
            np.concatenate([one.inputs for one in rest])[apart],
            np.concatenate([one.labels for one in rest])[apart],
        )
        found[fold] = float(model.score(test.inputs, test.labels))
    return found


def _embedded(part: Part, upper: bytes, shop: Workshop) -> Embedded:
    streams = streams_of(part, shop.sources.front_end, shop.frozen, shop.jobs, shop.report)["clips"]
    return Embedded(
        np.stack([_embedding(stream, upper) for stream in streams]),
        np.array([label for _, label in part.events]),
        np.array([clip.group for clip, _ in part.events]),
    )


def _embedding(stream: Stream, upper: bytes) -> Floats:
    """Return the mean embedding of a clip's windows."""
    run = outputs_of(upper)
    rows = stream.maps[stream.bare.times_s >= UNHEARD_S]
    mean: Floats = np.mean([run(row)[mn04.EMBEDDING] for row in rows], axis=0)
    return mean
