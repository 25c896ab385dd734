"""Run TFLite models in this process, one thread each."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.base.arrays import Floats


class Invoker:
    """A converted model as a function from a window to its outputs, shape (outputs,); single-threaded."""

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
