"""The monitor's front ends in TensorFlow, differentiable with respect to the waveform.

Their features equal those of :class:`monitor.features.logmel.LogMel`, as a test verifies. The gradient
of a band at its floor is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from monitor.features.logmel import mel_matrix
from monitor.features.spec import KaldiLogMelSpec, LogMelSpec, MelSpec
from training.data.audio import RATE
from training.data.corpora import CLASSES
from training.fit.windows import Scaling

SECONDS = 4
"""Length of attacked sounds, as of most clips of the corpus."""
SAMPLES = SECONDS * RATE
_WINDOW_STEP_S = 1.0
DB_OF_LN = 10.0 / np.log(10.0)
"""Decibels of a power ratio whose natural logarithm is 1."""


def log_mel(spec: MelSpec, rate: int) -> Callable[[Any], Any]:
    """Return the function from waveforms, shape (batch, n), to dB, shape (batch, n // hop, n_mels).

    Silence precedes the signal, as in a stream; ``spec``'s normalisation is left to the caller.
    """
    if isinstance(spec, KaldiLogMelSpec):
        return _kaldi_log_mel(spec, rate)
    assert isinstance(spec, LogMelSpec)
    return _log_mel(spec, rate)


def _log_mel(spec: LogMelSpec, rate: int) -> Callable[[Any], Any]:
    import tensorflow as tf

    mel = tf.constant(mel_matrix(spec, rate).T, tf.float32)
    left = (spec.n_fft - spec.win_length) // 2
    right = spec.n_fft - spec.win_length - left
    taper = tf.pad(tf.signal.hann_window(spec.win_length, periodic=True), [[left, right]])
    past = [[0, 0], [spec.n_fft - spec.hop, 0]]

    def decibels(waveforms: Any) -> Any:
        frames = tf.signal.frame(tf.pad(waveforms, past), spec.n_fft, spec.hop)
        spectrum = tf.signal.rfft(frames * taper)
        banded = tf.maximum(tf.einsum("btf,fm->btm", _power(spectrum), mel), spec.floor)
        return DB_OF_LN * tf.math.log(banded / spec.reference)

    return decibels


def _kaldi_log_mel(spec: KaldiLogMelSpec, rate: int) -> Callable[[Any], Any]:
    import tensorflow as tf

    mel = tf.constant(mel_matrix(spec, rate).T, tf.float32)
    taper = np.hanning(spec.win_length).astype(np.float32)
    constant = taper / taper.mean()
    past = [[0, 0], [spec.win_length - spec.hop, 0]]

    def decibels(waveforms: Any) -> Any:
        before = tf.pad(waveforms[:, :-1], [[0, 0], [1, 0]])
        emphasised = waveforms - spec.pre_emphasis * before
        frames = tf.signal.frame(tf.pad(emphasised, past), spec.win_length, spec.hop) * taper
        frames -= tf.reduce_mean(frames, axis=-1, keepdims=True) * constant
        spectrum = tf.signal.rfft(frames, [spec.n_fft])
        return DB_OF_LN * tf.math.log(tf.einsum("btf,fm->btm", _power(spectrum), mel) + spec.offset)

    return decibels


def _power(spectrum: Any) -> Any:
    import tensorflow as tf

    return tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2


def on_features(
    model: Callable[..., Any], spec: MelSpec, scaling: Scaling, rate: int = RATE
) -> Callable[[Any], Any]:
    """Return the network as a function of dB, shape (batch, SECONDS · rate // hop, n_mels), to ten logits.

    A sound's logits are the mean over windows a second apart, in inference mode, without
    ``background``.
    """
    import tensorflow as tf

    step = round(_WINDOW_STEP_S * rate / spec.hop)
    starts = range(0, SECONDS * rate // spec.hop - spec.frames + 1, step)

    def logits(decibels: Any) -> Any:
        scaled = (tf.cast(decibels, tf.float32) - scaling.mean) / scaling.std
        windows = tf.concat([scaled[:, start : start + spec.frames] for start in starts], axis=0)
        each = tf.split(model(windows, training=False), len(starts))
        return tf.add_n(each)[:, : len(CLASSES)] / len(starts)

    return compiled(logits)


def on_waveforms(
    model: Callable[..., Any], spec: MelSpec, scaling: Scaling, rate: int = RATE
) -> Callable[[Any], Any]:
    """Return the network as a function of sounds, shape (batch, SECONDS · rate), to ten logits."""
    import tensorflow as tf

    features, network = log_mel(spec, rate), on_features(model, spec, scaling, rate)

    def logits(sounds: Any) -> Any:
        return network(features(tf.cast(sounds, tf.float32)))

    return compiled(logits)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` as a TensorFlow graph that accepts inputs of any length."""
    import tensorflow as tf

    graph: Callable[..., Any] = tf.function(function, reduce_retracing=True)
    return graph
