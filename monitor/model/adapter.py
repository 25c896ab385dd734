"""An adapter: a linear head of ours on what a third party's network gives, without that network's weights.

One .npz file: ``weights.npy`` and ``bias.npy``, with ``labels.txt`` and ``card.json`` beside them as in
a model package. The card is that of network and head together, so nothing else needs to be configured.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt, model_validator

from monitor.errors import PackageError
from monitor.features.spec import Frozen
from monitor.model.arrays import npy, read_arrays
from monitor.model.card import Card
from monitor.model.classifier import Invoke
from monitor.model.package import (
    CARD_FILE,
    card_files,
    check_labels,
    labels_in,
    parse_card,
    read_entries,
    read_file,
    write_archive,
)

_WEIGHTS, _BIAS = "weights.npy", "bias.npy"
_MOST_BYTES = 16 << 20
_CLOSE = 0.05
"""How far a logit of the probe may lie from the recorded one: runtimes and machines differ by 1e-3."""


class Network(Frozen):
    """The network that an adapter was fitted on.

    name : for people; size : numbers of the output that is read
    gives : ``embedding`` is taken as it is, ``scores`` (0 … 1) as log-odds
    probe : logits that network and head together give for :func:`probe_window`; another network
        of the same shape is known by them
    """

    name: str
    size: PositiveInt
    gives: Literal["embedding", "scores"]
    probe: tuple[float, ...]


class AdapterCard(Card):
    """A card whose model is a network of somebody else with a head of ours."""

    network: Network

    @model_validator(mode="after")
    def _fits(self) -> AdapterCard:
        if self.front_end.kind != "waveform":
            raise ValueError(f"front_end is {self.front_end.kind}; an adapter's network takes a waveform")
        if self.output != "logits":
            raise ValueError(f"output is {self.output}; a linear head gives logits")
        return self


@dataclass(frozen=True)
class Adapter:
    """A checked adapter.

    weights : float32, shape (labels, network.size); bias : float32, shape (labels,)
    """

    path: Path
    card: AdapterCard
    labels: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def on(self, network: Invoke) -> Invoke:
        """Return the whole model: a window to a logit per label."""
        weights, bias, log_odds = self.weights, self.bias, self.card.network.gives == "scores"

        def invoke(window: NDArray[np.float32]) -> NDArray[np.float32]:
            given = network(window)
            logits: NDArray[np.float32] = weights @ (to_log_odds(given) if log_odds else given) + bias
            return logits

        return invoke

    def check_network(self, invoke: Invoke, model: Path) -> None:
        """Refuse a network that is not the one of the card; ``invoke`` is that of :meth:`on`.

        Raises
        ------
        PackageError : its logits for the probe are others
        """
        far = np.abs(invoke(probe_window(self.card.window)) - self.card.network.probe).max()
        # Written so that a difference that is no number is refused too.
        if not far <= _CLOSE:
            raise PackageError(
                f"{model}: is not the network that {self.path} was fitted on ({self.card.network.name}): "
                f"logits differ by {far:.3g}"
            )


def to_log_odds(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """``log(p / (1 − p))``, kept to ±16."""
    safe = np.clip(scores, 1e-7, 1.0 - 1e-7)
    odds: NDArray[np.float32] = np.log(safe / (1.0 - safe)).astype(np.float32)
    return odds


def probe_window(samples: int) -> NDArray[np.float32]:
    """Seeded noise by which a network is known."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(samples)
    return noise.astype(np.float32)


def read_adapter(path: Path) -> Adapter:
    """Read and check an adapter without a network.

    Raises
    ------
    PackageError : missing, no adapter, an unsafe or damaged archive, an invalid card, labels or
        weights that contradict it, values that are not finite
    """
    data = read_file(path, _MOST_BYTES, "model.adapter", "an .npz adapter")
    _, entries = read_entries(path, data)
    if CARD_FILE not in entries:
        raise PackageError(f"{path}: holds no {CARD_FILE}; model.adapter must name an .npz adapter")
    card = parse_card(path, entries[CARD_FILE], AdapterCard)
    labels = labels_in(path, entries)
    check_labels(path, labels, card)
    adapter = Adapter(path, card, labels, *read_arrays(path, data, _WEIGHTS, _BIAS))
    _check(adapter)
    return adapter


def write_adapter(adapter: Adapter) -> None:
    """Write an adapter at its path; the same input gives the same bytes.

    Raises
    ------
    PackageError : see :func:`read_adapter`
    """
    _check(adapter)
    files: dict[str, str | bytes] = {**card_files(adapter.path, adapter.labels, adapter.card)}
    files |= {_WEIGHTS: npy(adapter.weights), _BIAS: npy(adapter.bias)}
    write_archive(adapter.path, b"", files)


def _check(adapter: Adapter) -> None:
    labels, size = len(adapter.labels), adapter.card.network.size
    shapes = (adapter.weights.shape, adapter.bias.shape, (len(adapter.card.network.probe),))
    if shapes != ((labels, size), (labels,), (labels,)):
        raise PackageError(
            f"{adapter.path}: weights, bias and probe have shapes {shapes}; {labels} labels on {size} "
            f"numbers need {((labels, size), (labels,), (labels,))}"
        )
    if not (np.isfinite(adapter.weights).all() and np.isfinite(adapter.bias).all()):
        raise PackageError(f"{adapter.path}: holds weights that are not finite; fit it again")
