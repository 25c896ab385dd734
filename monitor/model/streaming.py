"""Streaming models, which are given only the new frames and carry a state from hop to hop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Step = Callable[[Values, Values], tuple[Values, Values]]
"""(new frames, state) → (raw outputs, next state)"""


@dataclass(frozen=True)
class StreamingModel:
    """A step function and the initial state, which is shared by all streams and never modified.

    Attributes
    ----------
    start
        Initial state, shape (card.state,).
    """

    step: Step
    start: Values


class Carried:
    """The state of one stream; takes the place of the sliding window of a windowed model."""

    def __init__(self, model: StreamingModel) -> None:
        self._model = model
        self._state = model.start

    def push(self, rows: Values) -> Values:
        """Return the input of the model: the new rows, unchanged."""
        return rows

    def invoke(self, rows: Values) -> Values:
        """Return the raw outputs, shape (outputs,), and store the next state."""
        outputs, self._state = self._model.step(rows, self._state)
        return outputs

    def reset(self) -> None:
        """Begin a stream that is preceded by silence."""
        self._state = self._model.start
