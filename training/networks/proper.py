"""Networks on our log-mel windows: corrected versions of the published ones, and two current ones.

All take a normalised window (frames × bands) and return a logit per label. Only the defects of the
published networks are corrected: no dropout or tanh on logits, pooling over all steps instead of
the last one, which may lie after a short sound, and dropout before the head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from training.data.corpora import LABELS

FRAMES, BANDS = 100, 64
_DROPOUT = 0.2


def rnn(outputs: int = len(LABELS)) -> Any:
    """Two tanh layers of 8 units over frames."""
    return _recurrent(outputs, lambda x: _stack(x, "SimpleRNN", 8, 2))


def lstm(outputs: int = len(LABELS)) -> Any:
    """One LSTM of 64 units over frames."""
    return _recurrent(outputs, lambda x: _stack(x, "LSTM", 64, 1))


def gru(outputs: int = len(LABELS)) -> Any:
    """Three GRUs of 64 units over frames."""
    return _recurrent(outputs, lambda x: _stack(x, "GRU", 64, 3))


def clstm(outputs: int = len(LABELS)) -> Any:
    """Two convolutions over time, an LSTM of 64 units."""
    from keras import layers

    def body(x: Any) -> Any:
        for _ in range(2):
            x = layers.ReLU()(_norm(layers.Conv1D(64, 3, padding="same", use_bias=False)(x)))
        return _stack(x, "LSTM", 64, 1)

    return _recurrent(outputs, body)


def cnn(outputs: int = len(LABELS)) -> Any:
    """Three 3×3 convolutions with batch norm before the ReLU, and the dense layer of 256."""
    import keras
    from keras import layers

    inputs = layers.Input((FRAMES, BANDS))
    x = layers.Reshape((FRAMES, BANDS, 1))(inputs)
    for channels in (32, 64, 64):
        x = layers.ReLU()(_norm(layers.Conv2D(channels, 3, use_bias=False)(x)))
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(256, activation="relu")(layers.Dropout(_DROPOUT)(layers.Flatten()(x)))
    return keras.Model(inputs, layers.Dense(outputs)(layers.Dropout(0.5)(x)))


def crnn(outputs: int = len(LABELS)) -> Any:
    """Strided convolutions, a bidirectional GRU over the remaining steps, attention pooling.

    Pooling weights steps by a learned softmax, since a short sound need not fill the window.
    """
    import keras
    from keras import layers

    inputs = layers.Input((FRAMES, BANDS))
    x = layers.Reshape((FRAMES, BANDS, 1))(inputs)
    for channels, size, stride in ((12, 5, (2, 2)), (24, 3, (2, 2)), (48, 3, (1, 2)), (64, 3, (1, 2))):
        x = layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(_norm(x))
    steps, bands, channels = x.shape[1:]
    x = layers.Reshape((steps, bands * channels))(x)
    x = layers.Dropout(_DROPOUT)(x)
    x = layers.Bidirectional(layers.GRU(64, return_sequences=True))(x)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(layers.Dense(32, activation="tanh")(x)))
    x = layers.Flatten()(layers.Dot(axes=1)([weights, x]))
    return keras.Model(inputs, layers.Dense(outputs)(layers.Dropout(_DROPOUT)(x)))


def transformer(
    outputs: int = len(LABELS), width: int = 80, depth: int = 4, patch: tuple[int, int] = (10, 16)
) -> Any:
    """Patches of 0.2 s by a quarter of the bands, pre-norm attention blocks, mean pooling.

    A small Audio Spectrogram Transformer (Gong et al., 2021) trained from scratch; patches do not
    overlap, and mean pooling replaces the class token.
    """
    import keras
    from keras import layers

    inputs = layers.Input((FRAMES, BANDS))
    long, high = patch
    x = layers.Reshape((FRAMES // long, long, BANDS // high, high))(inputs)
    x = layers.Reshape((-1, long * high))(layers.Permute((1, 3, 2, 4))(x))
    # A bias per patch serves as learned positional embedding.
    positions = keras.initializers.RandomNormal(stddev=0.02)
    x = layers.EinsumDense("bpi,io->bpo", (x.shape[1], width), bias_axes="po", bias_initializer=positions)(x)
    for _ in range(depth):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(4, width // 4, dropout=0.1)(y, y)
        x = layers.Add()([x, y])
        y = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dropout(0.1)(layers.Dense(width)(y))])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(outputs)(layers.Dropout(_DROPOUT)(x)))


def _recurrent(outputs: int, body: Callable[[Any], Any]) -> Any:
    """Concatenate mean and last step of the sequence that ``body`` returns, then apply the head."""
    import keras
    from keras import layers

    inputs = layers.Input((FRAMES, BANDS))
    x = body(inputs)
    last = layers.Reshape((x.shape[-1],))(layers.Cropping1D((x.shape[1] - 1, 0))(x))
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), last])
    return keras.Model(inputs, layers.Dense(outputs)(layers.Dropout(_DROPOUT)(x)))


def _stack(x: Any, kind: str, units: int, depth: int) -> Any:
    from keras import layers

    for _ in range(depth):
        x = getattr(layers, kind)(units, return_sequences=True)(x)
    return x


def _norm(x: Any) -> Any:
    from keras import layers

    return layers.BatchNormalization(momentum=0.9)(x)
