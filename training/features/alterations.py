"""Changes of a waveform that keep its label: shift, pitch, tempo, room."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from monitor.records import Samples
from training.base.maths import amplitude_of_db

_LOUDEST = 1.0
_GAP_S = (0.002, 0.01)
"""Delay of the first reflection: the nearest wall is about one to four metres away."""


def shift(samples: Samples, share: float) -> Samples:
    """Rotate a clip by ``share`` of its length; the end wraps around to the start."""
    return np.roll(samples, round(share * len(samples)))


def change_tempo(samples: Samples, factor: float) -> Samples:
    """Play ``factor`` times as fast at the same pitch (phase vocoder)."""
    import librosa

    with _short_clips_allowed():
        faster: Samples = librosa.effects.time_stretch(samples, rate=factor)
    return faster


def change_pitch(samples: Samples, rate: int, semitones: float) -> Samples:
    """Raise the pitch by ``semitones`` (negative lowers) at the same tempo."""
    import librosa

    with _short_clips_allowed():
        raised: Samples = librosa.effects.pitch_shift(samples, sr=rate, n_steps=semitones)
    return raised


def add_room(samples: Samples, response: Samples) -> Samples:
    """Convolve with a room's impulse response; the energy stays, the tail lengthens the clip."""
    from scipy.signal import fftconvolve

    wet: Samples = fftconvolve(samples, response).astype(np.float32)
    energy = float(np.sum(wet.astype(np.float64) ** 2))
    if energy > 0.0:
        wet *= np.float32(np.sqrt(np.sum(samples.astype(np.float64) ** 2) / energy))
    peak = float(np.abs(wet).max(initial=0.0))
    return wet / np.float32(peak) if peak > _LOUDEST else wet


def room_response(rate: int, rt60_s: float, direct_db: float, rng: np.random.Generator) -> Samples:
    """Return a synthetic room impulse response: direct sound, a gap, and decaying noise.

    High frequencies decay faster, as they do in air and on soft surfaces: the tail is the sum of a low
    part and a high part with half the reverberation time.

    Parameters
    ----------
    rate
        Sample rate, Hz.
    rt60_s
        Time in which the tail decays by 60 dB.
    direct_db
        Energy of the direct sound relative to that of the tail.
    rng
        Source of the noise.

    References
    ----------
    J.-D. Polack, statistical model of late reverberation, thesis, Le Mans, 1988.
    """
    time = np.arange(round(rt60_s * rate)) / rate
    noise = rng.standard_normal(len(time))
    low = _smoothed(noise, rate)
    tail = low * 10 ** (-3 * time / rt60_s) + (noise - low) * 10 ** (-6 * time / rt60_s)
    tail *= amplitude_of_db(-direct_db) / np.sqrt(np.sum(tail**2))
    gap = round(rng.uniform(*_GAP_S) * rate)
    return np.concatenate([[1.0], np.zeros(gap), tail]).astype(np.float32)


def _smoothed(noise: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """A one-pole low-pass at 2 kHz."""
    from scipy.signal import lfilter

    pole = np.exp(-2 * np.pi * 2000.0 / rate)
    smooth: NDArray[np.float64] = lfilter([1 - pole], [1, -pole], noise)
    return smooth


@contextmanager
def _short_clips_allowed() -> Iterator[None]:
    """Silence librosa's warning about clips under 0.1 s; its zero padding is right for them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large", category=UserWarning)
        yield
