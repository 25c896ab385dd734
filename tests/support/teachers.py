"""What stands in for YAMNet, which the repository does not hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.networks.yamnet import EMBEDDING


class FakeTeacher:
    """Hears the loudness of each look, in all its numbers."""

    def __init__(self, path: Path) -> None:
        pass

    def embeddings(self, samples: np.ndarray) -> np.ndarray:
        begins = range(0, len(samples) - 15_360 + 1, 7_680)
        loudness = [np.abs(samples[at : at + 15_360]).mean() for at in begins]
        return np.array(loudness, np.float32)[:, None] * np.linspace(0.5, 1.5, EMBEDDING, dtype=np.float32)
