"""The published features in TensorFlow, differentiable with respect to the waveform.

They equal :func:`training.features.extract.extract`, as a test verifies. Two of the 165 columns of the
recurrent networks, zero crossings and roll-off, are counts: they follow the sound without a gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.features.spec import FeatureSpec
from training.robustness.targets.front_end import compiled
from training.study.trainers import plain

_N_FFT = 2048
"""librosa's default, which the seed kept for everything but mel bands and MFCCs."""
_TOP_DB, _AMIN = 80.0, 1e-10
_CONTRAST_HZ, _CONTRAST_BANDS, _CONTRAST_SHARE = 200.0, 6, 0.02
_TINY = 1e-12
"""Added under square roots, whose derivative at zero is infinite."""


def on_waveforms(network: plain.PublishedNetwork) -> Callable[[Any], Any]:
    """Return a published network as a function of sounds at its own rate, shape (batch, n), to ten logits."""
    import tensorflow as tf

    features, scaler = _KINDS[network.spec.kind](network.spec), network.scaler

    def logits(sounds: Any) -> Any:
        values = _in_16_bits(features(tf.cast(sounds, tf.float32)))
        scaled = values if scaler is None else (values - scaler.mean) / scaler.deviation
        return network.model(scaled, training=False)

    return compiled(logits)


def seed_mel(spec: FeatureSpec) -> Callable[[Any], Any]:
    """Return the CNN's features of waveforms, shape (batch, n), as (batch, frames, bands)."""
    bands = _mel(spec)

    def features(waveforms: Any) -> Any:
        power = bands(_spectrum(waveforms, spec.n_fft, spec.hop) ** 2)
        return _decibels(power, under_peak=True)[:, : spec.frames]

    return features


