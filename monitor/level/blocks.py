"""A linear system run over a chunk of samples at once, as products of matrices.

A recursive filter in Python is a loop over samples, and scipy is too heavy for the daemon. So a chunk
is cut into blocks, and blocks into groups. The outputs of a block are the product of its samples and
its first state with one matrix; the first states of a group's blocks follow from one product more,
and those of the groups from another. Nothing is approximated, and since every chunk has the same shape,
the bits of the result depend on the samples and the state alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.level.weighting import System
from monitor.records import Samples

GROUP = 16
"""Blocks in a group."""

Array = NDArray[np.float64]


class ChunkFilter:
    """Runs a system over chunks of one size.

    Parameters
    ----------
    system : System
        With outputs A and C.
    size : int
        Samples in a block.
    groups : int
        Groups in a chunk.
    """

    def __init__(self, system: System, size: int, groups: int) -> None:
        block = np.linalg.matrix_power(system.step, size)
        group = np.linalg.matrix_power(block, GROUP)
        self._order, self._size, self._groups = len(system.step), size, groups
        self._at_rest = np.linalg.solve(np.eye(self._order) - system.step, system.enter)
        # float32 throughout: its rounding lies 120 dB and more below the loudest component.
        self._enter = _entering(system, size)
        self._a, self._c = _outputs(system, size)
        self._in_group, self._in_chunk = _scan(block, GROUP), _scan(group, groups)
        self._from_group, self._from_chunk = _starts(block, GROUP - 1), _starts(group, groups)
        self._joined = np.zeros((groups * GROUP, size + self._order), np.float32)
        self.reset(0.0)

    def reset(self, before: float) -> None:
        """Begin a stream as if all samples until now had been ``before``: an offset makes no click."""
        self._state = (self._at_rest * before).astype(np.float32)

    def push(self, chunk: Samples) -> tuple[Samples, Samples]:
        """Filter a chunk of ``groups * GROUP * size`` samples.

        Returns
        -------
        tuple of ndarray, shape (blocks, size)
            The A-weighted and the C-weighted samples.
        """
        order, size, groups = self._order, self._size, self._groups
        blocks = chunk.reshape(groups * GROUP, size)
        local = (blocks @ self._enter).reshape(groups, GROUP * order) @ self._in_group
        inside, ends = local[:, : GROUP * order], local[:, GROUP * order :]
        starts = (ends.reshape(1, -1) @ self._in_chunk + self._state @ self._from_chunk)[0]
        inside += starts[: groups * order].reshape(groups, order) @ self._from_group
        self._state = starts[groups * order :]
        self._joined[:, :size] = blocks
        self._joined[:, size:] = inside.reshape(-1, order)
        return self._joined @ self._a, self._joined @ self._c


def _entering(system: System, size: int) -> Samples:
    """From a block's samples to what they leave in the state at its end, shape (size, order)."""
    powers = _powers(system.step, size)
    return np.array([powers[size - 1 - at] @ system.enter for at in range(size)], np.float32)


def _outputs(system: System, size: int) -> NDArray[np.float32]:
    """From a block's samples and first state to its outputs, shape (2, size + order, size)."""
    powers = _powers(system.step, size)
    matrix = np.zeros((2, size + len(system.step), size))
    for at in range(size):
        for sample in range(at):
            matrix[:, sample, at] = system.output @ powers[at - 1 - sample] @ system.enter
        matrix[:, at, at] = system.direct
        matrix[:, size:, at] = system.output @ powers[at]
    return matrix.astype(np.float32)


def _scan(step: Array, count: int) -> NDArray[np.float32]:
    """From what enters at each of ``count`` steps to the states before each and after the last."""
    order, powers = len(step), _powers(step, count)
    matrix = np.zeros((count, order, count + 1, order))
    for entry in range(count):
        for at in range(entry + 1, count + 1):
            matrix[entry, :, at] = powers[at - 1 - entry].T
    scan: NDArray[np.float32] = matrix.reshape(count * order, -1).astype(np.float32)
    return scan


def _starts(step: Array, count: int) -> NDArray[np.float32]:
    """From the first state to the states after 0, 1, … ``count`` steps, side by side."""
    starts: NDArray[np.float32] = np.hstack([power.T for power in _powers(step, count)]).astype(np.float32)
    return starts


def _powers(step: Array, count: int) -> list[Array]:
    powers: list[Array] = [np.eye(len(step))]
    for _ in range(count):
        powers.append(powers[-1] @ step)
    return powers
