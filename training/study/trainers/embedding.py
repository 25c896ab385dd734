"""The baseline: logistic regression on the mean of YAMNet's embedding over a clip."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.atomic import atomic_write
from training.data.audio import read
from training.data.corpora import Clip, data_root
from training.errors import DataError
from training.networks.compact import Cost
from training.study.task import Fitted, Task

RATE = 16_000
FILE = "yamnet_embeddings.tflite"
_WINDOW = 15_600
"""Samples of one of YAMNet's windows; a shorter clip is repeated to fill it."""
_EMBEDDING = 1024
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
        # A class without a training clip can never be chosen.
        filled = np.full((len(rows), len(task.corpus.labels)), scores.min() - 20.0, np.float32)
        filled[:, known] = scores
        return filled

    whole = _cost(network, len(task.corpus.labels))
    return Fitted(logits, (), 0, whole, decided(task))


def decided(task: Task) -> dict[str, Any]:
    """Return what decides the regression, the clips apart, as the record keeps it."""
    return {"C": _C, "features": "mean YAMNet embedding, standardised"}


def embeddings(clips: Sequence[Clip], network: Path, cache: Path) -> Floats:
    """Return the mean embedding of each clip, shape (clips, 1024); computed once."""
    digest = hashlib.sha256(network.read_bytes())
    for clip in clips:
        stat = clip.path.stat()
        digest.update(f"{clip.path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    path = cache / f"yamnet-{digest.hexdigest()[:20]}.npy"
    if not path.is_file():
        interpreter = _interpreter(network)
        found = np.stack([_embed(interpreter, read(clip.path, RATE)) for clip in clips])
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.save(file, found)
    stored: Floats = np.load(path)
    return stored


def _embed(interpreter: Any, samples: Floats) -> Floats:
    samples = np.resize(samples, max(len(samples), _WINDOW))
    given = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(given, [len(samples)])
    interpreter.allocate_tensors()
    interpreter.set_tensor(given, samples)
    interpreter.invoke()
    found = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    embedding = next(value for value in found if value.shape[-1] == _EMBEDDING)
    mean: Floats = embedding.reshape(-1, _EMBEDDING).mean(axis=0)
    return mean


def _find(root: Path) -> Path:
    found = next(iter(sorted(root.rglob(FILE))), None)
    if found is None:
        raise DataError(f"{root}: {FILE} is not in it; the baseline needs YAMNet with its embedding output")
    return found


def _interpreter(network: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(network))


def _cost(network: Path, labels: int) -> Cost:
    """Count YAMNet's constants and the multiply-adds of its layers for one window, and the regression's."""
    interpreter = _interpreter(network)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [_WINDOW])
    interpreter.allocate_tensors()
    shapes = {detail["index"]: tuple(detail["shape"]) for detail in interpreter.get_tensor_details()}
    head = (_EMBEDDING + 1) * labels
    parameters, multiply_adds = head, head
    for operator in interpreter._get_ops_details():
        name = operator["op_name"]
        if name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        _, kernel, *bias = [shapes[index] for index in operator["inputs"] if index >= 0]
        output = shapes[operator["outputs"][0]]
        parameters += prod(kernel) + sum(prod(shape) for shape in bias)
        per_output = prod(kernel[1:3]) if name == "DEPTHWISE_CONV_2D" else prod(kernel[1:])
        multiply_adds += prod(output) * per_output
    return Cost(int(parameters), int(multiply_adds))
