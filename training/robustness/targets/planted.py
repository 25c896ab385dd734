"""Synthetic controls: networks with a known nearest boundary, which verify the attacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from training.data.corpora import CLASSES, Clip
from training.records.jobs import Job
from training.robustness.targets.networks import Target

FRAMES, BANDS, CLIPS = 4, 6, 12
MARGINS_DB = {"planted weak": 0.3, "planted robust": 2.0}
"""Margins in every bin: 0.5 dB fools the weak one, the robust one withstands 1 dB."""
_LOUD, _QUIET = CLASSES.index("siren"), CLASSES.index("car_horn")
_MEAN_DB = -40.0


def planted(name: str, margin_db: float, wrong: int = 0) -> Target:
    """Return a network that separates two classes by their mean level, and clips of them.

    The smallest successful change is ``margin_db`` in every bin. The first ``wrong`` clips are
    misclassified.
    """
    rng = np.random.default_rng(0)
    truth = np.array([_LOUD, _QUIET] * (CLIPS // 2))
    side = np.where(truth == _LOUD, 1.0, -1.0) * np.where(np.arange(CLIPS) < wrong, -1.0, 1.0)
    noise = rng.standard_normal((CLIPS, FRAMES, BANDS))
    noise -= noise.mean(axis=(1, 2), keepdims=True)
    decibels = (_MEAN_DB + noise + margin_db * side[:, None, None]).astype(np.float32)
    clips = tuple(
        Clip(Path(f"{i}.wav"), "planted", str(i), CLASSES[label], 1) for i, label in enumerate(truth)
    )
    return Target(Job("honest", name, 1, 0), clips, decibels, lambda rows: by_level, None)


def by_level(decibels: Any) -> Any:
    """Return the synthetic control's logits; only its two classes are competitive."""
    import tensorflow as tf

    level = tf.reduce_mean(tf.cast(decibels, tf.float32), axis=(1, 2)) - _MEAN_DB
    columns = [tf.fill(tf.shape(level), -1e3)] * len(CLASSES)
    columns[_LOUD], columns[_QUIET] = level, -level
    return tf.stack(columns, axis=1)
