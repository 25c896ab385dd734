"""Synthetic audio for benchmarks, from a seed, that exercises every part of the pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from monitor.records import Samples

RATE = 22050
_SOUNDS_A_MINUTE = 6
_SUBTYPES = {".ogg": "VORBIS", ".wav": "PCM_16"}


def write_noise_and_sounds(path: Path, hours: float, seed: int) -> None:
    """Write mono audio at :data:`RATE`: noise whose level changes every minute, with sweeps over it.

    Parameters
    ----------
    path : Path
        File to write; its suffix, ``.wav`` or ``.ogg``, selects the format.
    hours : float
        Duration.
    seed : int
        Seed of the noise and the sweeps.
    """
    import soundfile

    rng = np.random.default_rng(seed)
    left = round(hours * 3600 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, subtype=_SUBTYPES[path.suffix]) as file:
        while left > 0:
            minute = _minute(rng)[:left]
            # libsndfile's Vorbis encoder overflows its stack on long blocks.
            for start in range(0, len(minute), RATE):
                file.write(minute[start : start + RATE])
            left -= len(minute)


def _minute(rng: np.random.Generator) -> Samples:
    samples = rng.standard_normal(60 * RATE, dtype=np.float32)
    samples *= np.float32(10 ** (rng.uniform(-50.0, -30.0) / 20))
    time_s = np.arange(2 * RATE) / RATE
    for _ in range(_SOUNDS_A_MINUTE):
        first_hz, last_hz = rng.uniform(200.0, 4000.0, 2)
        phase = 2 * np.pi * time_s * (first_hz + (last_hz - first_hz) * time_s / 4)
        start = int(rng.integers(len(samples) - len(time_s)))
        samples[start : start + len(time_s)] += (0.1 * np.sin(phase)).astype(np.float32)
    return samples.clip(-1.0, 1.0)
