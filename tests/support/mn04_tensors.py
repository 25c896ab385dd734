"""Tensors for mn04 under their published names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write_tensors(model: Any, path: Path, seed: int = 0) -> None:
    """Write random tensors of every layer under their published names and layouts."""
    import keras

    rng, tensors = np.random.default_rng(seed), {}
    for layer in model.layers:
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if isinstance(layer, keras.layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            values = [rng.uniform(0.5, 1.5, shape) for shape in shapes]
            tensors |= {f"{layer.name}.{part}": value for part, value in zip(parts, values, strict=True)}
        elif isinstance(layer, keras.layers.Dense):
            tensors[f"{layer.name}.weight"] = rng.normal(0, 0.05, shapes[0]).T
            tensors[f"{layer.name}.bias"] = rng.normal(0, 0.05, shapes[1])
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            tensors[f"{layer.name}.weight"] = rng.normal(0, 0.2, shapes[0]).transpose(2, 3, 1, 0)
        elif shapes:
            tensors[f"{layer.name}.weight"] = rng.normal(0, 0.1, shapes[0]).transpose(3, 2, 1, 0)
    np.savez(path, **{name: value.astype(np.float32) for name, value in tensors.items()})
