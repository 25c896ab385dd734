"""A bounded number of items, evenly spread over a sequence: the embeddings that are kept of a sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

MOST_ROWS = 16
"""Embeddings stored with an event or a marked moment."""

_Item = TypeVar("_Item")


class EvenSample(Generic[_Item]):
    """Keeps at most so many items of a sequence whose length is not known, evenly spread over it.

    Each time it is full, every second item is dropped, and from then on half as many are taken.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._step = 1
        self._seen = 0
        self.kept: list[_Item] = []

    def push(self, item: _Item) -> None:
        if self._seen % self._step == 0:
            if len(self.kept) == self._most:
                self.kept = self.kept[::2]
                self._step *= 2
            if self._seen % self._step == 0:
                self.kept.append(item)
        self._seen += 1


def evenly(found: Sequence[_Item], most: int = MOST_ROWS) -> list[_Item]:
    """Return at most so many of a sequence, evenly spread, the first among them."""
    step = max(1, -(-len(found) // most))
    return list(found[::step])
