"""A network in two forms: over a whole sequence, and hop by hop with explicit state.

Both forms share the layers. Over a whole sequence (training, scoring) each layer sees zeros before
the beginning; hop by hop (the daemon) it sees the rows retained from the previous hop. The outputs
are equal, since no layer pads inside the sequence (except at the edges of a window, identically in
both) and a hop is a multiple of the stride.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Protocol

from training.networks.compact import Cost
from training.networks.compact import cost as network_cost

Past = Callable[[Any, int], Any]
"""(rows, count) → the rows preceded by ``count`` earlier ones, along axis 1."""


class Form(Protocol):
    """A network's architecture without weights; its graph applies to frames, shape (batch, rows, n_mels).

    Parameters
    ----------
    stride
        Frames per column, the unit that has outputs of its own.
    frames
        Receptive field of one column in frames.
    window
        Frames of a training window.
    lead
        Frames of context before a training window.
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
        """Return logits of every column, shape (batch, columns, labels), and the features behind them."""

    def last(self, rows: Any) -> tuple[Any, Any]:
        """Return the same for the last column only, without the column axis, for training."""


def zeros(x: Any, count: int) -> Any:
    """Return the zeros that stand for the past before a sequence begins."""
    from keras import layers

    if len(x.shape) == 4:
        return layers.ZeroPadding2D(((count, 0), (0, 0)))(x)
    return layers.ZeroPadding1D((count, 0))(x)


def build(form: Form, frames: int | None = None) -> Any:
    """Return the whole-sequence form: (frames, n_mels) → logits and features of every column.

    ``frames`` is a multiple of the form's stride; None accepts any.
    """
    import keras
    from keras import layers

    rows = layers.Input((frames, form.n_mels))
    return keras.Model(rows, form.graph(rows, zeros))


def build_last(form: Form, frames: int) -> Any:
    """Return the training form: ``frames`` → the last column's outputs; weights as in :func:`build`."""
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
    """Return parameters and multiply-adds per hop; every column costs the same."""
    column = network_cost(build(form, form.stride))
    return Cost(column.parameters, column.multiply_adds * hop_frames // form.stride)


class _Recorder:
    """Replaces the past while the shapes of the state are determined."""

    def __init__(self, shapes: list[tuple[int, ...]]) -> None:
        self._shapes = shapes

    def __call__(self, x: Any, count: int) -> Any:
        from keras import ops

        self._shapes.append((count, *x.shape[2:]))
        return ops.concatenate([ops.repeat(x[:, :1], count, axis=1), x], axis=1)
