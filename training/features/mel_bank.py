"""Mel power of clips as the daemon computes it, cached on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.features.logmel import log_mel, mel_matrix
from monitor.features.spec import KaldiLogMelSpec, MelSpec, Normalisation
from training.base.atomic import atomic_write
from training.base.maths import power_of_db
from training.base.progress import Tick
from training.data.audio import Waveform, read
from training.data.corpora import Clip

Power = NDArray[np.float32]

_CACHE_VERSION = 2
_FRAMES_PER_CALL = 25
_LEAST = 1e-9
"""Offset of stored natural logarithms, far below the noise floor of a 16-bit recording."""
_SILENCE_DB = 50.0
"""Frames so far below the peak, dB, are silence at the ends of a clip (ESC pads with it) and are cut."""


@dataclass(frozen=True)
class Bank:
    """Mel power of many clips in one array, so that batches are gathered by index.

    Row 0 of ``power``, shape (1 + frames, n_mels), is zero. Clip *i* has the rows ``first[i]`` …
    ``first[i] + frames[i] − 1``; ``level[i]`` is its mean broadband power.
    """

    power: Power
    first: NDArray[np.int64]
    frames: NDArray[np.int64]
    level: NDArray[np.float32]

    def only(self, clips: Sequence[int]) -> Bank:
        """Return some of the clips, in this order; the power is shared."""
        chosen = np.asarray(clips, np.int64)
        return Bank(self.power, self.first[chosen], self.frames[chosen], self.level[chosen])


def bank(clips: Sequence[Clip], spec: MelSpec, rate: int, cache: Path, tick: Tick) -> Bank:
    """Compute or load the mel power of ``clips``; ``tick`` counts the finished clips."""
    plain = _plain(spec)
    path = cache / f"mel-{_key(clips, plain, rate)}.npz"
    if path.is_file():
        with np.load(path) as stored:
            decibels, frames = stored["decibels"], stored["frames"]
        tick(len(clips))
    else:
        pieces = []
        for clip in clips:
            pieces.append(log_mel(read(clip.path, rate), plain, rate, _FRAMES_PER_CALL).astype(np.float16))
            tick(1)
        decibels, frames = np.concatenate(pieces), np.array([len(piece) for piece in pieces])
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.savez(file, decibels=decibels, frames=frames)
    return _assemble(decibels, frames, spec, rate)


def bank_of(sounds: Sequence[Waveform], spec: MelSpec, rate: int) -> Bank:
    """Return the mel power of waveforms at ``rate``, rounded to 16-bit decibels like that of files."""
    plain = _plain(spec)
    pieces = [log_mel(sound, plain, rate, _FRAMES_PER_CALL).astype(np.float16) for sound in sounds]
    return _assemble(np.concatenate(pieces), np.array([len(piece) for piece in pieces]), spec, rate)


def _plain(spec: MelSpec) -> MelSpec:
    """Return the settings without those that power does not depend on."""
    plain = {"frames": 1, "normalisation": Normalisation()}
    if isinstance(spec, KaldiLogMelSpec):
        plain["offset"] = _LEAST
    return spec.model_copy(update=plain)


def _power(logarithms: NDArray[np.float16], spec: MelSpec) -> Power:
    scale = 1.0 if isinstance(spec, KaldiLogMelSpec) else np.log(10.0) / 10.0
    power: Power = np.exp(logarithms.astype(np.float32) * np.float32(scale))
    return power


def _key(clips: Sequence[Clip], spec: MelSpec, rate: int) -> str:
    digest = hashlib.sha256(f"{_CACHE_VERSION} {rate} {spec.model_dump_json()}".encode())
    for clip in clips:
        stat = clip.path.stat()
        digest.update(f"{clip.path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:20]


def _assemble(decibels: NDArray[np.float16], frames: NDArray[np.int64], spec: MelSpec, rate: int) -> Bank:
    power = np.zeros((1 + len(decibels), spec.n_mels), np.float32)
    power[1:] = _power(decibels, spec)
    loudness = power @ band_widths(spec, rate)
    first = 1 + np.concatenate([[0], np.cumsum(frames)[:-1]])
    kept = [_sounding(loudness[f : f + n]) for f, n in zip(first, frames, strict=True)]
    starts = np.array([f + lo for f, (lo, _) in zip(first, kept, strict=True)], np.int64)
    lengths = np.array([hi - lo for lo, hi in kept], np.int64)
    level = np.array([loudness[s : s + n].mean() for s, n in zip(starts, lengths, strict=True)], np.float32)
    return Bank(power, starts, lengths, level)


def _sounding(loudness: Power) -> tuple[int, int]:
    """Return the first frame above silence and one past the last."""
    audible = np.flatnonzero(loudness > loudness.max() * power_of_db(-_SILENCE_DB))
    return (int(audible[0]), int(audible[-1]) + 1) if len(audible) else (0, len(loudness))


def band_widths(spec: MelSpec, rate: int) -> NDArray[np.float32]:
    """Return the weights that sum mel bands to broadband power, shape (n_mels,).

    Slaney's norm divides each band by its width. Without these weights, low rumble would count ten
    times as much as in the waveform.
    """
    total = mel_matrix(spec, rate).sum(axis=1)
    if spec.norm == "none":
        return np.ones(spec.n_mels, np.float32)
    unit = mel_matrix(spec.model_copy(update={"norm": "none"}), rate).sum(axis=1)
    widths: NDArray[np.float32] = (unit / np.maximum(total, 1e-12)).astype(np.float32)
    return widths
