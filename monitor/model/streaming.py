"""A streaming model: it is given the frames that are new, and carries a state from hop to hop."""

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
    """A step and the state that each stream begins with; streams share it, since it never changes.

    start : shape (card.state,)
    """

    step: Step
    start: Values


class Carried:
    """One stream's state: it stands where a model of windows has its sliding window."""

    def __init__(self, model: StreamingModel) -> None:
        self._model = model
        self._state = model.start

    def push(self, rows: Values) -> Values:
        """Return what the model is given: the new rows as they are."""
        return rows

    def invoke(self, rows: Values) -> Values:
        """Return the raw outputs, shape (outputs,), and keep the next state."""
        outputs, self._state = self._model.step(rows, self._state)
        return outputs

    def reset(self) -> None:
        """Begin a stream: all before it was silence."""
        self._state = self._model.start
