"""The TFLite interpreter: ai-edge-litert, else tflite-runtime, else tensorflow."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import PackageError

RUNTIMES = {
    "ai_edge_litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite",
}
"""Import name of each runtime's Interpreter, in order of preference."""


class Runtime:
    """One loaded model: array in, array out.

    Parameters
    ----------
    flatbuffer : the model's bytes
    path : named in errors only
    outputs : number of scores expected; the output tensor of that size is read, 0 = the first
    inputs : values to feed to a model that takes any number; others keep their own size
    threads : interpreter threads, ≥ 1
    prefer : ``auto`` or a key of :data:`RUNTIMES`

    Raises
    ------
    PackageError : no runtime is installed, the model does not load, or no output fits
    """

    def __init__(
        self,
        flatbuffer: bytes,
        path: Path,
        *,
        outputs: int,
        inputs: int | None = None,
        threads: int = 1,
        prefer: str = "auto",
    ) -> None:
        self.name, interpreter_class = _load(prefer)
        try:
            self._interpreter = interpreter_class(model_content=flatbuffer, num_threads=threads)
            if inputs is not None:
                self._resize(inputs)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise PackageError(f"{path}: {self.name} cannot load the model ({reason})") from error
        self._input = self._only_input(path)
        self._output = self._find_output(path, outputs)
        self.input_size = int(np.prod(self._input["shape"]))
        self.output_size = int(np.prod(self._output["shape"]))

    def run(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores, shape (outputs,), of one window of ``input_size`` values."""
        value = window.reshape(self._input["shape"])
        self._interpreter.set_tensor(self._input["index"], _quantise(value, self._input))
        self._interpreter.invoke()
        return _dequantise(self._interpreter.get_tensor(self._output["index"]), self._output).ravel()

    def _resize(self, inputs: int) -> None:
        for detail in self._interpreter.get_input_details():
            signature = list(detail["shape_signature"])
            if signature.count(-1) == 1:
                rest = -int(np.prod(signature))
                shape = [inputs // rest if size == -1 else size for size in signature]
                self._interpreter.resize_tensor_input(detail["index"], shape)

    def _only_input(self, path: Path) -> dict[str, Any]:
        inputs: list[dict[str, Any]] = self._interpreter.get_input_details()
        if len(inputs) != 1:
            raise PackageError(f"{path}: the model has {len(inputs)} inputs; one is supported")
        return _numeric(path, "input", inputs[0])

    def _find_output(self, path: Path, size: int) -> dict[str, Any]:
        details: list[dict[str, Any]] = self._interpreter.get_output_details()
        sizes = [int(np.prod(detail["shape"])) for detail in details]
        if size == 0:
            return _numeric(path, "output", details[0])
        if size not in sizes:
            raise PackageError(
                f"{path}: no output has {size} values, one for each label or for what an adapter reads; "
                f"the model's outputs have sizes {sizes}"
            )
        return _numeric(path, "output", details[sizes.index(size)])


def _load(prefer: str) -> tuple[str, Callable[..., Any]]:
    for name in RUNTIMES if prefer == "auto" else (prefer,):
        try:
            module = importlib.import_module(RUNTIMES[name])
        except ImportError:
            continue
        return name, module.Interpreter
    wanted = "a TFLite runtime" if prefer == "auto" else f"the runtime {prefer}"
    raise PackageError(f"{wanted} is not installed; run: pip install ai-edge-litert")


def _numeric(path: Path, what: str, detail: dict[str, Any]) -> dict[str, Any]:
    """The tensor, if its values are floats or integers that stand for floats."""
    dtype = np.dtype(detail["dtype"])
    if dtype.kind != "f" and not detail["quantization"][0]:
        raise PackageError(f"{path}: the model's {what} is {dtype.name}; float or quantised is supported")
    return detail


def _quantise(value: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[Any]:
    """Float to the tensor's type; int8 models carry scale and zero point."""
    dtype = np.dtype(detail["dtype"])
    if dtype.kind == "f":
        return value.astype(dtype, copy=False)
    scale, zero_point = detail["quantization"]
    limits = np.iinfo(dtype)
    quantised: NDArray[Any] = np.clip(np.rint(value / scale) + zero_point, limits.min, limits.max)
    return quantised.astype(dtype)


def _dequantise(value: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.float32]:
    if value.dtype.kind == "f":
        return np.asarray(value, np.float32)
    scale, zero_point = detail["quantization"]
    result: NDArray[np.float32] = ((value.astype(np.float32) - zero_point) * scale).astype(np.float32)
    return result
