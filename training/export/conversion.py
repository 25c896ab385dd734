"""From a trained Keras model to the bytes of a TFLite model that computes the same."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from training.errors import ExportError
from training.fit.predict import predict
from training.mixing.mixer import Floats

Weights = Literal["float32", "float16", "dynamic", "int8"]
"""``dynamic``: int8 weights, sums in float; ``int8``: all in int8 but inputs and outputs."""

TOLERANCE: dict[Weights, float] = {"float32": 1e-5, "float16": 2e-2, "dynamic": 5e-2, "int8": 1e-1}
"""Largest difference of a logit to Keras, relative to the largest logit where that is above 1."""

_FORBIDDEN = ("Flex", "VAR_HANDLE", "READ_VARIABLE")
"""Operators that the light runtimes lack, or that load and return NaN."""


def to_tflite(model: Any, weights: Weights = "float32", examples: Sequence[Floats] = ()) -> bytes:
    """Convert in a child process, since the converter may crash the interpreter.

    examples : for ``int8``, an array for each input of the model, shape (examples, …)

    Raises
    ------
    ExportError : the conversion failed; the message ends with its last line
    """
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "model.keras"), Path(name, "model.tflite")
        model.save(source)
        command = [sys.executable, "-m", "training.export.convert", str(source), str(target), weights]
        if examples:
            inputs: dict[str, Any] = {f"input{i}": array for i, array in enumerate(examples)}
            np.savez(Path(name, "examples.npz"), **inputs)
            command.append(str(Path(name, "examples.npz")))
        child = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        if child.returncode or not target.is_file():
            last = (child.stderr.strip().splitlines() or ["no message"])[-1]
            raise ExportError(f"TFLite conversion ended with code {child.returncode}: {last}")
        return target.read_bytes()


def check_parity(model: Any, flatbuffer: bytes, windows: Floats, weights: Weights = "float32") -> float:
    """Return the largest difference to Keras over ``windows``, shape (n, frames, n_mels).

    Raises
    ------
    ExportError : an operator that the light runtimes lack, a value that is not finite, or a
        difference above :data:`TOLERANCE`
    """
    check_operators(flatbuffer)
    return difference(run_tflite(flatbuffer, windows), predict(model, windows, batch=1), weights)


def check_operators(flatbuffer: bytes) -> None:
    """Refuse operators that the light runtimes lack.

    Raises
    ------
    ExportError : there is one
    """
    bad = [name for name in operator_names(flatbuffer) if name.startswith(_FORBIDDEN)]
    if bad:
        raise ExportError(f"the converted model needs {', '.join(sorted(bad))}; light runtimes lack them")


def difference(ours: Floats, keras: Floats, weights: Weights = "float32") -> float:
    """Return the largest difference, relative to the largest logit where that is above 1.

    Raises
    ------
    ExportError : a value that is not finite, or a difference above :data:`TOLERANCE`
    """
    if not np.isfinite(ours).all():
        raise ExportError("the converted model gives values that are not finite; convert it again")
    largest = float(np.max(np.abs(ours - keras) / np.maximum(1.0, np.abs(keras).max())))
    if largest > TOLERANCE[weights]:
        raise ExportError(f"TFLite differs from Keras by {largest:.2g}, more than {TOLERANCE[weights]:g}")
    return largest


class Invoker:
    """A converted model as a function: a window in, its outputs, shape (outputs,), out; one thread."""

    def __init__(self, flatbuffer: bytes) -> None:
        self._interpreter = _interpreter(flatbuffer)
        self._given = self._interpreter.get_input_details()[0]["index"]
        self._wanted = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, window: Floats) -> Floats:
        self._interpreter.set_tensor(self._given, window[None].astype(np.float32))
        self._interpreter.invoke()
        outputs: Floats = self._interpreter.get_tensor(self._wanted)[0]
        return outputs


def run_tflite(flatbuffer: bytes, windows: Floats) -> Floats:
    """Return the outputs of each window, shape (n, outputs)."""
    invoke = Invoker(flatbuffer)
    return np.stack([invoke(window) for window in windows])


def operator_names(flatbuffer: bytes) -> set[str]:
    """Return the names of the operators in a converted model."""
    return {detail["op_name"] for detail in _interpreter(flatbuffer)._get_ops_details()}


def _interpreter(flatbuffer: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter
