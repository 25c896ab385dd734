"""Table of all architectures: size, cost, receptive field, and parity of the conversion."""

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
    """Figures of one network.

    Attributes
    ----------
    pytorch_parameters
        Trainable parameters as PyTorch counts them, with two biases per recurrent gate; the published
        counts are of this kind.
    field_frames
        Receptive field along time of what the head pools; None if it is the entire input.
    invoke_ms
        Median time of a TFLite invocation, batch 1, one thread.
    parity
        Largest difference between the TFLite and the Keras outputs.
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
    """Build a network, count its cost, convert it in a child process, compare it with Keras and time it.

    Raises
    ------
    ExportError
        If the conversion fails or its outputs differ.
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
    """Return the input frames that a step before the global pool depends on; None if all of them.

    Follows the chain of convolutions and pools along time; shortcuts have a smaller field. A recurrent
    or attention layer depends on all frames.
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
    """Return the table as Markdown."""
    lines = [
        "| network | description | input | parameters | as PyTorch counts | multiply-adds | receptive field "
        "| TFLite kB | ms per input | TFLite − Keras |",
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
