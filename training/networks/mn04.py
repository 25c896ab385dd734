"""EfficientAT's mn04: a MobileNetV3-like network trained on AudioSet's 527 labels, 983,599 parameters.

The architecture is implemented here; the published weights (``mn04_as.npz``, MIT) are loaded by tensor
name, which the layer names here follow.

Reference: Schmid, Koutini, Widmer, Efficient large-scale audio tagging via transformer-to-CNN knowledge
distillation, ICASSP 2023 (fschmid56/EfficientAT).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

BANDS = 128
EMBEDDING = 384
AUDIOSET = 527
_EPSILON = 1e-3
_STEM, _LAST, _HIDDEN = 8, 384, 512
_DROPOUT = 0.2


@dataclass(frozen=True)
class Block:
    """An inverted residual: expand, depthwise convolution, squeeze and excitation, project.

    Parameters
    ----------
    squeeze
        Channels inside squeeze and excitation; 0 = none.
    """

    kernel: int
    expanded: int
    out: int
    squeeze: int
    activation: Literal["relu", "hard_swish"]
    stride: int


BLOCKS = (
    Block(3, 8, 8, 0, "relu", 1),
    Block(3, 24, 16, 0, "relu", 2),
    Block(3, 32, 16, 0, "relu", 1),
    Block(5, 32, 16, 8, "relu", 2),
    Block(5, 48, 16, 16, "relu", 1),
    Block(5, 48, 16, 16, "relu", 1),
    Block(3, 96, 32, 0, "hard_swish", 2),
    Block(3, 80, 32, 0, "hard_swish", 1),
    Block(3, 72, 32, 0, "hard_swish", 1),
    Block(3, 72, 32, 0, "hard_swish", 1),
    Block(3, 192, 48, 48, "hard_swish", 1),
    Block(3, 272, 48, 72, "hard_swish", 1),
    Block(5, 272, 64, 72, "hard_swish", 2),
    Block(5, 384, 64, 96, "hard_swish", 1),
    Block(5, 384, 64, 96, "hard_swish", 1),
)


def stem(frames: Any) -> Any:
    """Return the stem's output for frames, shape (batch, frames, 128), normalised as published."""
    from keras import ops

    return _conv(ops.expand_dims(frames, -1), "features.0", _STEM, 3, "hard_swish", stride=2)


def blocks(x: Any, first: int, last: int) -> Any:
    """Apply blocks ``first`` to ``last`` (counted from 1, inclusive) to ``x``."""
    for number in range(first, last + 1):
        x = _block(x, f"features.{number}.block", BLOCKS[number - 1])
    return x


def embed(x: Any) -> Any:
    """Return the embedding, shape (batch, 384), of the last block's output."""
    from keras import ops

    return ops.mean(_conv(x, f"features.{len(BLOCKS) + 1}", _LAST, 1, "hard_swish"), axis=(1, 2))


def audioset_logits(embedding: Any) -> Any:
    """Return the logits of AudioSet's labels, shape (batch, 527)."""
    import keras

    hidden = keras.layers.Dense(_HIDDEN, "hard_swish", name="classifier.2")(embedding)
    return keras.layers.Dense(AUDIOSET, name="classifier.5")(keras.layers.Dropout(_DROPOUT)(hidden))


def build(frames: int | None = None, batch: int | None = None) -> Any:
    """Return the network: log-mel frames, shape (batch, frames, 128), to embedding and AudioSet logits."""
    import keras

    inputs = keras.Input((frames, BANDS), batch_size=batch)
    embedding = embed(blocks(stem(inputs), 1, len(BLOCKS)))
    return keras.Model(inputs, [embedding, audioset_logits(embedding)])


def load_weights(model: Any, path: Path) -> None:
    """Load the published tensors into every layer of ``model`` named after them.

    Raises
    ------
    DataError
        If the file is absent, or a tensor is missing or has another shape.
    """
    try:
        stored = np.load(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); it must hold mn04's tensors") from error
    with stored:
        for layer in model.layers:
            if layer.name.startswith(("features.", "classifier.")) and layer.weights:
                try:
                    layer.set_weights(_tensors(stored, layer))
                except (KeyError, ValueError) as error:
                    raise DataError(f"{path}: not mn04's tensors ({layer.name}: {error})") from error


def audioset_labels(path: Path) -> tuple[str, ...]:
    """Return AudioSet's display names in the order of the logits.

    Raises
    ------
    DataError
        If the file is absent or does not hold 527 labels.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            names = tuple(row["display_name"] for row in csv.DictReader(file))
    except (OSError, KeyError) as error:
        raise DataError(f"{path}: no list of AudioSet's labels ({error})") from error
    if len(names) != AUDIOSET:
        raise DataError(f"{path}: holds {len(names)} labels, not {AUDIOSET}")
    return names


def _block(x: Any, name: str, block: Block) -> Any:
    import keras

    inside, step = x, 0
    if block.expanded != x.shape[-1]:
        inside, step = _conv(x, f"{name}.0", block.expanded, 1, block.activation), 1
    inside = _conv(
        inside, f"{name}.{step}", block.expanded, block.kernel, block.activation, block.stride, depthwise=True
    )
    if block.squeeze:
        step += 1
        inside = _excited(inside, f"{name}.{step}.conc_se_layers.0", block)
    inside = _conv(inside, f"{name}.{step + 1}", block.out, 1, None)
    if block.stride == 1 and x.shape[-1] == block.out:
        inside = keras.layers.Add()([x, inside])
    return inside


def _conv(
    x: Any, name: str, channels: int, kernel: int, activation: str | None, stride: int = 1,
    depthwise: bool = False,
) -> Any:  # fmt: skip
    """Convolution without bias, batch normalisation, activation; symmetric padding."""
    import keras

    padding = "same"
    if stride > 1:  # Keras would pad an even length at its end alone.
        x, padding = keras.layers.ZeroPadding2D(kernel // 2)(x), "valid"
    settings = {"strides": stride, "padding": padding, "use_bias": False, "name": f"{name}.0"}
    if depthwise:
        x = keras.layers.DepthwiseConv2D(kernel, **settings)(x)
    else:
        x = keras.layers.Conv2D(channels, kernel, **settings)(x)
    x = keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}.1")(x)
    return x if activation is None else keras.layers.Activation(activation)(x)


def _excited(x: Any, name: str, block: Block) -> Any:
    """Squeeze and excitation over channels (Hu et al., 2018)."""
    import keras
    from keras import ops

    mean = ops.mean(x, axis=(1, 2), keepdims=True)
    small = keras.layers.Dense(block.squeeze, "relu", name=f"{name}.fc1")(mean)
    scale = keras.layers.Dense(block.expanded, "sigmoid", name=f"{name}.fc2")(small)
    return keras.layers.Multiply()([x, scale])


def _tensors(stored: Any, layer: Any) -> Sequence[NDArray[np.float32]]:
    """Return the layer's published tensors in Keras's order and layout (frames, bands, in, out)."""
    import keras

    name = layer.name
    if isinstance(layer, keras.layers.BatchNormalization):
        return [stored[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    weight = stored[f"{name}.weight"]
    if isinstance(layer, keras.layers.Dense):
        return [weight.T, stored[f"{name}.bias"]]
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return [weight.transpose(3, 2, 0, 1)]
    return [weight.transpose(3, 2, 1, 0)]
