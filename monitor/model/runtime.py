"""The TFLite interpreter: ai-edge-litert, else tflite-runtime, else tensorflow."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import PackageError

RUNTIMES = {
    "ai_edge_litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
    # `tensorflow.lite` resolves only as an attribute of `tensorflow`; imported, it is an empty package.
    "tensorflow": "tensorflow.lite.python.interpreter",
}
"""Module of each runtime's Interpreter, in order of preference."""


_DISTRIBUTIONS = ("ai-edge-litert", "tflite-runtime", "tensorflow")


def installed_runtime() -> str:
    """Return name and version of the runtime that ``auto`` selects, without loading it; empty if none."""
    for distribution in _DISTRIBUTIONS:
        try:
            return f"{distribution} {metadata.version(distribution)}"
        except metadata.PackageNotFoundError:
            continue
    return ""


class Runtime:
    """One loaded model: array in, array out; streams of several threads may share it.

    Parameters
    ----------
    flatbuffer
        The model's bytes.
    path
        Path, used in error messages only.
    outputs
        Number of values expected. The output tensor of that size is read; 0 = the first. With several
        sizes, one output tensor of each is read, in whatever order the file has them.
    inputs
        Number of values to feed to a model that accepts any number; others keep their own size.
    threads
        Interpreter threads, ≥ 1.
    prefer
        ``auto`` or a key of :data:`RUNTIMES`.

    Raises
    ------
    PackageError
        No runtime is installed, the model does not load, or no output fits.
    """

    def __init__(
        self,
        flatbuffer: bytes,
        path: Path,
        *,
        outputs: int | Sequence[int],
        inputs: int | None = None,
        threads: int = 1,
        prefer: str = "auto",
    ) -> None:
        self.name, self._interpreter = _interpreter(flatbuffer, path, threads, prefer, inputs)
        self._path = path
        self._running = Lock()
        self._input = self._only_input(path)
        self._outputs = self._find_outputs(path, [outputs] if isinstance(outputs, int) else outputs)
        self.input_size = _size(self._input)
        self.output_size = sum(map(_size, self._outputs))

    def run(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs for one window of ``input_size`` values, concatenated in the requested order."""
        value = window.reshape(self._input["shape"])
        with self._running:
            self._interpreter.set_tensor(self._input["index"], _quantise(value, self._input))
            _invoke(self._interpreter, self._path)
            raw = [self._interpreter.get_tensor(output["index"]) for output in self._outputs]
        values = [_dequantise(one, output).ravel() for one, output in zip(raw, self._outputs, strict=True)]
        return values[0] if len(values) == 1 else np.concatenate(values)

    def _only_input(self, path: Path) -> dict[str, Any]:
        inputs: list[dict[str, Any]] = self._interpreter.get_input_details()
        if len(inputs) != 1:
            raise PackageError(
                f"{path}: the model has {len(inputs)} inputs; one is supported, two if its card names a state"
            )
        return _numeric(path, "input", inputs[0])

    def _find_outputs(self, path: Path, wanted: Sequence[int]) -> list[dict[str, Any]]:
        details: list[dict[str, Any]] = self._interpreter.get_output_details()
        sizes = [_size(detail) for detail in details]
        found = []
        for size in wanted:
            if size and size not in sizes:
                raise PackageError(
                    f"{path}: no output has {size} values, one for each label or for what an adapter reads; "
                    f"the model's outputs have sizes {sizes}"
                )
            if len(wanted) > 1 and sizes.count(size) > 1:
                raise PackageError(f"{path}: two outputs have {size} values; which is meant cannot be told")
            found.append(_numeric(path, "output", details[sizes.index(size) if size else 0]))
        return found


class StreamingRuntime:
    """One loaded streaming model: new frames and state in, raw outputs and next state out.

    Parameters
    ----------
    state
        Number of values of the state. The input and output tensors of that size are the state; the new
        frames may have the same size if they have more dimensions.
    others
        As for :class:`Runtime`.

    Raises
    ------
    PackageError
        As for :class:`Runtime`, or the state tensors cannot be identified.
    """

    def __init__(
        self,
        flatbuffer: bytes,
        path: Path,
        *,
        outputs: int,
        state: int,
        threads: int = 1,
        prefer: str = "auto",
    ) -> None:
        self.name, self._interpreter = _interpreter(flatbuffer, path, threads, prefer)
        self._path = path
        self._running = Lock()
        self._frames, self._state = _apart(path, "inputs", self._interpreter.get_input_details(), state)
        self._outputs, self._next = _apart(path, "outputs", self._interpreter.get_output_details(), state)
        self.input_size, output_size = _size(self._frames), _size(self._outputs)
        if output_size != outputs:
            raise PackageError(f"{path}: the model gives {output_size} values for {outputs} labels")

    def step(
        self, frames: NDArray[np.float32], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the raw outputs, shape (outputs,), and the next state, shape (state,)."""
        run = self._interpreter
        with self._running:
            run.set_tensor(self._frames["index"], frames.reshape(self._frames["shape"]))
            run.set_tensor(self._state["index"], state.reshape(self._state["shape"]))
            _invoke(run, self._path)
            return run.get_tensor(self._outputs["index"]).ravel(), run.get_tensor(self._next["index"]).ravel()


def _apart(path: Path, what: str, details: list[dict[str, Any]], state: int) -> list[dict[str, Any]]:
    """Return the two tensors, the state last: if both have its size, the one with fewer dimensions."""
    others = sorted(details, key=lambda detail: (_size(detail) == state, -len(detail["shape"])))
    sizes = [_size(detail) for detail in details]
    alike = sizes == [state, state] and len(others[0]["shape"]) == len(others[1]["shape"])
    if len(sizes) != 2 or state not in sizes or alike:
        raise PackageError(
            f"{path}: of two {what} one must have the {state} values of the card's state; "
            f"the model's have sizes {sizes}"
        )
    for dtype in (np.dtype(detail["dtype"]) for detail in details):
        if dtype != np.float32:
            raise PackageError(
                f"{path}: {what} of a model with a state must be float32, not {dtype.name}; quantise its "
                "weights alone (float16 or dynamic range)"
            )
    return others


def _size(detail: dict[str, Any]) -> int:
    return int(np.prod(detail["shape"]))


def _interpreter(
    flatbuffer: bytes, path: Path, threads: int, prefer: str, inputs: int | None = None
) -> tuple[str, Any]:
    """Return the name and the interpreter of a model that is ready to run; see :class:`Runtime`."""
    name, interpreter_class = _load(prefer)
    try:
        with _without_info_lines():
            interpreter = interpreter_class(model_content=flatbuffer, num_threads=threads)
            if inputs is not None:
                _resize(interpreter, inputs)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise PackageError(f"{path}: {name} cannot load the model ({_reason(error)})") from error
    return name, interpreter


def _invoke(interpreter: Any, path: Path) -> None:
    try:
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise PackageError(f"{path}: the model cannot be run ({_reason(error)}); convert it again") from error


def _reason(error: Exception) -> str:
    """Return the first line of a runtime's message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def _without_info_lines() -> Iterator[None]:
    """Drop the "INFO:" lines that the runtime prints from C; other output meanwhile comes afterwards."""
    if sys.stderr is None:  # closed: descriptor 2 may be a file of ours
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as printed:
        stderr = os.dup(2)
        os.dup2(printed.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            printed.seek(0)
            for line in printed:
                if not line.startswith(b"INFO:"):
                    os.write(2, line)


def _resize(interpreter: Any, inputs: int) -> None:
    for detail in interpreter.get_input_details():
        signature = list(detail["shape_signature"])
        if signature.count(-1) == 1:
            rest = -int(np.prod(signature))
            shape = [inputs // rest if size == -1 else size for size in signature]
            interpreter.resize_tensor_input(detail["index"], shape)


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
    """Return the tensor if its values are floats or quantised floats."""
    dtype = np.dtype(detail["dtype"])
    if dtype.kind != "f" and not detail["quantization"][0]:
        raise PackageError(f"{path}: the model's {what} is {dtype.name}; float or quantised is supported")
    return detail


def _quantise(value: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[Any]:
    """Convert floats to the tensor's type; int8 models have a scale and a zero point."""
    dtype = np.dtype(detail["dtype"])
    if dtype.kind == "f":
        return value.astype(dtype, copy=False)
    scale, zero_point = detail["quantization"]
    limits = np.iinfo(dtype)
    return np.asarray(np.clip(np.rint(value / scale) + zero_point, limits.min, limits.max), dtype)


def _dequantise(value: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.float32]:
    if value.dtype.kind == "f":
        return np.asarray(value, np.float32)
    scale, zero_point = detail["quantization"]
    return np.asarray((value.astype(np.float32) - zero_point) * scale, np.float32)
