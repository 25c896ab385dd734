"""What every training run is described by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from training.mixing.mixer import Recipe

Net = TypeVar("Net")


@dataclass(frozen=True)
class FitSpec(Generic[Net]):
    """Everything that decides a run's weights, the recordings and what else a kind of run learns from apart.

    network : what is trained; recipe : how batches are mixed; steps : batches of an epoch; batch : windows in
    one; rate : the highest of the learning rate; decay : of the weights
    """

    network: Net
    recipe: Recipe
    seed: int
    epochs: int
    steps: int
    batch: int
    rate: float
    decay: float
