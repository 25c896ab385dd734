"""Audio files as waveforms, resampled exactly as in the daemon."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from monitor.features.resample import Resampler, mono
from training.errors import DataError

Waveform = NDArray[np.float32]

RATE = 16_000
"""Sample rate of all training audio in Hz, unless a front end asks for another."""


def read(path: Path, rate: int) -> Waveform:
    """Return a file as mono float32 at ``rate``, resampled exactly as in the daemon.

    Raises
    ------
    DataError
        If the file cannot be decoded or is empty.
    """
    try:
        samples, source_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError(f"{path}: cannot be decoded ({error}); fetch the file again") from error
    if not len(samples):
        raise DataError(f"{path}: holds no audio; fetch the file again")
    resampler = Resampler(source_rate, rate)
    return np.concatenate([resampler.push(mono(samples)), resampler.flush()])
