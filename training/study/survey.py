"""What a network costs and sees: the table of all architectures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.tflite import Invoker
from training.export.conversion import to_tflite
from training.export.parity import check_parity
from training.networks.catalogue import Architecture
from training.networks.compact import cost
from training.networks.published import redundant_biases

_INVOKES = 30


@dataclass(frozen=True)
class Survey:
    """One network.

    ``pytorch_parameters`` are the trainable ones with the biases that PyTorch has twice, which is
    how the published recurrent counts come about. ``field_frames`` is the receptive field in
    time of what the head pools (None: every frame of the input reaches every step). ``invoke_ms``
    is the median of one TFLite invocation, batch 1, one thread.
    """

    architecture: Architecture
    input_shape: tuple[int, int]
    parameters: int
    pytorch_parameters: int
    multiply_adds: int
    field_frames: int | None
    tflite_bytes: int
    invoke_ms: float
    parity: float


def survey(architecture: Architecture, outputs: int) -> Survey:
    """Build, count, convert (in a child process), compare with Keras and time one network.

    Raises
    ------
    ExportError : it cannot be converted, or computes something else once converted
    """
    import keras

    keras.utils.set_random_seed(0)
    model = architecture.build(outputs)
    counted = cost(model)
    frames, columns = model.input_shape[1:]
    windows = np.random.default_rng(0).standard_normal((2, frames, columns)).astype(np.float32)
    flatbuffer = to_tflite(model)
    trainable = sum(int(np.prod(weights.shape)) for weights in model.trainable_weights)
    return Survey(
        architecture,
        (frames, columns),
        counted.parameters,
        trainable + redundant_biases(model),
        counted.multiply_adds,
        receptive_field(model),
        len(flatbuffer),
        _median_ms(flatbuffer, windows[0]),
        check_parity(model, flatbuffer, windows),
    )


def receptive_field(model: Any) -> int | None:
    """Frames of the input that one step in front of the pool depends on; None where it is all of them.

    Walks the chain of convolutions and pools along time; shortcuts around them see less. A
    recurrence or attention sees everything, so the walk ends there.
    """
    from keras import layers

    field, stride = 1, 1
    for layer in model.layers:
        if isinstance(layer, (layers.RNN, layers.Bidirectional, layers.MultiHeadAttention)):
            return None
        if isinstance(layer, (layers.Conv1D, layers.Conv2D)):
            size, step = layer.kernel_size[0], layer.strides[0]
        elif isinstance(layer, (layers.MaxPooling2D, layers.AveragePooling2D)):
            size, step = layer.pool_size[0], layer.strides[0]
        else:
            continue
        field += (size - 1) * stride
        stride *= step
    return field


def page(found: Sequence[Survey]) -> str:
    """The table as Markdown."""
    lines = [
        "| network | what | input | parameters | as PyTorch counts | multiply-adds | receptive field "
        "| TFLite kB | ms an input | TFLite − Keras |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        frames, columns = one.input_shape
        frame_s = one.architecture.frame_s
        seen = frames if one.field_frames is None else one.field_frames
        lines.append(
            f"| {one.architecture.name} | {one.architecture.about} "
            f"| {frames} × {columns}, {frames * frame_s:.2f} s "
            f"| {one.parameters:,} | {one.pytorch_parameters:,} | {one.multiply_adds / 1e6:.2f} M "
            f"| {seen} frames, {seen * frame_s:.2f} s{' (all)' if one.field_frames is None else ''} "
            f"| {one.tflite_bytes / 1000:.0f} | {one.invoke_ms:.2f} | {one.parity:.0e} |"
        )
    return "\n".join(lines)


def _median_ms(flatbuffer: bytes, window: Floats) -> float:
    invoke = Invoker(flatbuffer)
    invoke(window)
    times = []
    for _ in range(_INVOKES):
        begun = time.perf_counter()
        invoke(window)
        times.append(time.perf_counter() - begun)
    return float(np.median(times) * 1000)
