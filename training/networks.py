"""Networks: a normalised log-mel window in, a logit per label out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from training.data import LABELS


@dataclass(frozen=True)
class NetworkSpec:
    """A compact residual CNN over a window of ``frames`` × ``n_mels``.

    ``level`` says how the network comes by its indifference to the microphone's gain:
    ``window`` subtracts the window's mean in the graph, ``none`` leaves it to gain augmentation.
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
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])
    x = layers.Dropout(spec.dropout)(x)
    return keras.Model(window, layers.Dense(outputs)(x))


def _convolve(x: Any, channels: int, size: int, stride: int, *, activation: bool = True) -> Any:
    """Convolution, batch norm right behind it (so that it folds into the weights), ReLU."""
    from keras import layers

    x = layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False)(x)
    # Keras's momentum of .99 lags behind short runs: .73 in training mode, .29 at inference.
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x) if activation else x


@dataclass(frozen=True)
class Cost:
    """Parameters at inference (batch norm folded) and multiply-adds of a window."""

    parameters: int
    multiply_adds: int


def cost(model: Any) -> Cost:
    """Count a network's cost from its layers."""
    from keras import layers

    counters: dict[type, Callable[[Any], int]] = {
        layers.Conv2D: lambda layer: prod(layer.output.shape[1:3]) * prod(layer.kernel.shape),
        layers.Dense: lambda layer: prod(layer.kernel.shape),
    }
    multiply_adds = sum(counters[type(layer)](layer) for layer in model.layers if type(layer) in counters)
    return Cost(int(model.count_params()), int(multiply_adds))
