"""Linear heads on a model's embedding: labels taught after the model was trained.

One .npz file with ``weights.npy`` (labels × embedding) and ``bias.npy``, float32, and with
``labels.txt`` and ``card.json`` as in a model package; a head that rejects may have ``centre.npy``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt

from monitor.errors import PackageError
from monitor.features.spec import Frozen
from monitor.model.archive import read_entries, write_archive
from monitor.model.arrays import npy, read_arrays
from monitor.model.card import Card, ClassCard, Document, MultiHeadCard
from monitor.model.classifier import Classifier, input_shape
from monitor.model.heads import ModelOutputs, Values, sigmoid, split
from monitor.model.package import CARD_FILE, LABELS_FILE, label_lines, labels_in, parse_card, read_file

_WEIGHTS, _BIAS, _CENTRE = "weights.npy", "bias.npy", "centre.npy"
_MOST_BYTES = 16 << 20
_CLOSE = 0.05
"""Share of what the embedding adds to the recorded logits by which those of the probe may differ; runtimes
differ by less."""


class Expected(Frozen):
    """What was measured of a head when it was taught.

    Attributes
    ----------
    examples
        Number of recordings or moments it was taught from.
    found
        How many of them heads fitted without them find.
    background_hours
        Length of the background.
    alarms_a_day, low, high
        Alarms that the background raised, with their 95 % interval; of a rejecting head, 0.
    lost
        Of a rejecting head: share of the other moments that it would reject, fitted without them.
    """

    examples: PositiveInt
    found: int
    background_hours: float
    alarms_a_day: float = 0.0
    low: float = 0.0
    high: float = 0.0
    lost: float = 0.0


class HeadCard(Document):
    """The card of a linear head.

    Attributes
    ----------
    model
        Name and version of the package the head was fitted on, for display.
    size
        Number of values of the embedding.
    probe
        Logits of the head for :func:`probe_embedding`; they identify the model.
    classes
        Settings by label, as in a model's card; empty for a rejecting head.
    rejects
        Labels that make no events where the head rejects; empty for a head that scores labels of its own.
    centred
        Whether the head has a ``centre``, see :class:`LinearHead`.
    expected
        None if the head was not taught from examples.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    version: str
    created: str
    model: str
    size: PositiveInt
    probe: tuple[float, ...]
    temperature: PositiveFloat = 1.0
    classes: dict[str, ClassCard]
    rejects: tuple[str, ...] = ()
    centred: bool = False
    expected: Expected | None = None


@dataclass(frozen=True)
class LinearHead:
    """A validated linear head; implements :class:`~monitor.model.heads.Head`.

    Attributes
    ----------
    weights
        float32, shape (labels, card.size).
    bias
        float32, shape (labels,).
    centre
        Of a head that rejects: a logit must exceed the distance of the embedding from it; float32, shape
        (card.size,). None where a logit must exceed 0.
    """

    path: Path
    card: HeadCard
    labels: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    centre: NDArray[np.float32] | None = None

    @property
    def classes(self) -> Mapping[str, ClassCard]:
        return self.card.classes

    def scores(self, outputs: ModelOutputs) -> Values:
        """Return ``sigmoid((weights · embedding + bias) / temperature)``, shape (labels,)."""
        assert outputs.embedding is not None  # the model was checked
        return sigmoid(self.logits(outputs.embedding) / np.float32(self.card.temperature))

    def logits(self, embedding: Values) -> Values:
        logits: Values = self.weights @ embedding + self.bias
        return logits

    def rejects(self, embedding: Values) -> bool:
        """Return whether this is the sound that a rejecting head was taught."""
        least = 0.0 if self.centre is None else float(np.linalg.norm(embedding - self.centre))
        return bool((self.logits(embedding) > least).any())

    def check_model(self, embedding: Values | None, model: str) -> None:
        """Check that a model is the one the head was fitted on.

        Parameters
        ----------
        embedding
            The model's embedding of the probe, see :func:`probe_embedding`.
        model
            Name of the model, for the error message.

        Raises
        ------
        PackageError
            The model has no embedding, one of a different size, or leads to different logits.
        """
        size = 0 if embedding is None else len(embedding)
        if embedding is None or size != self.card.size:
            raise PackageError(
                f"{self.path}: was fitted on an embedding of {self.card.size} numbers ({self.card.model}); "
                f"model {model} has {size or 'none'}"
            )
        probe = np.array(self.card.probe, np.float32)
        far = np.abs(self.logits(embedding) - probe).max()
        # Written so that NaN is refused too.
        if not far <= _CLOSE * max(1.0, np.abs(probe - self.bias).max()):
            raise PackageError(
                f"{self.path}: was fitted on {self.card.model}, not on model {model}: logits differ by "
                f"{far:.3g}; teach it again"
            )


