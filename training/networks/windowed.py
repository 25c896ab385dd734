"""A network that evaluates each window anew, recomputing what a streaming network would retain.

Its state is the window's earlier frames. Each hop costs a full window; in return it has padding at the
window's edges and normalisation by the window's own mean level, which a stream cannot have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from training.data.corpora import LABELS
from training.networks.compact import NetworkSpec, graph
from training.networks.streaming import Past


def _second() -> NetworkSpec:
    return NetworkSpec(frames=48, stem=12, blocks=(24, 56, 120), top=192, level="window")


@dataclass(frozen=True)
class WindowSpec:
    """A compact network over windows of 0.96 s, the window length of its teacher.

    Parameters
    ----------
    stride
        Frames from one window to the next.
    """

    network: NetworkSpec = field(default_factory=_second)
    stride: int = 24
    labels: int = len(LABELS)

    @property
    def n_mels(self) -> int:
        return self.network.n_mels

    @property
    def frames(self) -> int:
        return self.network.frames

    @property
    def window(self) -> int:
        return self.network.frames

    @property
    def lead(self) -> int:
        """Zero: a window has no context."""
        return 0

    def graph(self, rows: Any, past: Past) -> tuple[Any, Any]:
        """See :class:`training.networks.streaming.Form`."""
        from keras import layers

        reach = past(rows, self.frames - self.stride)
        if rows.shape[1] == self.stride:
            outputs = graph(self.network, reach, self.labels)
            logits, features = (layers.Reshape((1, output.shape[-1]))(output) for output in outputs)
            return logits, features
        cut, put_together = _column_layers(self.frames, self.stride)
        logits, features = graph(self.network, cut(reach), self.labels)
        return put_together([logits, reach]), put_together([features, reach])

    def last(self, rows: Any) -> tuple[Any, Any]:
        """See :class:`training.networks.streaming.Form`."""
        from keras import layers

        window = layers.Cropping1D((rows.shape[1] - self.frames, 0))(rows)
        return graph(self.network, window, self.labels)


def _column_layers(frames: int, stride: int) -> tuple[Any, Any]:
    """Return layers that fold all windows of all sequences into the batch axis, and unfold them again."""
    import tensorflow as tf
    from keras import layers

    class Cut(layers.Layer):  # type: ignore[misc]
        def call(self, rows: Any) -> Any:
            windows = tf.signal.frame(rows, frames, stride, axis=1)
            return tf.reshape(windows, (-1, frames, rows.shape[2]))

        def compute_output_shape(self, rows: Any) -> Any:
            return (None, frames, rows[2])

    class PutTogether(layers.Layer):  # type: ignore[misc]
        def call(self, both: Any) -> Any:
            outputs, rows = both
            return tf.reshape(outputs, (tf.shape(rows)[0], -1, outputs.shape[1]))

        def compute_output_shape(self, both: Any) -> Any:
            outputs, rows = both
            columns = None if rows[1] is None else (rows[1] - frames) // stride + 1
            return (rows[0], columns, outputs[1])

    return Cut(), PutTogether()
