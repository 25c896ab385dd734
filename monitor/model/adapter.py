"""An adapter: our linear head on the output of a third-party network, distributed without its weights.

One .npz file with ``weights.npy`` and ``bias.npy``, and with ``labels.txt`` and ``card.json`` as in a
model package. The card describes network and head together, so nothing else needs to be configured.
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
from monitor.model.archive import read_entries, write_archive
from monitor.model.arrays import npy, read_arrays
from monitor.model.card import Card
from monitor.model.classifier import Invoke
from monitor.model.package import CARD_FILE, card_files, check_labels, labels_in, parse_card, read_file

_WEIGHTS, _BIAS = "weights.npy", "bias.npy"
_MOST_BYTES = 16 << 20
_CLOSE = 0.05
"""How far a logit of the probe may lie from the recorded one: runtimes and machines differ by 1e-3."""


class Network(Frozen):
    """The network that an adapter was fitted on.

    Attributes
    ----------
    name
        Name for display.
    size
        Number of values of the output that is read.
    gives
        ``embedding`` is used as it is, ``scores`` (0 … 1) as log-odds.
    probe
        Logits of network and head for :func:`probe_window`; they distinguish the network from others of
        the same shape.
    """

    name: str
    size: PositiveInt
    gives: Literal["embedding", "scores"]
    probe: tuple[float, ...]


class AdapterCard(Card):
    """The card of a model that consists of a third-party network and our head."""

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
    """A validated adapter.

    Attributes
    ----------
    weights
        float32, shape (labels, network.size).
    bias
        float32, shape (labels,).
    """

    path: Path
    card: AdapterCard
    labels: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def on(self, network: Invoke) -> Invoke:
        """Return the complete model, which maps a window to one logit per label."""
        weights, bias, log_odds = self.weights, self.bias, self.card.network.gives == "scores"

        def invoke(window: NDArray[np.float32]) -> NDArray[np.float32]:
            given = network(window)
            logits: NDArray[np.float32] = weights @ (to_log_odds(given) if log_odds else given) + bias
            return logits

        return invoke

    def check_network(self, invoke: Invoke, model: Path) -> None:
        """Check that the network is the one named in the card.

        Parameters
        ----------
        invoke
            The complete model as returned by :meth:`on`.

        Raises
        ------
        PackageError
            Its logits for the probe differ.
        """
        far = np.abs(invoke(probe_window(self.card.window)) - self.card.network.probe).max()
        # Written so that NaN is refused too.
        if not far <= _CLOSE:
            raise PackageError(
                f"{model}: is not the network that {self.path} was fitted on ({self.card.network.name}): "
                f"logits differ by {far:.3g}"
            )


def to_log_odds(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``log(p / (1 − p))``, clipped to ±16."""
    safe = np.clip(scores, 1e-7, 1.0 - 1e-7)
    odds: NDArray[np.float32] = np.log(safe / (1.0 - safe)).astype(np.float32)
    return odds


def probe_window(samples: int) -> NDArray[np.float32]:
    """Return seeded noise by which a network is identified."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(samples)
    return noise.astype(np.float32)


def read_adapter(path: Path) -> Adapter:
    """Read and validate an adapter without its network.

    Raises
    ------
    PackageError
        The file is missing, not an adapter, or an unsafe or damaged archive; the card is invalid; labels or
        weights contradict it; or values are not finite.
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
    """Write an adapter to its path; the same input gives the same bytes.

    Raises
    ------
    PackageError
        See :func:`read_adapter`.
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
