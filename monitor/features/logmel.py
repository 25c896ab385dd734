"""Streaming log-mel: one implementation for training and daemon.

A frame looks back: frame *t* covers the ``n_fft`` samples that end at ``(t + 1)·hop``,
so a hop's worth of audio yields a hop's worth of frames with no look-ahead. This is
``librosa.feature.melspectrogram(center=False)`` on the signal after ``n_fft − hop``
zeros.

Each call computes the same fixed number of frames. That is what makes the result
independent, to the bit, of how the audio was cut into blocks: the rounding of a BLAS
matrix product depends on its row count.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from monitor.features.spec import LogMelSpec
from monitor.records import Samples

Frames = NDArray[np.float32]


class LogMel:
    """Turns hops of audio into normalised log-mel frames.

    Parameters
    ----------
    spec : settings of the front end
    sample_rate : Hz
    frames_per_call : frames that every :meth:`push` computes, ≥ 1

    Raises
    ------
    ValueError : fmax above half the sample rate, or the mel matrix does not hash to
        ``spec.matrix_sha256``
    """

    def __init__(self, spec: LogMelSpec, sample_rate: int, frames_per_call: int) -> None:
        if frames_per_call < 1:
            raise ValueError(f"frames_per_call is {frames_per_call}; it must be 1 or more")
        self.spec = spec
        self.hop_samples = frames_per_call * spec.hop
        self._mel = _checked_mel(spec, sample_rate)
        self._taper = _taper(spec)
        self._mean = np.asarray(spec.normalisation.mean, np.float32)
        self._scale = (1.0 / np.asarray(spec.normalisation.std)).astype(np.float32)
        self._floor = np.float32(spec.floor)
        self._reference_db = np.float32(10.0 * np.log10(spec.reference))
        self._past = spec.n_fft - spec.hop
        self._buffer = np.zeros(self._past + self.hop_samples, np.float32)
        self._framed = np.lib.stride_tricks.sliding_window_view(self._buffer, spec.n_fft)[:: spec.hop]
        self._tapered = np.empty(self._framed.shape, np.float32)

    def push(self, samples: Samples) -> Frames:
        """Return the frames, shape (frames_per_call, n_mels), of the next ``hop_samples`` samples."""
        if samples.shape != (self.hop_samples,):
            raise ValueError(f"a hop has shape ({self.hop_samples},), not {samples.shape}")
        buffer = self._buffer
        buffer[: self._past] = buffer[self.hop_samples :]
        buffer[self._past :] = samples
        np.multiply(self._framed, self._taper, out=self._tapered)
        # A transform that is not scaled numpy computes in float64, at twice the time.
        spectrum = np.fft.rfft(self._tapered, axis=1, norm="forward")
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32, copy=False)
        mel: Frames = np.maximum(power @ self._mel, self._floor)
        np.log10(mel, out=mel)
        mel *= 10.0
        mel -= self._reference_db
        mel -= self._mean
        mel *= self._scale
        return mel

    def reset(self) -> None:
        """Forget the past; the next hop begins a stream."""
        self._buffer[:] = 0.0


def log_mel(samples: Samples, spec: LogMelSpec, sample_rate: int, frames_per_call: int) -> Frames:
    """Return all frames of a whole signal, exactly as the stream computes them.

    samples : float32, shape (n,); zeros fill the last hop. Returns shape (frames, n_mels).
    """
    stream = LogMel(spec, sample_rate, frames_per_call)
    hops = -(-len(samples) // stream.hop_samples)
    padded = np.zeros(hops * stream.hop_samples, np.float32)
    padded[: len(samples)] = samples
    if not hops:
        return np.empty((0, spec.n_mels), np.float32)
    return np.concatenate([stream.push(hop) for hop in padded.reshape(hops, -1)])


@lru_cache(maxsize=4)
def _checked_mel(spec: LogMelSpec, sample_rate: int) -> NDArray[np.float32]:
    """The mel filters for a power spectrum that was divided by n_fft², shape (n_fft // 2 + 1, n_mels).

    Kept, because a directory of short clips is as many streams.
    """
    matrix = mel_matrix(spec, sample_rate)
    if spec.matrix_sha256 not in (None, matrix_sha256(matrix)):
        raise ValueError("the mel matrix is not the one this model was trained with (matrix_sha256)")
    mel = np.ascontiguousarray(matrix.T * spec.n_fft**2, dtype=np.float32)
    mel.flags.writeable = False
    return mel


def _taper(spec: LogMelSpec) -> Samples:
    """Periodic Hann of ``win_length`` centred in ``n_fft``, as librosa and scipy define it."""
    phase = 2.0 * np.pi * np.arange(spec.win_length) / spec.win_length
    taper = np.zeros(spec.n_fft)
    left = (spec.n_fft - spec.win_length) // 2
    taper[left : left + spec.win_length] = 0.5 - 0.5 * np.cos(phase)
    return taper.astype(np.float32)


def mel_matrix(spec: LogMelSpec, sample_rate: int) -> NDArray[np.float64]:
    """Return the triangular mel filters, shape (n_mels, n_fft // 2 + 1).

    Reference: Slaney, Auditory Toolbox, 1998; HTK: ``2595·log10(1 + f/700)``. Equal to
    ``librosa.filters.mel`` with ``htk`` and ``norm`` set alike.
    """
    if spec.fmax > sample_rate / 2:
        raise ValueError(f"fmax {spec.fmax:g} Hz is above half the sample rate {sample_rate} Hz")
    to_mel, to_hz = _SCALES[spec.scale]
    bins_hz = np.fft.rfftfreq(spec.n_fft, 1.0 / sample_rate)
    edges_hz = to_hz(np.linspace(to_mel(np.array(spec.fmin)), to_mel(np.array(spec.fmax)), spec.n_mels + 2))
    widths = np.diff(edges_hz)
    ramps = edges_hz[:, None] - bins_hz[None, :]
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    matrix: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    if spec.norm == "slaney":
        matrix *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]
    return matrix


def matrix_sha256(matrix: NDArray[np.float64]) -> str:
    """Hash a mel matrix at seven decimals, so that the last bits of a libm do not matter."""
    return hashlib.sha256(np.rint(matrix * 1e7).astype("<i8").tobytes()).hexdigest()


_LINEAR_HZ = 200.0 / 3
_BREAK_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27.0


def _slaney_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    log_part = _BREAK_HZ / _LINEAR_HZ + np.log(np.maximum(hz, 1e-9) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz >= _BREAK_HZ, log_part, hz / _LINEAR_HZ)


def _slaney_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    break_mel = _BREAK_HZ / _LINEAR_HZ
    return np.where(mel >= break_mel, _BREAK_HZ * np.exp(_LOG_STEP * (mel - break_mel)), _LINEAR_HZ * mel)


def _htk_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 2595.0 * np.log10(1.0 + hz / 700.0)
    return result


def _htk_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return result


_SCALES = {"slaney": (_slaney_mel, _slaney_hz), "htk": (_htk_mel, _htk_hz)}
