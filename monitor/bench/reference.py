"""Run another model's inference on the same audio, to compare the monitor's cost with it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from monitor.features.resample import Resampler
from monitor.model.package import read_package
from monitor.model.runtime import Runtime
from monitor.records import Samples

RATE = 16000
HOP_S = 0.48
"""Input rate and hop of YAMNet as its authors use it."""


class Reference:
    """A model of waveforms at :data:`RATE` Hz, run every :data:`HOP_S` seconds on one thread.

    Its inference alone is timed.

    Parameters
    ----------
    path : Path
        The ``.tflite`` file.

    Raises
    ------
    PackageError
        If it is not a TFLite model or cannot be loaded.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._runtime = Runtime(read_package(path).flatbuffer, path, outputs=0, threads=1)
        self._step = round(HOP_S * RATE)
        self.cpu_s = 0.0
        self.windows = 0

    def begin(self, source_rate: int) -> None:
        """Start a new recording with a sample rate of ``source_rate`` Hz."""
        self._resampler = Resampler(source_rate, RATE)
        self._audio: Samples = np.zeros(self._runtime.input_size - self._step, np.float32)

    def push(self, audio: Samples) -> None:
        """Add mono audio and run the model at every hop that it completes."""
        audio = np.concatenate([self._audio, self._resampler.push(audio)])
        size, step = self._runtime.input_size, self._step
        starts = range(0, len(audio) - size + 1, step)
        began = time.process_time()
        for start in starts:
            self._runtime.run(audio[start : start + size])
        self.cpu_s += time.process_time() - began
        self.windows += len(starts)
        self._audio = audio[len(starts) * step :]
