"""TFLite models of a few hundred bytes, built by hand: one dense layer, so that the truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl

from monitor.model.card import Card, MultiHeadCard

WINDOW = 8
RATE = 1000
LABELS = ("bell", "horn", "background")
WEIGHTS = np.random.default_rng(9).normal(0.0, 1.0, (len(LABELS), WINDOW)).round(2)


def card(**changes: Any) -> Card:
    """The card of a waveform model with :data:`LABELS`, two of which make events."""
    shape = {"shortest_s": 0.5, "profiles": {"quiet": {"enter": 0.6, "exit": 0.4}}}
    values = {
        "schema": 1,
        "name": "tiny",
        "version": "1.2.3",
        "created": "2026-01-31T12:00:00Z",
        "licence": "MIT",
        "data_licences": ["none – it was made up"],
        "sample_rate": RATE,
        "window": WINDOW,
        "hop": WINDOW // 2,
        "front_end": {"kind": "waveform"},
        "output": "sigmoid",
        "classes": {"bell": shape, "horn": shape},
        "negative_labels": ["background"],
    }
    return Card.model_validate({**values, **changes})


def dense_model(
    weights: np.ndarray,
    bias: Sequence[float] | None = None,
    *,
    sigmoid: bool = True,
    inputs: int = 1,
    values: Literal["float32", "int8", "int32"] = "float32",
) -> bytes:
    """A model that gives ``sigmoid(weights @ window + bias)``; its last output is the plain sum.

    weights : shape (outputs, window)
    values : of input and scores: int8 is quantised, the input at 1/64 and the scores at 1/256;
        int32 is cast
    """
    outputs, window = weights.shape
    builder = _ModelBuilder()
    given = [
        builder.tensor(f"in{i}", (1, window), values, scale=1 / 64 if values == "int8" else 0.0)
        for i in range(inputs)
    ]
    first = given[0]
    if values != "float32":
        first = builder.tensor("floats", (1, window))
        builder.operator("DEQUANTIZE" if values == "int8" else "CAST", given[:1], first)
    matrix = builder.tensor("weights", weights.shape, data=weights)
    offsets = builder.tensor("bias", (outputs,), data=np.array(bias or [0.0] * outputs))
    plain = builder.tensor("plain", (1, outputs))
    builder.operator("FULLY_CONNECTED", [first, matrix, offsets], plain)
    results = [plain]
    if sigmoid:
        results.insert(0, builder.tensor("scores", (1, outputs)))
        builder.operator("LOGISTIC", [plain], results[0])
    if values == "int8":
        results = [builder.tensor("quantised", (1, outputs), "int8", scale=1 / 256, zero_point=-128)]
        builder.operator("QUANTIZE", [len(builder) - 2], results[0])
    return builder.build(given, results)


SOUNDS = ("Bell", "Car horn", "Cat", "Knock", "Dog, bark")
EMBEDDING = 7
HEADS = {
    name: np.random.default_rng(seed).normal(0.0, 1.0, (size, WINDOW)).round(2)
    for seed, (name, size) in enumerate(
        {"classes": len(LABELS), "sounds": len(SOUNDS), "embedding": EMBEDDING}.items()
    )
}
"""Weights of the outputs of :func:`multi_head_model`, by output."""


def multi_head_card(**changes: Any) -> MultiHeadCard:
    """The card of :func:`multi_head_model`: ``horn`` has a support, and two sounds are curated."""
    quiet = {"shortest_s": 0.5, "profiles": {"quiet": {"enter": 0.7, "exit": 0.5}}}
    values = {
        **card(output="logits").model_dump(by_alias=True),
        "schema": 2,
        "outputs": {"classes": len(LABELS), "sounds": len(SOUNDS), "embedding": EMBEDDING},
        "support": {"horn": {"labels": ["Car horn"], "head": 0.5, "weight": 2.0, "bias": -1.0}},
        "sounds": {
            "animal": {"labels": ["Cat", "Dog, bark"], **quiet},
            "knock": {"labels": ["Knock"], **quiet},
        },
    }
    return MultiHeadCard.model_validate({**values, **changes})


def multi_head_model(
    outputs: Sequence[str] = ("embedding", "classes", "sounds"), weights: Mapping[str, np.ndarray] = HEADS
) -> bytes:
    """A model of a dense layer for each of the weights that is named, its outputs in this order."""
    builder = _ModelBuilder()
    given = builder.tensor("in", (1, WINDOW))
    results = []
    for name in outputs:
        layer = weights[name]
        matrix = builder.tensor(f"{name} weights", layer.shape, data=layer)
        bias = builder.tensor(f"{name} bias", (len(layer),), data=np.zeros(len(layer)))
        results.append(builder.tensor(name, (1, len(layer))))
        builder.operator("FULLY_CONNECTED", [given, matrix, bias], results[-1])
    return builder.build([given], results)


def any_length_model() -> bytes:
    """A model that takes any number of samples and gives as many scores: ``sigmoid(x)``."""
    builder = _ModelBuilder()
    given, scores = builder.tensor("in", (1, 1)), builder.tensor("scores", (1, 1))
    builder.leave_open(given, (1, -1))
    builder.leave_open(scores, (1, -1))
    builder.operator("LOGISTIC", [given], scores)
    return builder.build([given], [scores])


class _ModelBuilder:
    """Collects tensors and operators in the generated object API of the TFLite schema."""

    def __init__(self) -> None:
        self._model = tfl.ModelT()
        self._model.version = 3
        self._model.buffers = [tfl.BufferT()]
        self._model.operatorCodes = []
        self._graph = tfl.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []

    def __len__(self) -> int:
        return len(self._graph.tensors)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        values: str = "float32",
        *,
        scale: float = 0.0,
        zero_point: int = 0,
        data: np.ndarray | None = None,
    ) -> int:
        tensor = tfl.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), 0
        tensor.type = getattr(tfl.TensorType, values.upper())
        if scale:
            tensor.quantization = tfl.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
        if data is not None:
            buffer = tfl.BufferT()
            buffer.data = np.frombuffer(data.astype("<f4").tobytes(), np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self._graph.tensors.append(tensor)
        return len(self) - 1

    def leave_open(self, tensor: int, signature: Sequence[int]) -> None:
        """Say which sizes of a tensor are settled when the model is loaded: those that are −1."""
        self._graph.tensors[tensor].shapeSignature = list(signature)

    def operator(self, name: str, inputs: list[int], output: int) -> None:
        code = tfl.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(tfl.BuiltinOperator, name)
        code.version = 1
        operator = tfl.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes)
        operator.inputs, operator.outputs = inputs, [output]
        if name == "FULLY_CONNECTED":
            operator.builtinOptionsType = tfl.BuiltinOptions.FullyConnectedOptions
            operator.builtinOptions = tfl.FullyConnectedOptionsT()
        self._model.operatorCodes.append(code)
        self._graph.operators.append(operator)

    def build(self, inputs: list[int], outputs: list[int]) -> bytes:
        self._graph.inputs, self._graph.outputs = inputs, outputs
        self._model.subgraphs = [self._graph]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())
