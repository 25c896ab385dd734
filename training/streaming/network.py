"""A convolutional network over time without a window: each column looks back, never ahead.

The same layers run in two forms. Over a whole sequence (training, scoring) every layer sees
zeros before the beginning; hop by hop (the daemon) it sees the rows that it kept from the hop
before. Both give the same outputs, since no layer pads inside the sequence, and a hop is a
multiple of the total stride in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from monitor.model.runtime import StreamingRuntime
from training.data import LABELS
from training.export import check_operators, difference
from training.networks import Cost
from training.networks import cost as network_cost

Past = Callable[[Any, int], Any]
"""(rows, count) → the rows with ``count`` earlier ones in front of them, along axis 1."""

STRIDE = 4
"""Frames to a column: the product of the strides in time."""


@dataclass(frozen=True)
class StreamSpec:
    """A stem of 5×5, three residual blocks of two 3×3, one column of ``top`` numbers, two rings of columns.

    blocks : channels; the bands halve in the stem and in each, time in the stem and the first
    dilations : columns between the rows that a block's second convolution looks at
    level_frames : frames whose mean level is taken off, so that the gain of a microphone is
    indifferent (0: nothing is); rings : columns that means and maxima are taken over; labels : outputs
    """

    n_mels: int = 64
    stem: int = 14
    blocks: tuple[int, ...] = (28, 60, 88)
    dilations: tuple[int, ...] = (1, 2, 4)
    top: int = 128
    rings: tuple[int, ...] = (6, 25)
    level_frames: int = 50
    dropout: float = 0.2
    labels: int = len(LABELS)

    @property
    def frames(self) -> int:
        """Frames that one set of outputs depends on."""
        columns = max(self.rings) - 1 + 2 * (len(self.blocks) - 1) + 2 * sum(self.dilations)
        return columns * STRIDE + 2 * (3 - 1) + 5 - 1 + self.level_frames


def build(spec: StreamSpec, frames: int | None = None) -> Any:
    """Return the whole-sequence form: (frames, n_mels) → logits of every column.

    ``frames`` is a multiple of :data:`STRIDE`; None takes any.

    Its second output is what the logits are made of: the rings' means and maxima.
    """
    import keras
    from keras import layers

    def zeros(x: Any, count: int) -> Any:
        if len(x.shape) == 4:
            return layers.ZeroPadding2D(((count, 0), (0, 0)))(x)
        return layers.ZeroPadding1D((count, 0))(x)

    rows = layers.Input((frames, spec.n_mels))
    return keras.Model(rows, _graph(spec, rows, zeros))


def streaming(model: Any, spec: StreamSpec, hop_frames: int) -> Any:
    """Return the hop-by-hop form of a trained whole-sequence model.

    Inputs: the new frames, shape (hop_frames, n_mels), and the state, shape (n,); outputs: the
    logits of the newest column, shape (labels,), and the next state.
    """
    import keras
    from keras import layers, ops

    carried: list[tuple[int, ...]] = []
    build_past = _Recorder(carried)
    probe = layers.Input((hop_frames, spec.n_mels), batch_size=1)
    _graph(spec, probe, build_past)
    total = sum(prod(shape) for shape in carried)
    rows = layers.Input((hop_frames, spec.n_mels), batch_size=1, name="frames")
    state = layers.Input((total,), batch_size=1, name="state")
    kept: list[Any] = []
    at = 0

    def past(x: Any, count: int) -> Any:
        nonlocal at
        shape = (count, *x.shape[2:])
        before = ops.reshape(state[:, at : at + prod(shape)], (1, *shape))
        at += prod(shape)
        joined = ops.concatenate([before, x], axis=1)
        kept.append(ops.reshape(joined[:, joined.shape[1] - count :], (1, prod(shape))))
        return joined

    logits, _ = _graph(spec, rows, past)
    newest = ops.reshape(logits[:, -1], (1, logits.shape[-1]))
    stepped = keras.Model([rows, state], [newest, ops.concatenate(kept, axis=1)])
    stepped.set_weights(model.get_weights())
    return stepped


def check_parity(model: Any, flatbuffer: bytes, frames: Any, hop_frames: int, state: int) -> float:
    """Return the largest difference between the converted streaming form and the whole-sequence one.

    frames : of one sequence, shape (n, n_mels), normalised

    Raises
    ------
    ExportError : as :func:`training.export.check_parity` does
    """
    check_operators(flatbuffer)
    whole = np.asarray(model(frames[None], training=False)[0])[0]
    runtime = StreamingRuntime(flatbuffer, Path("the model"), outputs=whole.shape[1], state=state)
    kept, ours = np.zeros(state, np.float32), []
    for end in range(hop_frames, len(frames) + 1, hop_frames):
        logits, kept = runtime.step(frames[end - hop_frames : end], kept)
        ours.append(logits)
    columns = np.arange(1, len(ours) + 1) * hop_frames // STRIDE - 1
    return difference(np.stack(ours), whole[columns])


def cost(spec: StreamSpec, hop_frames: int) -> Cost:
    """Parameters, and multiply-adds of one hop: of the whole-sequence form over as many frames."""
    counted = network_cost(build(spec, hop_frames))
    return Cost(counted.parameters, counted.multiply_adds)


class _Recorder:
    """Stands for the past while the shapes of the state are being found out."""

    def __init__(self, shapes: list[tuple[int, ...]]) -> None:
        self._shapes = shapes

    def __call__(self, x: Any, count: int) -> Any:
        from keras import ops

        self._shapes.append((count, *x.shape[2:]))
        return ops.concatenate([ops.repeat(x[:, :1], count, axis=1), x], axis=1)


def _graph(spec: StreamSpec, rows: Any, past: Past) -> tuple[Any, Any]:
    from keras import layers

    x = layers.Reshape((-1, spec.n_mels, 1))(_levelled(spec, rows, past))
    x = _convolve(x, spec.stem, 5, (2, 2), past)
    for number, (channels, dilation) in enumerate(zip(spec.blocks, spec.dilations, strict=True)):
        x = _convolve(x, channels, 3, (2 if number == 0 else 1, 2), past)
        y = _convolve(x, channels, 3, (1, 1), past, dilation, activation=False)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Conv2D(spec.top, (1, x.shape[2]), use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Reshape((-1, spec.top))(x)
    longest = max(spec.rings)
    ring = past(x, longest - 1)
    pooled = []
    for length in spec.rings:
        part = ring if length == longest else layers.Cropping1D((longest - length, 0))(ring)
        pooled += [layers.AveragePooling1D(length, 1)(part), layers.MaxPooling1D(length, 1)(part)]
    features = layers.Concatenate()(pooled)
    return layers.Dense(spec.labels)(layers.Dropout(spec.dropout)(features)), features


def _levelled(spec: StreamSpec, rows: Any, past: Past) -> Any:
    """Take from each frame the mean level of the last ``level_frames``, over all bands."""
    from keras import layers, ops

    if not spec.level_frames:
        return rows
    mean = ops.mean(rows, axis=2, keepdims=True)
    level = layers.AveragePooling1D(spec.level_frames, 1)(past(mean, spec.level_frames - 1))
    return layers.Subtract()([rows, level])


def _convolve(
    x: Any, channels: int, size: int, strides: tuple[int, int], past: Past, dilation: int = 1, *,
    activation: bool = True,
) -> Any:  # fmt: skip
    """Convolution, batch norm right behind it (so that it folds into the weights), ReLU.

    Along the bands it pads as "same" does; along time it takes what the stride leaves of the past.
    """
    from keras import layers

    earlier = (size - 1) * dilation + 1 - strides[0]
    x = layers.ZeroPadding2D(((0, 0), ((size - 1) // 2, (size - 1) // 2)))(past(x, earlier))
    x = layers.Conv2D(channels, size, strides=strides, dilation_rate=(dilation, 1), use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x) if activation else x
