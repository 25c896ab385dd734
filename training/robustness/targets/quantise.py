"""Networks in 8-bit integers, as small devices run them: what rounding does to an attack, and to gradients.

The converter can end the process without a Python exception, so it runs in a child:
``python -m training.robustness.targets.quantise IN.keras WINDOWS.npy OUT.tflite``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import ExportError
from training.mixing.mixer import Floats


def to_int8(model: Any, windows: Floats) -> bytes:
    """Return the flatbuffer; ``windows``, as the network takes them, show the ranges of its values.

    Raises
    ------
    ExportError : the conversion failed; the message ends with its last line
    """
    with tempfile.TemporaryDirectory() as name:
        source, shown, target = (Path(name, file) for file in ("model.keras", "windows.npy", "model.tflite"))
        model.save(source)
        np.save(shown, windows.astype(np.float32))
        child = subprocess.run(
            [sys.executable, "-m", __name__, str(source), str(shown), str(target)],
            capture_output=True,
            text=True,
        )
        if child.returncode or not target.is_file():
            last = (child.stderr.strip().splitlines() or ["no message"])[-1]
            raise ExportError(f"conversion to 8 bits ended with code {child.returncode}: {last}")
        return target.read_bytes()


def quantise(source: Path, shown: Path, target: Path) -> None:
    """Convert with the batch fixed to 1; inputs and outputs stay floats."""
    import keras
    import tensorflow as tf

    model = keras.models.load_model(source, compile=False)
    window = keras.Input(batch_shape=(1, *model.input_shape[1:]))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(window, model(window)))
    windows = np.load(shown)

    def examples() -> Iterator[list[Floats]]:
        return ([row[None]] for row in windows)

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    target.write_bytes(converter.convert())


if __name__ == "__main__":
    quantise(*map(Path, sys.argv[1:4]))
