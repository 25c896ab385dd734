"""Compact networks: a normalised log-mel window in, a logit per label out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from training.data.corpora import LABELS


@dataclass(frozen=True)
class NetworkSpec:
    """A compact residual CNN over a window of ``frames`` × ``n_mels``.

    ``level`` selects the source of invariance to microphone gain: ``window`` subtracts the window's mean in
    the graph, ``none`` relies on gain augmentation.
    """

    frames: int = 100
    n_mels: int = 64
    stem: int = 12
    blocks: tuple[int, ...] = (16, 32, 88)
    top: int = 160
    dropout: float = 0.2
    level: Literal["window", "none"] = "none"


def build(spec: NetworkSpec, outputs: int = len(LABELS)) -> Any:
    """Return a Keras model: stem 5×5 stride 2, residual blocks of two 3×3, mean and max over time."""
    import keras
    from keras import layers

    window = layers.Input((spec.frames, spec.n_mels))
    x = layers.Reshape((spec.frames, spec.n_mels, 1))(window)
    if spec.level == "window":
        x = layers.Subtract()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)])
    x = _convolve(x, spec.stem, 5, 2)
    for channels in spec.blocks:
        x = _convolve(x, channels, 3, 2)
        y = _convolve(x, channels, 3, 1, activation=False)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = _convolve(x, spec.top, 1, 1)
    frames, bands = x.shape[1], x.shape[2]
    x = layers.AveragePooling2D((1, bands))(x)
    x = layers.Reshape((frames, spec.top))(x)
    pooled = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])
    # In this order: each layer draws its seed when it is made, and the records' weights depend on it.
    dropped = layers.Dropout(spec.dropout)(pooled)
    return keras.Model(window, layers.Dense(outputs)(dropped))


def _convolve(x: Any, channels: int, size: int, stride: int, *, activation: bool = True) -> Any:
    """Convolution with batch norm directly after it, foldable into the weights, and ReLU."""
    from keras import layers

    x = layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False)(x)
    # Keras's momentum of .99 lags behind short runs: .73 in training mode, .29 at inference.
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x) if activation else x


@dataclass(frozen=True)
class Cost:
    """Parameters as Keras counts them, and multiply-adds for one input."""

    parameters: int
    multiply_adds: int


def cost(model: Any) -> Cost:
    """Compute a network's cost from its layers: products with weights, and those within attention."""
    return Cost(int(model.count_params()), int(sum(_multiply_adds(layer) for layer in model.layers)))


def _multiply_adds(layer: Any) -> int:
    from keras import layers

    if isinstance(layer, layers.Bidirectional):
        steps = int(layer.input.shape[1])
        return steps * (_a_step(layer.forward_layer) + _a_step(layer.backward_layer))
    if isinstance(layer, layers.RNN):
        return int(layer.input.shape[1]) * _a_step(layer)
    if isinstance(layer, layers.MultiHeadAttention):
        return _attention(layer)
    per_position: dict[type, Callable[[Any], int]] = {
        layers.Conv1D: lambda conv: conv.output.shape[1] * prod(conv.kernel.shape),
        layers.Conv2D: lambda conv: prod(conv.output.shape[1:3]) * prod(conv.kernel.shape),
        layers.Dense: lambda dense: prod(dense.output.shape[1:-1]) * prod(dense.kernel.shape),
        layers.EinsumDense: lambda dense: dense.output.shape[1] * prod(dense.kernel.shape),
    }
    return per_position[type(layer)](layer) if type(layer) in per_position else 0


def _a_step(recurrent: Any) -> int:
    """Return the products of one step of a recurrent layer: both kernels."""
    return int(prod(recurrent.cell.kernel.shape) + prod(recurrent.cell.recurrent_kernel.shape))


def _attention(layer: Any) -> int:
    """Return the products of attention: four projections per position, scores and weighted values."""
    positions, width = layer.output.shape[1:]
    inner = layer.num_heads * layer.key_dim
    return int(positions * 4 * width * inner + 2 * positions**2 * inner)
