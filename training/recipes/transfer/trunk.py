"""The pretrained network in two parts: frozen blocks and trainable upper blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats
from training.data.corpora import LABELS, MN04_FILES
from training.errors import DataError
from training.export.conversion import to_tflite
from training.networks import mn04

FRAMES = 128
"""Frames of a window: 1.28 s."""
HOP_FRAMES = 50
"""Frames per hop: 0.5 s."""
FROZEN = 12
"""Frozen blocks, with three quarters of the multiply-adds and a third of the weights."""
MAP = (8, 8, 48)
"""Output shape of the frozen blocks: frames, bands, channels."""
_HEAD = "head"
_LOGIT_SCALE = 1 / 8
"""Scale of AudioSet's logits, whose spread is about eight times the embedding's."""

Maps = NDArray[np.float16]


@dataclass(frozen=True)
class Pretrained:
    """Paths of the published tensors and labels.

    Raises
    ------
    DataError
        On construction, if a file is absent.
    """

    weights: Path
    labels: Path

    def __post_init__(self) -> None:
        for path in (self.weights, self.labels):
            if not path.is_file():
                raise DataError(f"{path}: no such file; the data folder must hold mn04/ (docs/training.md)")

    @staticmethod
    def under(root: Path) -> Pretrained:
        """Return the files of the folder ``mn04`` in a data folder."""
        return Pretrained(*(root / name for name in MN04_FILES))


def frozen_blocks(pretrained: Pretrained) -> bytes:
    """Return the frozen blocks as TFLite: a window, shape (1, 128, 128), to its feature map."""
    import keras

    window = keras.Input((FRAMES, mn04.BANDS), batch_size=1)
    model = keras.Model(window, mn04.blocks(mn04.stem(window), 1, FROZEN))
    mn04.load_weights(model, pretrained.weights)
    return to_tflite(model)


def upper_blocks(pretrained: Pretrained, dropout: float = 0.0) -> Any:
    """Return the trainable blocks: maps, shape (batch, 8, 8, 48), to class and AudioSet logits, embedding.

    Batch-norm statistics stay as published.
    """
    import keras

    maps = keras.Input(MAP)
    model = keras.Model(maps, _heads(mn04.blocks(maps, FROZEN + 1, len(mn04.BLOCKS)), dropout))
    mn04.load_weights(model, pretrained.weights)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    return model


def without_dropout(pretrained: Pretrained, upper: Any) -> Any:
    """Return a copy of the upper blocks without dropout."""
    copy = upper_blocks(pretrained)
    _set_weights(copy, upper)
    return copy


def whole(pretrained: Pretrained, upper: Any, batch: int | None = 1) -> Any:
    """Return the network from windows to outputs, with the trained weights of ``upper``.

    ``batch`` None accepts any number of windows.
    """
    import keras

    window = keras.Input((FRAMES, mn04.BANDS), batch_size=batch)
    model = keras.Model(window, _heads(mn04.blocks(mn04.stem(window), 1, len(mn04.BLOCKS)), 0.0))
    mn04.load_weights(model, pretrained.weights)
    _set_weights(model, upper)
    return model


def _set_weights(model: Any, upper: Any) -> None:
    for layer in upper.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())


def head_of(upper: Any) -> Any:
    """Return the layer that gives the class logits."""
    return upper.get_layer(_HEAD)


def head_inputs(embedding: Any, audioset: Any) -> Any:
    """Return the head's inputs: the embedding, and AudioSet logits on a similar scale."""
    from keras import ops

    return ops.concatenate([embedding, audioset * _LOGIT_SCALE], axis=-1)


def _heads(maps: Any, dropout: float) -> list[Any]:
    import keras

    embedding = mn04.embed(maps)
    audioset = mn04.audioset_logits(embedding)
    inputs = head_inputs(embedding, audioset)
    if dropout:
        inputs = keras.layers.Dropout(dropout)(inputs)
    logits = keras.layers.Dense(len(LABELS), kernel_initializer="zeros", name=_HEAD)(inputs)
    return [logits, audioset, embedding]


class Outputs:
    """A converted model as a function from one input to its outputs, identified by their size."""

    def __init__(self, flatbuffer: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
        self._interpreter.allocate_tensors()
        self._given = self._interpreter.get_input_details()[0]["index"]
        details = self._interpreter.get_output_details()
        self._wanted = {int(np.prod(one["shape"])): int(one["index"]) for one in details}

    def __call__(self, given: Floats) -> Mapping[int, Floats]:
        self._interpreter.set_tensor(self._given, given[None].astype(np.float32))
        self._interpreter.invoke()
        return {size: self._interpreter.get_tensor(at)[0].copy() for size, at in self._wanted.items()}


@lru_cache(maxsize=2)
def outputs_of(flatbuffer: bytes) -> Outputs:
    """Return the model of these bytes, cached so that each process has one interpreter."""
    return Outputs(flatbuffer)


def maps_of(windows: Floats, frozen: bytes) -> Maps:
    """Return the frozen blocks' maps of windows, shape (n, 8, 8, 48)."""
    run, size = outputs_of(frozen), int(np.prod(MAP))
    return np.stack([run(window)[size] for window in windows]).astype(np.float16)
