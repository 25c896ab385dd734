"""The five networks of the student study, layer by layer as published.

Their defects are reproduced: dropout on the logits (LSTM, GRU, CLSTM), tanh on the logits (GRU), a
last step taken from a batch-normed sequence. Four were written in PyTorch: weights are initialised
as there (uniform within one over the root of the fan-in), with its batch-norm momentum and epsilon.
PyTorch's recurrent layers add two bias vectors where Keras's SimpleRNN and LSTM have one (GRU has
two in both): the functions are the same, the counts differ by :func:`redundant_biases`.
"""

from __future__ import annotations

from typing import Any

FRAMES, COLUMNS = 345, 165
"""Frame features: 4 s at a hop of 255 samples at 22 050 Hz; mel, zero crossings, RMS, shapes, MFCC."""
MEL_FRAMES, MEL_BANDS = 128, 128


def rnn(outputs: int = 10, frames: int = FRAMES, columns: int = COLUMNS) -> Any:
    """Two tanh layers of 8 units, each with batch norm and dropout of 0.001."""
    import keras
    from keras import layers

    x = inputs = layers.Input((frames, columns))
    for _ in range(2):
        x = layers.SimpleRNN(8, return_sequences=True, **_uniform(8))(x)
        x = layers.Dropout(0.001)(_batch_norm(x))
    return keras.Model(inputs, _linear(_last(x), outputs))


def lstm(outputs: int = 10, frames: int = FRAMES, columns: int = COLUMNS) -> Any:
    """One LSTM of 64 units; dropout of 0.5 on the logits in training."""
    import keras
    from keras import layers

    inputs = layers.Input((frames, columns))
    x = layers.LSTM(64, unit_forget_bias=False, **_uniform(64))(inputs)
    return keras.Model(inputs, layers.Dropout(0.5)(_linear(x, outputs)))


def gru(outputs: int = 10, frames: int = FRAMES, columns: int = COLUMNS) -> Any:
    """Three GRUs of 64 units; the logits pass tanh, so no class reaches a softmax probability of 0.5."""
    import keras
    from keras import layers

    x = inputs = layers.Input((frames, columns))
    for _ in range(3):
        x = layers.GRU(64, return_sequences=True, **_uniform(64))(x)
    x = layers.Activation("tanh")(_linear(_last(_batch_norm(x)), outputs))
    return keras.Model(inputs, layers.Dropout(0.3)(x))


def clstm(outputs: int = 10, frames: int = FRAMES, columns: int = COLUMNS) -> Any:
    """Two convolutions over time, an LSTM of 64 units, dropout on the logits."""
    import keras
    from keras import layers

    x = inputs = layers.Input((frames, columns))
    for _ in range(2):
        drawn = _within((3 * x.shape[-1]) ** -0.5)
        x = layers.Conv1D(
            64, 3, padding="same", activation="relu", kernel_initializer=drawn, bias_initializer=drawn
        )(x)
    x = layers.LSTM(64, unit_forget_bias=False, **_uniform(64))(x)
    return keras.Model(inputs, layers.Dropout(0.3)(_linear(x, outputs)))


def cnn(outputs: int = 10, frames: int = MEL_FRAMES, columns: int = MEL_BANDS, momentum: float = 0.99) -> Any:
    """Three 3×3 convolutions, batch norm after each ReLU, and a dense layer with 98 % of the weights.

    ``momentum`` is that of the batch norm's running moments; the published one is Keras's.
    """
    import keras
    from keras import layers

    inputs = layers.Input((frames, columns))
    x = layers.Reshape((frames, columns, 1))(inputs)
    for channels, dropout in ((32, 0.25), (64, 0.4), (64, 0.4)):
        x = layers.Conv2D(channels, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(layers.BatchNormalization(momentum=momentum)(x))
        x = layers.Dropout(dropout)(x)
    x = layers.Dense(256, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(outputs)(layers.Dropout(0.5)(x)))


def redundant_biases(model: Any) -> int:
    """Return the additional parameters that PyTorch counts: a second bias per SimpleRNN and LSTM."""
    from keras import layers

    gates = {layers.SimpleRNN: 1, layers.LSTM: 4}
    return sum(gates[type(layer)] * layer.units for layer in model.layers if type(layer) in gates)


def _within(limit: float) -> Any:
    import keras

    return keras.initializers.RandomUniform(-limit, limit)


def _uniform(units: int) -> dict[str, Any]:
    return {
        name: _within(units**-0.5)
        for name in ("kernel_initializer", "recurrent_initializer", "bias_initializer")
    }


def _linear(x: Any, outputs: int) -> Any:
    from keras import layers

    limit = x.shape[-1] ** -0.5
    return layers.Dense(outputs, kernel_initializer=_within(limit), bias_initializer=_within(limit))(x)


def _batch_norm(x: Any) -> Any:
    from keras import layers

    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def _last(x: Any) -> Any:
    from keras import layers

    steps, units = x.shape[1:]
    return layers.Reshape((units,))(layers.Cropping1D((steps - 1, 0))(x))
