"""Compute the features of a clip from its samples."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from monitor.features.logmel import log_mel
from monitor.records import Samples
from training.features.spec import FeatureSpec

Features = NDArray[np.float32]

_FRAMES_PER_CALL = 25
_DELTA_FRAMES = 9
_SEED_N_FFT = 2048
"""librosa's default, which the published study used for all but its mel bands and MFCCs."""


def extract(samples: Samples, spec: FeatureSpec) -> Features:
    """Return the features of a clip, shape ``spec.shape``.

    Parameters
    ----------
    samples
        Shape (n,) with n ≥ 1, mono at ``spec.rate``, full scale ±1.
    spec
        Settings.
    """
    if spec.denoise:
        from training.features.noise import denoise

        samples = denoise(samples, spec.rate)
    if spec.fill == "pad":
        samples = np.pad(samples, (0, max(0, spec.frames * spec.hop - len(samples))))
    with warnings.catch_warnings():
        # librosa warns about clips under 0.1 s; the published study had the same padding and empty bands.
        warnings.filterwarnings("ignore", message="n_fft=.* is too large|Empty filters", category=UserWarning)
        blocks = _BLOCKS[spec.kind](samples, spec)
    return np.concatenate([fill_frames(block, spec.frames) for block in blocks], axis=1)


def fill_frames(frames: Features, count: int) -> Features:
    """Repeat or cut frames to ``count``."""
    filled: Features = frames[np.arange(count) % len(frames)]
    return filled


def _log_mel(samples: Samples, spec: FeatureSpec) -> list[Features]:
    decibels = log_mel(samples, spec.log_mel(), spec.rate, _FRAMES_PER_CALL)
    # The last call is padded with zeros, which must not be repeated with a short clip.
    return [decibels[: max(1, -(-len(samples) // spec.hop))]]


def _mfcc(samples: Samples, spec: FeatureSpec) -> list[Features]:
    from scipy.fft import dct

    bands = _log_mel(samples, spec)[0]
    mfcc: Features = dct(bands, type=2, norm="ortho", axis=1)[:, : spec.n_mfcc].astype(np.float32)
    if not spec.deltas:
        return [mfcc]
    from librosa.feature import delta

    orders = [
        delta(mfcc, width=_DELTA_FRAMES, order=order, axis=0, mode="nearest").astype(np.float32)
        for order in (1, 2)
    ]
    return [mfcc, *orders]


def _seed_frames(samples: Samples, spec: FeatureSpec) -> list[Features]:
    """Return the published columns: log-mel, ZCR, RMS, centroid, bandwidth, contrast, roll-off, MFCC.

    All are librosa's with centred frames, as in the published study, but the spectrum is computed once
    instead of once per column. Blocks may differ by a frame because the two window lengths differ.
    """
    import librosa

    hop, rate = spec.hop, spec.rate
    power = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_fft=spec.n_fft, hop_length=hop, n_mels=spec.n_mels, fmax=rate // 2
    )
    magnitude = np.abs(librosa.stft(samples, n_fft=_SEED_N_FFT, hop_length=hop))
    centroid, bandwidth = _moments(magnitude, rate)
    blocks = (
        librosa.power_to_db(power, ref=np.max),
        librosa.feature.zero_crossing_rate(y=samples, hop_length=hop),
        librosa.feature.rms(y=samples, hop_length=hop),
        centroid,
        bandwidth,
        librosa.feature.spectral_contrast(S=magnitude, sr=rate),
        librosa.feature.spectral_rolloff(S=magnitude, sr=rate),
        librosa.feature.mfcc(S=librosa.power_to_db(power), n_mfcc=spec.n_mfcc),
    )
    return [np.ascontiguousarray(block.T, np.float32) for block in blocks]


def _moments(magnitude: Features, rate: int) -> tuple[Features, Features]:
    """Return centroid and bandwidth in Hz, shape (1, frames), of a spectrum, shape (bins, frames).

    Equal to librosa's ``spectral_centroid`` and ``spectral_bandwidth``, which took half the time of all
    165 columns, but computed by matrix products.
    """
    hz = np.linspace(0.0, rate / 2, len(magnitude))
    total, first, second = np.stack([np.ones_like(hz), hz, hz**2]) @ magnitude.astype(np.float64)
    total = np.where(total > 0.0, total, 1.0)
    centroid = first / total
    spread = np.sqrt(np.maximum(second / total - centroid**2, 0.0))
    return centroid[None].astype(np.float32), spread[None].astype(np.float32)


def _seed_mel(samples: Samples, spec: FeatureSpec) -> list[Features]:
    """Return the published CNN's input, time first: log-mel in dB relative to the clip's maximum, −80 … 0."""
    import librosa

    n_fft = min(spec.n_fft, max(2, len(samples)))
    power = librosa.feature.melspectrogram(
        y=samples, sr=spec.rate, n_fft=n_fft, hop_length=spec.hop, n_mels=spec.n_mels
    )
    return [np.ascontiguousarray(librosa.power_to_db(power, ref=np.max).T, np.float32)]


_BLOCKS = {"log-mel": _log_mel, "mfcc": _mfcc, "seed-frames": _seed_frames, "seed-mel": _seed_mel}
