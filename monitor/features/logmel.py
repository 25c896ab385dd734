"""Streaming log-mel features; one implementation for training and daemon.

A frame looks back: frame *t* covers the ``n_fft`` samples (``win_length`` with
``kaldi-log-mel``) that end at ``(t + 1)·hop``, so a hop's worth of audio yields a hop's
worth of frames with no look-ahead. For ``log-mel`` this is
``librosa.feature.melspectrogram(center=False)`` on the signal after ``n_fft − hop``
zeros.

Each call computes the same number of frames. This makes the result independent of block sizes, to
the bit: the rounding of a BLAS matrix product depends on its row count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from monitor.features.spec import KaldiLogMelSpec, LogMelSpec, MelSpec, Normalisation
from monitor.records import Samples

Frames = NDArray[np.float32]
_GROUPS = 4
"""Groups of mel bands; more are no faster."""


class LogMel:
    """Turns hops of audio into normalised log-mel frames.

    Parameters
    ----------
    spec : MelSpec
        Settings of the front end.
    sample_rate : int
        Sample rate, Hz.
    frames_per_call : int
        Number of frames that each :meth:`push` computes, 1 or more.

    Raises
    ------
    ValueError
        If fmax is above half the sample rate, or the mel matrix does not match ``spec.matrix_sha256``.
    """

    def __init__(self, spec: MelSpec, sample_rate: int, frames_per_call: int) -> None:
        if frames_per_call < 1:
            raise ValueError(f"frames_per_call is {frames_per_call}; it must be 1 or more")
        self.spec = spec
        self.hop_samples = frames_per_call * spec.hop
        self._mel = _grouped(_checked_mel(spec, sample_rate))
        self._taper = _taper(spec)
        self._to_log = _log_of(spec)
        frame = len(self._taper)
        self._past = frame - spec.hop
        self._buffer = np.zeros(self._past + self.hop_samples, np.float32)
        self._framed = np.lib.stride_tricks.sliding_window_view(self._buffer, frame)[:: spec.hop]
        self._padded = np.zeros((frames_per_call, spec.n_fft), np.float32)
        self._tapered = self._padded[:, :frame]
        self._pre_emphasis = np.float32(spec.pre_emphasis if isinstance(spec, KaldiLogMelSpec) else 0.0)
        self._last = np.float32(0.0)
        # A windowed constant of mean one.
        self._constant = self._taper / self._taper.mean() if isinstance(spec, KaldiLogMelSpec) else None

    def push(self, samples: Samples) -> Frames:
        """Return the frames, shape (frames_per_call, n_mels), of the next ``hop_samples`` samples."""
        if samples.shape != (self.hop_samples,):
            raise ValueError(f"a hop has shape ({self.hop_samples},), not {samples.shape}")
        buffer = self._buffer
        buffer[: self._past] = buffer[self.hop_samples :]
        buffer[self._past :] = samples
        if self._pre_emphasis:
            buffer[self._past] -= self._pre_emphasis * self._last
            buffer[self._past + 1 :] -= self._pre_emphasis * samples[:-1]
            self._last = samples[-1]
        np.multiply(self._framed, self._taper, out=self._tapered)
        if self._constant is not None:
            self._tapered -= self._tapered.mean(axis=1, keepdims=True) * self._constant
        # A transform that is not scaled numpy computes in float64, at twice the time.
        spectrum = np.fft.rfft(self._padded, axis=1, norm="forward")
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32, copy=False)
        mel = np.empty((len(power), self.spec.n_mels), np.float32)
        for bins, bands, filters in self._mel:
            mel[:, bands] = power[:, bins] @ filters
        return self._to_log(mel)

    def reset(self) -> None:
        """Start a new stream with the next hop."""
        self._buffer[:] = 0.0
        self._last = np.float32(0.0)


def log_mel(samples: Samples, spec: MelSpec, sample_rate: int, frames_per_call: int) -> Frames:
    """Return all frames of a signal, exactly as the stream computes them.

    Parameters
    ----------
    samples : Samples
        Signal, float32, shape (n,); the last hop is padded with zeros.

    Returns
    -------
    Frames
        Shape (frames, n_mels).
    """
    stream = LogMel(spec, sample_rate, frames_per_call)
    hops = -(-len(samples) // stream.hop_samples)
    padded = np.zeros(hops * stream.hop_samples, np.float32)
    padded[: len(samples)] = samples
    if not hops:
        return np.empty((0, spec.n_mels), np.float32)
    return np.concatenate([stream.push(hop) for hop in padded.reshape(hops, -1)])


@lru_cache(maxsize=4)
def _checked_mel(spec: MelSpec, sample_rate: int) -> NDArray[np.float32]:
    """Return the mel filters for a power spectrum divided by n_fft², shape (n_fft // 2 + 1, n_mels).

    Cached, because each file of a directory is a new stream.
    """
    matrix = mel_matrix(spec, sample_rate)
    if spec.matrix_sha256 not in (None, matrix_sha256(matrix)):
        raise ValueError("the mel matrix is not the one this model was trained with (matrix_sha256)")
    mel = np.ascontiguousarray(matrix.T * spec.n_fft**2, dtype=np.float32)
    mel.flags.writeable = False
    return mel


def _grouped(mel: NDArray[np.float32]) -> list[tuple[slice, slice, NDArray[np.float32]]]:
    """Split the filters into groups of neighbouring bands: (bins, bands, filters of these bins).

    A filter covers few bins, so that one product with the whole matrix would mostly multiply zeros.
    """
    groups = []
    for bands in np.array_split(np.arange(mel.shape[1]), min(_GROUPS, mel.shape[1])):
        columns = slice(int(bands[0]), int(bands[-1]) + 1)
        covered = np.flatnonzero(mel[:, columns].any(axis=1))
        bins = slice(int(covered[0]), int(covered[-1]) + 1) if len(covered) else slice(0, 0)
        groups.append((bins, columns, np.ascontiguousarray(mel[bins, columns])))
    return groups


def _taper(spec: MelSpec) -> Samples:
    """Return the window that multiplies a frame, as long as the frame.

    ``hann``: periodic, of ``win_length``, centred in ``n_fft``, as librosa and scipy define it.
    ``hann-symmetric``: ``win_length`` samples. Its position within ``n_fft`` would not change the
    power, so the frame need not reach further back.
    """
    if spec.window == "hann-symmetric":
        return np.hanning(spec.win_length).astype(np.float32)
    phase = 2.0 * np.pi * np.arange(spec.win_length) / spec.win_length
    taper = np.zeros(spec.n_fft)
    left = (spec.n_fft - spec.win_length) // 2
    taper[left : left + spec.win_length] = 0.5 - 0.5 * np.cos(phase)
    return taper.astype(np.float32)


def _log_of(spec: MelSpec) -> Callable[[Frames], Frames]:
    """Return the function from mel power to the normalised logarithm, in place."""
    if isinstance(spec, KaldiLogMelSpec):
        return _natural_log(spec)
    assert isinstance(spec, LogMelSpec)
    return _decibels(spec)


def _decibels(spec: LogMelSpec) -> Callable[[Frames], Frames]:
    mean, scale = _affine(spec.normalisation)
    floor = np.float32(spec.floor)
    reference_db = np.float32(10.0 * np.log10(spec.reference))

    def to_log(mel: Frames) -> Frames:
        np.maximum(mel, floor, out=mel)
        np.log10(mel, out=mel)
        mel *= 10.0
        mel -= reference_db
        mel -= mean
        mel *= scale
        return mel

    return to_log


def _natural_log(spec: KaldiLogMelSpec) -> Callable[[Frames], Frames]:
    mean, scale = _affine(spec.normalisation)
    offset = np.float32(spec.offset)

    def to_log(mel: Frames) -> Frames:
        mel += offset
        np.log(mel, out=mel)
        mel -= mean
        mel *= scale
        return mel

    return to_log


def _affine(normalisation: Normalisation) -> tuple[Samples, Samples]:
    """Return the offset to subtract and the scale to multiply by."""
    mean = np.asarray(normalisation.mean, np.float32)
    return mean, (1.0 / np.asarray(normalisation.std)).astype(np.float32)


def mel_matrix(spec: MelSpec, sample_rate: int) -> NDArray[np.float64]:
    """Return the triangular mel filters, shape (n_mels, n_fft // 2 + 1).

    Reference: Slaney, Auditory Toolbox, 1998; HTK: ``2595·log10(1 + f/700)``; Kaldi: HTK's scale,
    triangles linear in mel. Equal to ``librosa.filters.mel`` with ``htk`` and ``norm`` set alike,
    and to ``torchaudio.compliance.kaldi.get_mel_banks``.
    """
    if spec.fmax > sample_rate / 2:
        raise ValueError(f"fmax {spec.fmax:g} Hz is above half the sample rate {sample_rate} Hz")
    to_mel, to_hz = _SCALES[spec.scale]
    bins = np.fft.rfftfreq(spec.n_fft, 1.0 / sample_rate).astype(np.float64)
    edges = np.linspace(to_mel(np.array(spec.fmin)), to_mel(np.array(spec.fmax)), spec.n_mels + 2)
    if spec.scale == "kaldi":
        bins = to_mel(bins)
    else:
        edges = to_hz(edges)
    widths = np.diff(edges)
    ramps = edges[:, None] - bins[None, :]
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    matrix: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    if spec.norm == "slaney":
        matrix *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return matrix


def pitch_share(spec: MelSpec, hz: float) -> float:
    """Return where a frequency lies between the lowest band (0) and the highest (1) of a picture."""
    to_mel, _ = _SCALES[spec.scale]
    low, high, mel = (float(to_mel(np.array(one))) for one in (spec.fmin, spec.fmax, hz))
    return (mel - low) / (high - low)


def matrix_sha256(matrix: NDArray[np.float64]) -> str:
    """Hash a mel matrix rounded to seven decimals, so that differences between libms do not matter."""
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


_SCALES = {
    "slaney": (_slaney_mel, _slaney_hz),
    "htk": (_htk_mel, _htk_hz),
    "kaldi": (_htk_mel, _htk_hz),  # 1127·ln(1 + f/700) is the same but for a factor, which cancels
}
