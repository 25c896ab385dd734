"""The sliding window of the model's input, hop by hop."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray


class SlidingWindow:
    """Keeps the last ``length`` rows; each push returns them, oldest first, contiguous.

    The buffer is twice as long as the window and is copied down once per lap, so a push
    costs a copy of the new rows alone. Before ``length`` rows have arrived, the missing past is
    filled: ``repeat`` tiles the rows so far (a short sound fills the window, as short clips do in
    training), ``silence`` inserts ``silence`` rows.
    """

    def __init__(
        self,
        length: int,
        row_shape: tuple[int, ...],
        *,
        warmup: Literal["repeat", "silence"],
        silence: NDArray[np.float32] | float = 0.0,
    ) -> None:
        self._length = length
        self._warmup = warmup
        self._silence = silence
        self._buffer = np.zeros((2 * length, *row_shape), np.float32)
        self._end = length
        self._heard = 0

    def push(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Append rows, shape (n, *row_shape) with 1 ≤ n ≤ length, and return the window.

        The window is a view, valid until the next push.
        """
        count, buffer = len(rows), self._buffer
        if self._end + count > len(buffer):
            kept = self._length - count
            buffer[:kept] = buffer[self._end - kept : self._end]
            self._end = kept
        buffer[self._end : self._end + count] = rows
        self._end += count
        if self._heard < self._length:
            self._heard = min(self._heard + count, self._length)
            self._fill_past()
        return buffer[self._end - self._length : self._end]

    def reset(self) -> None:
        """Start a new stream without a past."""
        self._end = self._length
        self._heard = 0

    def _fill_past(self) -> None:
        missing = self._length - self._heard
        past = self._buffer[self._end - self._length : self._end - self._heard]
        if self._warmup == "silence":
            past[:] = self._silence
            return
        heard = self._buffer[self._end - self._heard : self._end]
        # Tiled backwards from the oldest row, so that the loop has one seam per lap.
        past[:] = heard[np.arange(-missing, 0) % self._heard]
