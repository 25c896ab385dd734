"""Conversion of a Keras file to a TFLite file.

The converter can end the process without a Python exception (it does on int8 loops), so
:mod:`training.export.conversion` runs it in a child process.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


def convert(source: Path, target: Path, weights: str, examples: Path | None = None) -> None:
    """Convert with the batch fixed to 1.

    Parameters
    ----------
    weights
        ``float32``, ``float16``, ``dynamic`` (int8 weights, float activations) or ``int8``.
    examples
        For ``int8``, calibration data: inputs of the model.
    """
    import keras
    import tensorflow as tf

    model = keras.models.load_model(source, compile=False)
    if model.inputs[0].shape[0] != 1:
        window = keras.Input(batch_shape=(1, *model.input_shape[1:]))
        model = keras.Model(window, model(window))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if weights == "dynamic":
        # tflite-runtime 2.14 lacks dense layers with per-channel scales.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if weights == "int8":
        assert examples is not None
        converter.representative_dataset = lambda: _each(examples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    target.write_bytes(converter.convert())


def _each(examples: Path) -> Iterator[list[Any]]:
    """Yield one example at a time."""
    for window in np.load(examples).astype(np.float32):
        yield [window[None]]
