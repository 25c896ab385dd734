"""A trained streaming network together with the package made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monitor.features.logmel import log_mel
from monitor.model.card import Card
from monitor.model.package import ModelPackage, read_package
from training.base.arrays import Floats
from training.data.audio import read
from training.data.corpora import Clip
from training.errors import DataError
from training.fit.trained import trained
from training.networks.streaming import Form


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network in its whole-sequence form, and the package made from it."""

    spec: Form
    model: Any
    package: ModelPackage
    card: Card
    state: int

    @property
    def hop_frames(self) -> int:
        assert self.card.front_end.kind == "log-mel"
        return self.card.hop // self.card.front_end.hop

    def rows(self, clips: Sequence[Clip]) -> Floats:
        """Concatenated clips as the network's input, shape (hops, frames per hop, n_mels)."""
        card, spec = self.card, self.card.front_end
        assert spec.kind == "log-mel"
        samples = np.concatenate([read(clip.path, card.sample_rate) for clip in clips])
        samples = samples[: len(samples) // card.hop * card.hop]
        frames = log_mel(samples, spec, card.sample_rate, self.hop_frames)
        return frames.reshape(-1, self.hop_frames, spec.n_mels)


def read_network(folder: Path, package: Path) -> TrainedNetwork:
    """Read a trained network from its training folder, and its package.

    Raises
    ------
    DataError
        If the training is unfinished, or the package has no state or other labels.
    PackageError
        If the package cannot be read.
    """
    spec, model = trained(folder)
    made = read_package(package)
    if made.card is None or made.card.state is None:
        raise DataError(f"{package}: is no streaming package; --package must name what the run was made into")
    if len(made.labels) != spec.labels:
        raise DataError(f"{package}: has {len(made.labels)} labels, the run {spec.labels}")
    return TrainedNetwork(spec, model, made, made.card, made.card.state)
