"""A causal convolutional network over time: each column depends on past frames only.

Each hop computes the new columns only; the outputs use means and maxima over ring buffers of columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.data.corpora import LABELS
from training.networks.streaming import Past, zeros

STRIDE = 4
"""Frames per column: the product of the strides in time."""
LEAD = 48
"""Frames of context before a training window, 0.96 s."""


@dataclass(frozen=True)
class StreamSpec:
    """A 5×5 stem, three residual blocks of two 3×3, columns of ``top`` channels, two pooling windows.

    Parameters
    ----------
    blocks
        Channels; bands are halved in the stem and each block, time in the stem and the first block.
    dilations
        Dilation in columns of each block's second convolution.
    level_frames
        Frames whose mean level is subtracted for invariance to microphone gain; 0 disables it.
    rings
        Columns pooled by mean and maximum.
    labels
        Number of outputs.
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
    def stride(self) -> int:
        return STRIDE

    @property
    def window(self) -> int:
        """Frames covered by the longest pooling window."""
        return max(self.rings) * STRIDE

    @property
    def lead(self) -> int:
        """One second of context, so that the first pooled columns have a past as in a stream."""
        return LEAD

    @property
    def frames(self) -> int:
        """Receptive field of one set of outputs in frames."""
        columns = max(self.rings) - 1 + 2 * (len(self.blocks) - 1) + 2 * sum(self.dilations)
        return columns * STRIDE + 2 * (3 - 1) + 5 - 1 + self.level_frames

    def graph(self, rows: Any, past: Past) -> tuple[Any, Any]:
        """See :class:`training.networks.streaming.Form`."""
        from keras import layers

        x = layers.Reshape((-1, self.n_mels, 1))(_levelled(self, rows, past))
        x = _convolve(x, self.stem, 5, (2, 2), past)
        for number, (channels, dilation) in enumerate(zip(self.blocks, self.dilations, strict=True)):
            x = _convolve(x, channels, 3, (2 if number == 0 else 1, 2), past)
            y = _convolve(x, channels, 3, (1, 1), past, dilation, activation=False)
            x = layers.ReLU()(layers.Add()([x, y]))
        x = layers.Conv2D(self.top, (1, x.shape[2]), use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Reshape((-1, self.top))(x)
        longest = max(self.rings)
        ring = past(x, longest - 1)
        pooled = []
        for length in self.rings:
            part = ring if length == longest else layers.Cropping1D((longest - length, 0))(ring)
            pooled += [layers.AveragePooling1D(length, 1)(part), layers.MaxPooling1D(length, 1)(part)]
        features = layers.Concatenate()(pooled)
        return layers.Dense(self.labels)(layers.Dropout(self.dropout)(features)), features

    def last(self, rows: Any) -> tuple[Any, Any]:
        """See :class:`training.networks.streaming.Form`."""
        logits, features = self.graph(rows, zeros)
        return logits[:, -1], features[:, -1]


def _levelled(spec: StreamSpec, rows: Any, past: Past) -> Any:
    """Subtract from each frame the mean level of the last ``level_frames`` over all bands."""
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
    """Convolution with batch norm directly after it, foldable into the weights, and ReLU.

    Pads as "same" along the bands; along time it uses the retained past instead of padding.
    """
    from keras import layers

    earlier = (size - 1) * dilation + 1 - strides[0]
    x = layers.ZeroPadding2D(((0, 0), ((size - 1) // 2, (size - 1) // 2)))(past(x, earlier))
    x = layers.Conv2D(channels, size, strides=strides, dilation_rate=(dilation, 1), use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x) if activation else x
