"""Settings of the study's features, and the presets that it compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from monitor.features.spec import LogMelSpec

Kind = Literal["log-mel", "mfcc", "seed-frames", "seed-mel"]
Fill = Literal["repeat", "pad"]

FMIN_HZ = 50.0
SEED_CONTRAST_COLUMNS = 7
SEED_SCALARS = 5
"""zero crossings, RMS, centroid, bandwidth, roll-off"""
_ORDERS = 3
"""the coefficients and their first and second differences"""


@dataclass(frozen=True)
class FeatureSpec:
    """Settings that turn a clip of any length into an array of one shape.

    Attributes
    ----------
    kind
        ``log-mel`` (the monitor's front end), ``mfcc`` (its cosine transform), ``seed-frames`` (the
        published study's 165 columns) or ``seed-mel`` (its CNN's input, dB relative to the clip's maximum).
    rate
        Hz.
    n_fft, hop
        Samples.
    deltas
        Add first and second differences to MFCCs.
    seconds
        Length of the array; a longer clip is cut.
    fill
        A shorter clip is extended by its own frames (``repeat``), or by digital silence before the
        analysis (``pad``).
    denoise
        Spectral gating before the analysis.
    """

    kind: Kind
    rate: int
    n_fft: int
    hop: int
    n_mels: int
    n_mfcc: int = 0
    deltas: bool = False
    seconds: float = 4.0
    fill: Fill = "repeat"
    denoise: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.n_fft:
            raise ValueError(f"hop {self.hop} must be 1 … n_fft {self.n_fft} samples")
        if (self.n_mfcc > 0) is not (self.kind in ("mfcc", "seed-frames")) or self.n_mfcc > self.n_mels:
            raise ValueError(f"{self.n_mfcc} MFCCs do not fit {self.kind} with {self.n_mels} mel bands")
        if self.deltas and self.kind != "mfcc":
            raise ValueError(f"{self.kind} has no deltas; they belong to mfcc")
        if self.frames < 1:
            raise ValueError(f"{self.seconds:g} s hold no frame of hop {self.hop}")

    @property
    def frames(self) -> int:
        # The small term makes 4 s × 16 kHz / 320 equal 200 despite rounding.
        return int(self.seconds * self.rate / self.hop + 1e-9)

    @property
    def columns(self) -> int:
        if self.kind == "seed-frames":
            return self.n_mels + SEED_SCALARS + SEED_CONTRAST_COLUMNS + self.n_mfcc
        if self.kind == "mfcc":
            return self.n_mfcc * (_ORDERS if self.deltas else 1)
        return self.n_mels

    @property
    def shape(self) -> tuple[int, int]:
        """(frames, columns) of every clip."""
        return self.frames, self.columns

    def log_mel(self) -> LogMelSpec:
        """Return the monitor's front end with these settings, before normalisation."""
        return LogMelSpec(
            n_fft=self.n_fft,
            win_length=self.n_fft,
            hop=self.hop,
            frames=self.frames,
            n_mels=self.n_mels,
            fmin=FMIN_HZ,
            fmax=self.rate / 2,
        )


presets: Mapping[str, FeatureSpec] = MappingProxyType({
    "log-mel": FeatureSpec("log-mel", 16_000, 512, 320, 64),
    "mfcc": FeatureSpec("mfcc", 16_000, 512, 320, 64, n_mfcc=20, deltas=True),
    # n_fft = int(22050 × 0.0232), hop = half of it: (345, 165)
    "seed-frames": FeatureSpec("seed-frames", 22_050, 511, 255, 128, n_mfcc=25),
    # 128 frames of 512 samples are 2.97 s: the rest of a 4 s clip is not used
    "seed-mel": FeatureSpec("seed-mel", 22_050, 2048, 512, 128, seconds=128 * 512 / 22_050),
})  # fmt: skip
"""Named settings; the ablation derives variants by ``dataclasses.replace``."""
