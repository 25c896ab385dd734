"""Front ends in place of the one that ships: another rate, window, hop, number of bands, or PCEN."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.features.logmel import matrix_sha256, mel_matrix
from training.base.arrays import Floats
from training.base.maths import amplitude_of_db
from training.data.audio import RATE
from training.features.front_end import FrontEnd, default_front_end
from training.fit.windows import Scaling, measure_scaling
from training.mixing.mixer import Mixer

_LOUD = 2.0**31
"""PCEN's constants were chosen for amplitudes of 32-bit integers."""


@dataclass(frozen=True)
class Front:
    """The front end that ships, with any of it changed.

    rate : Hz, of which half is heard; frame_ms : between frames
    pcen : per-channel energy normalisation in place of decibels
    """

    rate: int = RATE
    frame_ms: int = 20
    bands: int = 64
    pcen: bool = False

    def front_end(self, cache: Path, frames: int) -> FrontEnd:
        """Return it with frames of the same length in seconds, whatever the rate, so many a window."""
        base = default_front_end(cache)
        length, hop = base.spec.n_fft * self.rate // base.rate, self.rate * self.frame_ms // 1000
        spec = base.spec.model_copy(
            update={
                "n_fft": length,
                "win_length": length,
                "hop": hop,
                "frames": frames,
                "n_mels": self.bands,
                "fmax": base.spec.fmax * self.rate / base.rate,
            }
        )
        hashed = spec.model_copy(update={"matrix_sha256": matrix_sha256(mel_matrix(spec, self.rate))})
        return FrontEnd(hashed, cache, self.rate)

    def in_frames(self, base_frames: int) -> int:
        """As many seconds as ``base_frames`` of the front end that ships."""
        return base_frames * Front().frame_ms // self.frame_ms

    def scaling(self, mixer: Mixer, seed: int) -> Scaling:
        """Measure what turns the mixer's decibels into what the network sees."""
        decibels = measure_scaling(mixer, seed)
        if not self.pcen:
            return decibels
        raw = Pcen(decibels.mean * 0, 1.0, self.frame_ms / 1000)
        windows, _ = mixer.batch(256, np.random.default_rng((seed, 10**6)))
        seen = raw.apply(windows)
        mean = seen.mean(axis=(0, 1))
        return Pcen(mean, float((seen - mean).std()), raw.frame_s)


@dataclass(frozen=True)
class Pcen(Scaling):
    """Per-channel energy normalisation of frames in decibels, librosa's constants, then scaled.

    Reference: Wang et al., Trainable Frontend for Robust and Far-Field Keyword Spotting, 2017.
    """

    frame_s: float

    def apply(self, decibels: Floats) -> Floats:
        import librosa

        amplitude = amplitude_of_db(decibels.astype(np.float32)) * _LOUD
        # librosa wants frames per second, and takes them from a rate and a hop.
        seen = librosa.pcen(amplitude, sr=round(1 / self.frame_s), hop_length=1, axis=-2)
        return super().apply(seen.astype(np.float32))
