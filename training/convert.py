"""Keras file → TFLite file, as a program of its own.

The converter can end the process without a Python exception (it does on int8 loops), so
:mod:`training.export` runs it in a child: ``python -m training.convert IN.keras OUT.tflite KIND``.
"""

from __future__ import annotations

import sys
from pathlib import Path


def convert(source: Path, target: Path, weights: str) -> None:
    """Convert with the batch fixed to 1; ``weights`` is ``float32`` or ``float16``."""
    import keras
    import tensorflow as tf

    model = keras.models.load_model(source, compile=False)
    if model.inputs[0].shape[0] != 1:
        window = keras.Input(batch_shape=(1, *model.input_shape[1:]))
        model = keras.Model(window, model(window))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if weights == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    target.write_bytes(converter.convert())


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
