"""Clips by a logistic regression on the published network's embedding: what training must beat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

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


def linear_accuracies(parts: Mapping[int, Part], shop: Workshop) -> dict[int, float]:
    """Return the accuracy on the clips of each fold, by a regression on the clips of the others.

    Parameters
    ----------
    parts
        The test part of each fold.
    """
    from sklearn.linear_model import LogisticRegression

    upper = to_tflite(upper_blocks(shop.pretrained))
    inputs, labels, groups = {}, {}, {}
    for fold, part in parts.items():
        streams = streams_of(part, shop.sources.front_end, shop.frozen, shop.jobs, shop.report)["clips"]
        inputs[fold] = np.stack([_embedding(stream, upper) for stream in streams])
        labels[fold] = np.array([label for _, label in part.events])
        groups[fold] = np.array([clip.group for clip, _ in part.events])
    found = {}
    for fold in parts:
        rest = [other for other in parts if other != fold]
        apart = ~np.isin(np.concatenate([groups[other] for other in rest]), groups[fold])
        model = LogisticRegression(C=_STRENGTH, max_iter=1000)
        model.fit(
            np.concatenate([inputs[other] for other in rest])[apart],
            np.concatenate([labels[other] for other in rest])[apart],
        )
        found[fold] = float(model.score(inputs[fold], labels[fold]))
    return found


def _embedding(stream: Stream, upper: bytes) -> Floats:
    """Return the mean embedding of a clip's windows."""
    run = outputs_of(upper)
    rows = stream.maps[stream.bare.times_s >= UNHEARD_S]
    mean: Floats = np.mean([run(row)[mn04.EMBEDDING] for row in rows], axis=0)
    return mean
