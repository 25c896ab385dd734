"""The baseline: logistic regression on YAMNet's embedding, averaged over a clip."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.atomic import atomic_write
from training.data.audio import RATE, read
from training.data.corpora import YAMNET_FILE, Clip, data_root
from training.errors import DataError
from training.networks.compact import Cost
from training.networks.yamnet import EMBEDDING, WINDOW, Yamnet
from training.study.task import Fitted, Task

_C = 0.01


def fit(task: Task) -> Fitted:
    """Fit the regression on the training clips; it has no epochs."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = _find(data_root(task.options.data))
    embedding = embeddings(task.corpus.clips, network, task.options.cache)
    train = list(task.parts.train)
    head = make_pipeline(StandardScaler(), LogisticRegression(C=_C, max_iter=5000))
    head.fit(embedding[train], task.truth(train))
    known = head[-1].classes_

    def logits(rows: Sequence[int]) -> Floats:
        scores = head.decision_function(embedding[list(rows)])
        # A class without a training clip must never be predicted.
        filled = np.full((len(rows), len(task.corpus.labels)), scores.min() - 20.0, np.float32)
        filled[:, known] = scores
        return filled

    inside, regression = Yamnet(network).cost(), (EMBEDDING + 1) * len(task.corpus.labels)
    whole = Cost(inside.parameters + regression, inside.multiply_adds + regression)
    return Fitted(logits, (), 0, whole, decided(task))


def decided(task: Task) -> dict[str, Any]:
    """Return all settings that determine the regression besides the clips, for the record."""
    return {"C": _C, "features": "mean YAMNet embedding, standardised"}


def embeddings(clips: Sequence[Clip], network: Path, cache: Path) -> Floats:
    """Return the mean embedding of each clip, shape (clips, 1024); cached on disk."""
    digest = hashlib.sha256(network.read_bytes())
    for clip in clips:
        stat = clip.path.stat()
        digest.update(f"{clip.path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    path = cache / f"yamnet-{digest.hexdigest()[:20]}.npy"
    if not path.is_file():
        yamnet = Yamnet(network)
        found = np.stack([_mean(yamnet, read(clip.path, RATE)) for clip in clips])
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.save(file, found)
    stored: Floats = np.load(path)
    return stored


def _mean(yamnet: Yamnet, samples: Floats) -> Floats:
    """Return the mean over the windows of a clip; a clip shorter than a window is repeated."""
    mean: Floats = yamnet.embeddings(np.resize(samples, max(len(samples), WINDOW))).mean(axis=0)
    return mean


def _find(root: Path) -> Path:
    found = next(iter(sorted(root.rglob(YAMNET_FILE))), None)
    if found is None:
        raise DataError(
            f"{root}: {YAMNET_FILE} is missing; the baseline needs YAMNet with its embedding output"
        )
    return found