def seed_frames(spec: FeatureSpec) -> Callable[[Any], Any]:
    """Return the recurrent networks' columns of waveforms, shape (batch, n), as (batch, frames, columns)."""
    import tensorflow as tf

    bands = _mel(spec)
    hz = tf.constant(np.linspace(0.0, spec.rate / 2, _N_FFT // 2 + 1), tf.float32)
    contrast = _contrast(spec.rate)

    def features(waveforms: Any) -> Any:
        power = bands(_spectrum(waveforms, spec.n_fft, spec.hop) ** 2)
        magnitude = _spectrum(waveforms, _N_FFT, spec.hop)
        total = tf.maximum(tf.reduce_sum(magnitude, axis=-1, keepdims=True), _TINY)
        centroid = tf.reduce_sum(magnitude * hz, axis=-1, keepdims=True) / total
        variance = tf.reduce_sum(magnitude * (hz - centroid) ** 2, axis=-1, keepdims=True) / total
        crossings, rolloff = _counts(waveforms, magnitude, spec)
        columns = (
            _decibels(power, under_peak=True),
            crossings,
            _root(tf.reduce_mean(_frames(waveforms, _N_FFT, spec.hop) ** 2, axis=-1, keepdims=True)),
            centroid,
            _root(variance),
            contrast(magnitude),
            rolloff,
            tf.signal.dct(_decibels(power, under_peak=False), norm="ortho")[..., : spec.n_mfcc],
        )
        return tf.concat([column[:, : spec.frames] for column in columns], axis=-1)

    return features


_KINDS = {"seed-mel": seed_mel, "seed-frames": seed_frames}


def _mel(spec: FeatureSpec) -> Callable[[Any], Any]:
    import tensorflow as tf
    from librosa.filters import mel

    weights = mel(sr=spec.rate, n_fft=spec.n_fft, n_mels=spec.n_mels, fmax=spec.rate // 2)
    matrix = tf.constant(weights.T, tf.float32)
    return lambda power: tf.einsum("btf,fm->btm", power, matrix)


def _frames(waveforms: Any, length: int, hop: int) -> Any:
    """Return centred frames with zero padding, as librosa's."""
    import tensorflow as tf

    return tf.signal.frame(tf.pad(waveforms, [[0, 0], [length // 2, length // 2]]), length, hop)


def _spectrum(waveforms: Any, n_fft: int, hop: int) -> Any:
    """Magnitudes, shape (batch, frames, bins)."""
    import tensorflow as tf

    spectrum = tf.signal.rfft(_frames(waveforms, n_fft, hop) * _hann(n_fft))
    return _root(tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2)


def _hann(length: int) -> NDArray[np.float32]:
    """Return a periodic Hann window; tf.signal's is not periodic for odd lengths."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def _root(values: Any) -> Any:
    import tensorflow as tf

    return tf.sqrt(tf.maximum(values, _TINY**2)) - _TINY


def _decibels(power: Any, under_peak: bool) -> Any:
    """Apply librosa's ``power_to_db`` over (frames, columns): relative to the maximum or 1, range 80 dB."""
    import tensorflow as tf

    decibels = 10.0 / np.log(10.0) * tf.math.log(tf.maximum(power, _AMIN))
    loudest = tf.reduce_max(decibels, axis=(1, 2), keepdims=True)
    return tf.maximum(decibels, loudest - _TOP_DB) - (loudest if under_peak else 0.0)


def _contrast(rate: int) -> Callable[[Any], Any]:
    """Compute librosa's ``spectral_contrast``: peak-to-valley level in each octave."""
    import tensorflow as tf

    hz = np.linspace(0.0, rate / 2, _N_FFT // 2 + 1)
    edges = np.array([0.0, *(_CONTRAST_HZ * 2.0 ** np.arange(_CONTRAST_BANDS + 1))])
    parts = []
    for number, (low, high) in enumerate(pairwise(edges)):
        inside = np.flatnonzero((hz >= low) & (hz <= high))
        first = inside[0] - (number > 0)
        last = len(hz) if number == _CONTRAST_BANDS else inside[-1] + 1
        count = max(1, round(_CONTRAST_SHARE * (last - first)))
        parts.append((first, last - (number < _CONTRAST_BANDS), count))

    def contrast(magnitude: Any) -> Any:
        peaks, valleys = [], []
        for first, last, count in parts:
            ordered = tf.sort(magnitude[..., first:last], axis=-1)
            valleys.append(tf.reduce_mean(ordered[..., :count], axis=-1))
            peaks.append(tf.reduce_mean(ordered[..., -count:], axis=-1))
        high, low = (_decibels(tf.stack(side, axis=-1), under_peak=False) for side in (peaks, valleys))
        return high - low

    return contrast


def _counts(waveforms: Any, magnitude: Any, spec: FeatureSpec) -> tuple[Any, Any]:
    """Compute zero crossings and roll-off with librosa, each (batch, frames, 1), without gradient."""
    import tensorflow as tf

    def counted(sounds: Any, spectra: Any) -> tuple[Any, Any]:
        from librosa.feature import spectral_rolloff, zero_crossing_rate

        crossings = zero_crossing_rate(y=sounds, hop_length=spec.hop)
        rolloff = spectral_rolloff(S=spectra.swapaxes(1, 2), sr=spec.rate)
        return _last(crossings), _last(rolloff)

    def _last(found: NDArray[Any]) -> NDArray[np.float32]:
        return found.swapaxes(1, 2).astype(np.float32)

    crossings, rolloff = both = tf.numpy_function(
        counted, (tf.stop_gradient(waveforms), tf.stop_gradient(magnitude)), [tf.float32] * 2
    )
    for found in both:
        found.set_shape((waveforms.shape[0], magnitude.shape[1], 1))
    return crossings, rolloff


def _in_16_bits(values: Any) -> Any:
    """Round to float16 as the study stores features; gradients pass through."""
    import tensorflow as tf

    return values + tf.stop_gradient(tf.cast(tf.cast(values, tf.float16), tf.float32) - values)
