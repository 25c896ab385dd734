"""A network in its two forms: over a whole sequence, and hop by hop with what it keeps of the past.

The same layers run in both. Over a whole sequence (training, scoring) every layer sees zeros before
the beginning; hop by hop (the daemon) it sees the rows that it kept from the hop before. Both give
the same outputs, since no layer pads inside the sequence (but at the edges of a window, which are the
same in both), and a hop is a multiple of the stride.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Protocol

from training.networks.compact import Cost
from training.networks.compact import cost as network_cost

Past = Callable[[Any, int], Any]
"""(rows, count) → the rows with ``count`` earlier ones in front of them, along axis 1."""


class Form(Protocol):
    """What a network is, weights apart; its graph is laid over rows of frames, shape (batch, rows, n_mels).

    stride : frames to a column, which is what has outputs of its own; frames : that one column depends on
    window : frames that a training window has; lead : frames that come with it, before it
    """

    @property
    def n_mels(self) -> int: ...
    @property
    def labels(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def lead(self) -> int: ...

    def graph(self, rows: Any, past: Past) -> tuple[Any, Any]:
        """Return logits of every column, shape (batch, columns, labels), and what they are made of."""

    def last(self, rows: Any) -> tuple[Any, Any]:
        """Return the same of the last column alone, without the axis of columns, for training."""


def zeros(x: Any, count: int) -> Any:
    """The past before a sequence begins."""
    from keras import layers

    if len(x.shape) == 4:
        return layers.ZeroPadding2D(((count, 0), (0, 0)))(x)
    return layers.ZeroPadding1D((count, 0))(x)


def build(form: Form, frames: int | None = None) -> Any:
    """Return the whole-sequence form: (frames, n_mels) → logits of every column, and what they are made of.

    ``frames`` is a multiple of the form's stride; None takes any.
    """
    import keras
    from keras import layers

    rows = layers.Input((frames, form.n_mels))
    return keras.Model(rows, form.graph(rows, zeros))


def build_last(form: Form, frames: int) -> Any:
    """Return what is trained: ``frames`` → the last column's outputs; weights as in :func:`build`."""
    import keras
    from keras import layers

    rows = layers.Input((frames, form.n_mels))
    return keras.Model(rows, form.last(rows))


def streaming(model: Any, form: Form, hop_frames: int) -> Any:
    """Return the hop-by-hop form of a trained whole-sequence model.

    Inputs: the new frames, shape (hop_frames, n_mels), and the state, shape (n,); outputs: the
    logits of the newest column, shape (labels,), and the next state.
    """
    import keras
    from keras import layers, ops

    carried: list[tuple[int, ...]] = []
    build_past = _Recorder(carried)
    probe = layers.Input((hop_frames, form.n_mels), batch_size=1)
    form.graph(probe, build_past)
    total = sum(prod(shape) for shape in carried)
    rows = layers.Input((hop_frames, form.n_mels), batch_size=1, name="frames")
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

    logits, _ = form.graph(rows, past)
    newest = ops.reshape(logits[:, -1], (1, logits.shape[-1]))
    stepped = keras.Model([rows, state], [newest, ops.concatenate(kept, axis=1)])
    stepped.set_weights(model.get_weights())
    return stepped


def cost(form: Form, hop_frames: int) -> Cost:
    """Parameters, and multiply-adds of one hop: each of its columns costs the same."""
    column = network_cost(build(form, form.stride))
    return Cost(column.parameters, column.multiply_adds * hop_frames // form.stride)


class _Recorder:
    """Stands for the past while the shapes of the state are being found out."""

    def __init__(self, shapes: list[tuple[int, ...]]) -> None:
        self._shapes = shapes

    def __call__(self, x: Any, count: int) -> Any:
        from keras import ops

        self._shapes.append((count, *x.shape[2:]))
        return ops.concatenate([ops.repeat(x[:, :1], count, axis=1), x], axis=1)
