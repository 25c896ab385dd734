"""The front ends of trained models, before their normalisation is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.features.logmel import matrix_sha256, mel_matrix
from monitor.features.spec import KaldiLogMelSpec, LogMelSpec, Normalisation
from training.base.progress import Tick
from training.data.audio import RATE
from training.data.corpora import Clip
from training.features.mel_bank import Bank, bank

HOP = 8_000
"""Samples between model windows."""
WINDOW = 32_000
"""Samples of a model window."""
_FRAME_HOP = 320


@dataclass(frozen=True)
class FrontEnd:
    """The front end before its normalisation is measured, its cache folder, and its rate in Hz."""

    spec: LogMelSpec
    cache: Path
    rate: int = RATE

    @property
    def window(self) -> int:
        return self.spec.frames * self.spec.hop

    @property
    def hop_frames(self) -> int:
        return HOP // self.spec.hop

    def cut(self, frames: int) -> FrontEnd:
        """Return it with windows of ``frames`` frames."""
        return replace(self, spec=self.spec.model_copy(update={"frames": frames}))

    def bank(self, clips: Sequence[Clip], tick: Tick) -> Bank:
        return bank(clips, self.spec, self.rate, self.cache, tick)


def default_front_end(cache: Path) -> FrontEnd:
    """Return the study's front end: 16 kHz, 32 ms Hann every 20 ms, 64 bands 50–8000 Hz, windows of 2 s."""
    spec = LogMelSpec(
        n_fft=512,
        win_length=512,
        hop=_FRAME_HOP,
        frames=WINDOW // _FRAME_HOP,
        n_mels=64,
        fmin=50.0,
        fmax=8000.0,
    )
    hashed = spec.model_copy(update={"matrix_sha256": matrix_sha256(mel_matrix(spec, RATE))})
    return FrontEnd(hashed, cache)


AUDIOSET_RATE = 32_000
"""Sample rate of EfficientAT's networks, Hz."""


@dataclass(frozen=True)
class AudioSetFrontEnd:
    """EfficientAT's front end and its cache folder."""

    spec: KaldiLogMelSpec
    cache: Path
    rate: int = AUDIOSET_RATE

    @property
    def window(self) -> int:
        return self.spec.frames * self.spec.hop

    def bank(self, clips: Sequence[Clip], tick: Tick) -> Bank:
        return bank(clips, self.spec, self.rate, self.cache, tick)


def audioset_front_end(cache: Path, frames: int) -> AudioSetFrontEnd:
    """Return EfficientAT's front end: 32 kHz, 25 ms every 10 ms, 128 bands 0–15 kHz."""
    spec = KaldiLogMelSpec(
        n_fft=1024,
        win_length=800,
        hop=320,
        frames=frames,
        n_mels=128,
        fmax=15_000.0,
        normalisation=Normalisation(mean=(-4.5,), std=(5.0,)),
    )
    hashed = spec.model_copy(update={"matrix_sha256": matrix_sha256(mel_matrix(spec, AUDIOSET_RATE))})
    return AudioSetFrontEnd(hashed, cache)
