"""YAMNet with its embedding as an output, run by the TFLite interpreter of this process.

Reference: Plakal and Ellis, YAMNet, 2020; trained on AudioSet.
"""

from __future__ import annotations

import hashlib
from math import prod
from pathlib import Path

from training.base.arrays import Floats
from training.errors import DataError
from training.networks.compact import Cost

EMBEDDING = 1024
LABELS = 521
WINDOW = 15_600
"""Samples at 16 kHz of one window, 0.975 s; longer sounds have a window every 0.48 s."""
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


class Yamnet:
    """The network of one file.

    Parameters
    ----------
    path : a TFLite model of waveforms at 16 kHz, one of whose outputs is the embedding

    Raises
    ------
    DataError : there is no such file, it is no TFLite model, or none of its outputs is the embedding
    """

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        if not path.is_file():
            raise DataError(f"{path}: no such file; it must be YAMNet with its embedding as an output")
        content = path.read_bytes()
        self.digest = hashlib.sha256(content).hexdigest()
        """Changes with the file's content."""
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=1)
        except (ValueError, RuntimeError) as error:
            raise DataError(f"{path}: is no TFLite model ({error})") from error
        widths = {int(o["shape"][-1]): o["index"] for o in self._interpreter.get_output_details()}
        if EMBEDDING not in widths:
            raise DataError(f"{path}: none of its outputs is an embedding of {EMBEDDING} numbers")
        self._output = widths[EMBEDDING]
        self._scores = widths.get(LABELS)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._length = 0

    def embeddings(self, samples: Floats) -> Floats:
        """Return the embedding of each window of a sound at 16 kHz, shape (windows, 1024).

        Parameters
        ----------
        samples : shape (n,), at least :data:`WINDOW` of them
        """
        self._resize(len(samples))
        self._interpreter.set_tensor(self._input, samples)
        self._interpreter.invoke()
        embedding: Floats = self._interpreter.get_tensor(self._output).reshape(-1, EMBEDDING).copy()
        return embedding

    def heard(self, samples: Floats) -> tuple[Floats, Floats]:
        """Return the scores of AudioSet's labels and the embedding of each window.

        Raises
        ------
        DataError : the file has no output of 521 scores
        """
        if self._scores is None:
            raise DataError(f"no output of YAMNet's file has {LABELS} scores; take yamnet_embeddings.tflite")
        embedding = self.embeddings(samples)
        return self._interpreter.get_tensor(self._scores).reshape(-1, LABELS).copy(), embedding

    def cost(self) -> Cost:
        """Count the constants of the weighted layers and their multiply-adds for one window."""
        self._resize(WINDOW)
        shapes = {d["index"]: tuple(d["shape"]) for d in self._interpreter.get_tensor_details()}
        parameters = multiply_adds = 0
        for operator in self._interpreter._get_ops_details():
            name = operator["op_name"]
            if name not in _WEIGHTED:
                continue
            _, kernel, *bias = [shapes[index] for index in operator["inputs"] if index >= 0]
            output = shapes[operator["outputs"][0]]
            parameters += prod(kernel) + sum(prod(shape) for shape in bias)
            per_output = prod(kernel[1:3]) if name == "DEPTHWISE_CONV_2D" else prod(kernel[1:])
            multiply_adds += prod(output) * per_output
        return Cost(int(parameters), int(multiply_adds))

    def _resize(self, length: int) -> None:
        if length != self._length:
            self._interpreter.resize_tensor_input(self._input, [length])
            self._interpreter.allocate_tensors()
            self._length = length
