"""The teacher of the distillation: YAMNet with its embedding as an output, and a linear head on it.

YAMNet was trained on two million clips; a student that predicts its 1024-dimensional embedding
beside the labels learns more than the labels of two folds provide. The teacher has seen none of
our labels and processes waveforms of the training part only, so the distillation set is as free of
test recordings as that part.

Reference: Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, 2015.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.maths import logistic
from training.data.corpora import Clip
from training.data.splits import Part
from training.features.front_end import FrontEnd

_HEAD_DECAY, _HEAD_RATE = 0.03, 0.02


def fit_head(embedding: Floats, targets: Floats, steps: int = 400) -> Floats:
    """Fit logistic regression with weight decay by gradient descent, shape (1 + 1024, labels)."""
    inputs = np.concatenate([np.ones((len(embedding), 1), np.float32), embedding], axis=1)
    weights = np.zeros((inputs.shape[1], targets.shape[1]), np.float32)
    velocity = np.zeros_like(weights)
    decay = np.full((len(weights), 1), _HEAD_DECAY, np.float32)
    decay[0] = 0.0
    for _ in range(steps):
        error = logistic(inputs @ weights) - targets
        velocity = 0.9 * velocity - _HEAD_RATE * (inputs.T @ error / len(inputs) + decay * weights)
        weights += velocity
    return weights


def apply_head(weights: Floats, embedding: Floats) -> Floats:
    scores: Floats = logistic(weights[0] + embedding @ weights[1:])
    return scores


def cache_key(part: Part, unlabelled: Sequence[Clip], front_end: FrontEnd, *settings: Any) -> str:
    described = [asdict(s) if hasattr(s, "__dataclass_fields__") else s for s in settings]
    digest = hashlib.sha256(f"{front_end.spec.model_dump_json()} {described}".encode())
    for clip in (*(c for c, _ in part.events), *part.negatives, *part.backgrounds, *unlabelled):
        digest.update(f"{clip.path.name} {clip.path.stat().st_size}\n".encode())
    return digest.hexdigest()[:20]
