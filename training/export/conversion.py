"""Conversion of a trained Keras model to an equivalent TFLite model."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from training.base.arrays import Floats
from training.base.child import ChildError, run_forked
from training.errors import ExportError
from training.export.convert import convert

Weights = Literal["float32", "float16", "dynamic", "int8"]
"""``dynamic``: int8 weights, float activations; ``int8``: full int8 except inputs and outputs."""


def to_tflite(model: Any, weights: Weights = "float32", examples: Floats | None = None) -> bytes:
    """Convert in a child process, since the converter may crash the interpreter.

    Parameters
    ----------
    examples
        For ``int8``, inputs of the model, shape (examples, …).

    Raises
    ------
    ExportError
        If the conversion failed; the message ends with the converter's last line.
    """
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "model.keras"), Path(name, "model.tflite")
        model.save(source)
        arguments: list[str | Path] = [source, target, weights]
        if examples is not None:
            arguments.append(Path(name, "examples.npy"))
            np.save(arguments[-1], examples)
        try:
            run_forked(convert, *arguments, preload=("training.export.preload",))
        except ChildError as error:
            raise ExportError(f"TFLite conversion {error}") from error
        return target.read_bytes()
