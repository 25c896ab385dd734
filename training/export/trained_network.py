"""A trained network together with the package made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monitor.features.logmel import log_mel
from monitor.features.spec import LogMelSpec
from monitor.model.card import Card
from monitor.model.package import ModelPackage, read_package
from training.base.arrays import Floats
from training.data.audio import read
from training.data.corpora import Clip
from training.errors import DataError
from training.fit.trained import trained


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network, the package made from it, and the package's card and front end."""

    model: Any
    package: ModelPackage
    card: Card
    front_end: LogMelSpec

    def windows(self, clips: Sequence[Clip], most: int) -> Floats:
        """Return the input at each hop of the concatenated clips, shape (≤ most, frames, n_mels)."""
        card, spec = self.card, self.front_end
        samples = np.concatenate([read(clip.path, card.sample_rate) for clip in clips])
        samples = np.resize(samples, max(len(samples), card.window))[: card.window + (most - 1) * card.hop]
        hop_frames = card.hop // spec.hop
        frames = log_mel(samples, spec, card.sample_rate, hop_frames)
        first = np.arange(0, len(frames) - spec.frames + 1, hop_frames)
        windows: Floats = frames[first[:, None] + np.arange(spec.frames)]
        return windows


def read_network(folder: Path, package: Path) -> TrainedNetwork:
    """Read a trained network from its training folder, and its package.

    Raises
    ------
    DataError
        If the training is unfinished, or the package was not made from such a run.
    PackageError
        If the package cannot be read.
    """
    model = trained(folder)
    made = read_package(package)
    if made.card is None or not isinstance(made.card.front_end, LogMelSpec) or made.card.state is not None:
        raise DataError(
            f"{package}: takes no windows of log-mel; --package must name what the run was made into"
        )
    outputs = int(model.output_shape[-1])
    if len(made.labels) != outputs:
        raise DataError(f"{package}: has {len(made.labels)} labels, the run {outputs}")
    return TrainedNetwork(model, made, made.card, made.card.front_end)
