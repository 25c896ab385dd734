"""Trimming of silence at the ends of recordings."""

from __future__ import annotations

import numpy as np

from training.base.maths import amplitude_of_db
from training.data.audio import Waveform

_SILENCE_DB = 50.0
"""dB below the peak; ESC pads its clips with digital silence."""


def sounding(samples: Waveform) -> Waveform:
    """Return the samples without digital silence at the ends."""
    audible = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * amplitude_of_db(-_SILENCE_DB))
    return samples[audible[0] : audible[-1] + 1] if len(audible) else samples
