"""Checks that a converted model matches Keras and uses only operators of the light runtimes."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.tflite import operator_names, run_tflite
from training.errors import ExportError
from training.export.conversion import Weights
from training.fit.predict import predict

TOLERANCE: dict[Weights, float] = {"float32": 1e-5, "float16": 2e-2, "dynamic": 5e-2, "int8": 1e-1}
"""Largest difference of a logit to Keras, relative to the largest logit where that is above 1."""

_FORBIDDEN = ("Flex", "VAR_HANDLE", "READ_VARIABLE")
"""Operators that the light runtimes lack, or that load and return NaN."""


def check_parity(model: Any, flatbuffer: bytes, windows: Floats, weights: Weights = "float32") -> float:
    """Return the largest difference to Keras over ``windows``, shape (n, frames, n_mels).

    Raises
    ------
    ExportError
        If an operator is missing in the light runtimes, a value is not finite, or the difference is
        above :data:`TOLERANCE`.
    """
    check_operators(flatbuffer)
    return difference(run_tflite(flatbuffer, windows), predict(model, windows, batch=1), weights)


def check_operators(flatbuffer: bytes) -> None:
    """Reject operators that the light runtimes lack.

    Raises
    ------
    ExportError
        If there is one.
    """
    bad = [name for name in operator_names(flatbuffer) if name.startswith(_FORBIDDEN)]
    if bad:
        raise ExportError(f"the converted model needs {', '.join(sorted(bad))}; light runtimes lack them")


def difference(ours: Floats, keras: Floats, weights: Weights = "float32") -> float:
    """Return the largest difference, relative to the largest logit where that is above 1.

    Raises
    ------
    ExportError
        If a value is not finite, or the difference is above :data:`TOLERANCE`.
    """
    if not np.isfinite(ours).all():
        raise ExportError("the converted model gives values that are not finite; convert it again")
    largest = float(np.max(np.abs(ours - keras) / np.maximum(1.0, np.abs(keras).max())))
    if largest > TOLERANCE[weights]:
        raise ExportError(f"TFLite differs from Keras by {largest:.2g}, more than {TOLERANCE[weights]:g}")
    return largest
