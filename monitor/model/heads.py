"""Heads: how the columns of scores are computed from the outputs of one inference.

The class head scores the model's own labels. Extra heads add columns after them: sounds of the
``sounds`` output that the configuration asks for (:class:`SoundsHead`), and linear heads on the
embedding (:mod:`monitor.model.linear`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.model.card import Card, ClassCard, MultiHeadCard

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ModelOutputs:
    """The outputs of one inference; None where the model has no such output.

    Attributes
    ----------
    classes
        Raw outputs of the labels, shape (labels,), of the kind given by the card's ``output``.
    sounds
        Logits, shape (sounds,).
    embedding
        Shape (n,).
    """

    classes: Values | None = None
    sounds: Values | None = None
    embedding: Values | None = None


class Rejecting(Protocol):
    """Recognises a sound that is to raise no alarm."""

    def rejects(self, embedding: Values) -> bool: ...


class Head(Protocol):
    """Labels in addition to the model's own, scored from the outputs of the same inference.

    Attributes
    ----------
    labels
        One per column, in the order of :meth:`scores`.
    classes
        Settings of each label, as a card has them for its own labels.
    """

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def classes(self) -> Mapping[str, ClassCard]: ...

    def scores(self, outputs: ModelOutputs) -> Values:
        """Return a score per label, shape (labels,), 0 … 1."""


def split(card: Card, raw: Values) -> ModelOutputs:
    """Split the concatenated outputs of one inference."""
    if not isinstance(card, MultiHeadCard):
        return ModelOutputs(classes=raw)
    parts: dict[str, Values] = {}
    start = 0
    for name in ("classes", "sounds", "embedding"):
        size = getattr(card.outputs, name)
        if size is not None:
            parts[name] = raw[start : start + size]
            start += size
    return ModelOutputs(**parts)


class SupportedClasses:
    """The logits of the classes, combined with those of the ``sounds`` output.

    Parameters
    ----------
    card
        The model's card; labels without an entry in ``support`` are scored by the class head alone.
    labels
        Labels of the scores, in order.
    sounds
        Labels of the ``sounds`` output, in order.
    """

    def __init__(self, card: MultiHeadCard, labels: Sequence[str], sounds: Sequence[str]) -> None:
        supports = [card.support.get(label) for label in labels]
        self._head = np.array([1.0 if one is None else one.head for one in supports], np.float32)
        self._bias = np.array([0.0 if one is None else one.bias for one in supports], np.float32)
        self._supported = [
            (column, np.float32(one.weight), _indices(one.labels, sounds))
            for column, one in enumerate(supports)
            if one is not None
        ]

    def logits(self, outputs: ModelOutputs) -> Values:
        """Return ``head · class + weight · max(sounds) + bias`` of each label, shape (labels,)."""
        logits: Values = self._bias.copy()
        if outputs.classes is not None:
            logits += self._head * outputs.classes
        for column, weight, indices in self._supported:
            assert outputs.sounds is not None  # the card was checked
            logits[column] += weight * outputs.sounds[indices].max()
        return logits


class SoundsHead:
    """Sounds of the ``sounds`` output: the card's curated ones, or any label under its own name.

    Parameters
    ----------
    sounds
        Labels of the output, in order.
    names
        Names of the columns.

    Raises
    ------
    KeyError
        A name is neither a curated sound nor a label.
    """

    def __init__(self, card: MultiHeadCard, sounds: Sequence[str], names: Sequence[str]) -> None:
        index = {label: i for i, label in enumerate(sounds)}
        self.labels = tuple(names)
        self.classes: Mapping[str, ClassCard] = {
            name: card.sounds.get(name, card.other_sounds) for name in names
        }
        self._groups = [
            _indices(card.sounds[name].labels, sounds) if name in card.sounds else np.array([index[name]])
            for name in names
        ]

    def scores(self, outputs: ModelOutputs) -> Values:
        """Return the highest score of each column's labels, shape (labels,), 0 … 1."""
        assert outputs.sounds is not None
        return sigmoid(np.array([outputs.sounds[group].max() for group in self._groups], np.float32))


def sigmoid(logits: Values) -> Values:
    """Return ``1 / (1 + e^−x)``, computed with tanh, which cannot overflow."""
    result: Values = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * logits)
    return result


def _indices(labels: Sequence[str], sounds: Sequence[str]) -> NDArray[np.intp]:
    return np.array([sounds.index(label) for label in labels], np.intp)
