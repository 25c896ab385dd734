"""Windows of whole clips as the daemon would see them, and the logits of a clip."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats
from training.base.maths import db_of_power
from training.features.mel_bank import Bank
from training.fit.windows import Scaling


def clip_windows(bank: Bank, clip: int, frames: int, hop: int, floor: float) -> Floats:
    """Return the windows of one clip in dB, shape (n, frames, n_mels); a short clip is repeated."""
    length = int(bank.frames[clip])
    first = np.arange(0, max(1, length - frames + hop), hop)
    first = np.minimum(first, max(0, length - frames))
    rows = (first[:, None] + np.arange(frames)) % length
    power = bank.power[bank.first[clip] + rows]
    decibels: Floats = db_of_power(np.maximum(power, floor))
    return decibels


def clip_logits(
    model: Any, bank: Bank, clips: NDArray[np.int64], scaling: Scaling, *, frames: int, hop: int, floor: float
) -> Floats:
    """Return the mean logits of each clip over its windows, shape (clips, labels)."""
    windows = [clip_windows(bank, int(clip), frames, hop, floor) for clip in clips]
    owner = np.repeat(np.arange(len(clips)), [len(w) for w in windows])
    logits = predict(model, scaling.apply(np.concatenate(windows)))
    means: Floats = np.stack([logits[owner == i].mean(axis=0) for i in range(len(clips))])
    return means


def predict(model: Any, windows: Floats, batch: int = 256) -> Floats:
    """Return logits, shape (n, labels)."""
    parts = [np.asarray(model(windows[i : i + batch], training=False)) for i in range(0, len(windows), batch)]
    return np.concatenate(parts)