def probe_embedding(card: Card, classifier: Classifier) -> Values | None:
    """Return the embedding of seeded noise, which identifies a model; None if it has no embedding."""
    if not isinstance(card, MultiHeadCard) or card.outputs.embedding is None:
        return None
    noise = np.random.default_rng(0).standard_normal(input_shape(card)).astype(np.float32)
    return split(card, classifier.invoke(noise)).embedding


def read_linear_head(path: Path) -> LinearHead:
    """Read and validate a head without its model.

    Raises
    ------
    PackageError
        The file is missing, not a head, or an unsafe or damaged archive; the card is invalid; labels or
        weights contradict it; or values are not finite.
    """
    data = read_file(path, _MOST_BYTES, "the path", "an .npz head")
    _, entries = read_entries(path, data)
    if CARD_FILE not in entries:
        raise PackageError(f"{path}: holds no {CARD_FILE}; it is no head of sound-monitor")
    card = parse_card(path, entries[CARD_FILE], HeadCard)
    names = (_WEIGHTS, _BIAS, *([_CENTRE] if card.centred else []))
    head = LinearHead(path, card, labels_in(path, entries), *read_arrays(path, data, *names))
    _check(head)
    return head


def write_linear_head(head: LinearHead) -> None:
    """Write a head to its path atomically; the same input gives the same bytes.

    Raises
    ------
    PackageError
        See :func:`read_linear_head`.
    """
    _check(head)
    write_archive(
        head.path,
        b"",
        {
            LABELS_FILE: label_lines(head.labels),
            CARD_FILE: head.card.model_dump_json(by_alias=True, indent=1) + "\n",
            _WEIGHTS: npy(head.weights),
            _BIAS: npy(head.bias),
            **({} if head.centre is None else {_CENTRE: npy(head.centre)}),
        },
    )


def _check(head: LinearHead) -> None:
    labels, size = len(head.labels), head.card.size
    if not head.card.rejects and set(head.labels) != set(head.card.classes):
        odd = ", ".join(sorted(set(head.labels) ^ set(head.card.classes)))
        raise PackageError(f"{head.path}: {LABELS_FILE} and the card disagree on: {odd}")
    shapes = (head.weights.shape, head.bias.shape, (len(head.card.probe),))
    if shapes != ((labels, size), (labels,), (labels,)):
        raise PackageError(
            f"{head.path}: weights, bias and probe have shapes {shapes}; {labels} labels on {size} "
            f"numbers need {((labels, size), (labels,), (labels,))}"
        )
    centre = head.centre
    if (centre is not None) != head.card.centred or (centre is not None and centre.shape != (size,)):
        raise PackageError(
            f"{head.path}: {_CENTRE} and the card disagree; it has {size} numbers or is absent"
        )
    arrays = (head.weights, head.bias, *(() if centre is None else (centre,)))
    if not all(np.isfinite(array).all() for array in arrays):
        raise PackageError(f"{head.path}: holds weights that are not finite; teach it again")
