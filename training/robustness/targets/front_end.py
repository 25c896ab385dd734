"""The monitor's front end in TensorFlow, differentiable with respect to the waveform.

Its features equal those of :class:`monitor.features.logmel.LogMel`, as a test verifies. The gradient
of a band at its floor is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from monitor.features.logmel import mel_matrix
from monitor.features.spec import LogMelSpec
from training.data.audio import RATE
from training.data.corpora import CLASSES
from training.fit.windows import Scaling

SECONDS = 4
"""Length of attacked sounds, as of most clips of the corpus."""
SAMPLES = SECONDS * RATE
_WINDOW_STEP_S = 1.0


def log_mel(spec: LogMelSpec, rate: int) -> Callable[[Any], Any]:
    """Return the function from waveforms, shape (batch, n), to dB, shape (batch, n // hop, n_mels).

    Silence precedes the signal, as in a stream; ``spec``'s normalisation is left to the caller.
    """
    import tensorflow as tf

    mel = tf.constant(mel_matrix(spec, rate).T, tf.float32)
    left = (spec.n_fft - spec.win_length) // 2
    right = spec.n_fft - spec.win_length - left
    taper = tf.pad(tf.signal.hann_window(spec.win_length, periodic=True), [[left, right]])
    past = [[0, 0], [spec.n_fft - spec.hop, 0]]

    def decibels(waveforms: Any) -> Any:
        frames = tf.signal.frame(tf.pad(waveforms, past), spec.n_fft, spec.hop)
        spectrum = tf.signal.rfft(frames * taper)
        power = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
        banded = tf.maximum(tf.einsum("btf,fm->btm", power, mel), spec.floor)
        return 10.0 / np.log(10.0) * tf.math.log(banded / spec.reference)

    return decibels


def on_features(model: Any, spec: LogMelSpec, scaling: Scaling) -> Callable[[Any], Any]:
    """Return the network as a function of dB, shape (batch, SAMPLES // hop, n_mels), to ten logits.

    A sound's logits are the mean over windows a second apart, in inference mode, without
    ``background``.
    """
    import tensorflow as tf

    step = round(_WINDOW_STEP_S * RATE / spec.hop)
    starts = range(0, SAMPLES // spec.hop - spec.frames + 1, step)

    def logits(decibels: Any) -> Any:
        scaled = (tf.cast(decibels, tf.float32) - scaling.mean) / scaling.std
        windows = tf.concat([scaled[:, start : start + spec.frames] for start in starts], axis=0)
        each = tf.split(model(windows, training=False), len(starts))
        return tf.add_n(each)[:, : len(CLASSES)] / len(starts)

    return compiled(logits)


def on_waveforms(model: Any, spec: LogMelSpec, scaling: Scaling) -> Callable[[Any], Any]:
    """Return the network as a function of sounds, shape (batch, SAMPLES), to logits of the ten classes."""
    import tensorflow as tf

    features, network = log_mel(spec, RATE), on_features(model, spec, scaling)

    def logits(sounds: Any) -> Any:
        return network(features(tf.cast(sounds, tf.float32)))

    return compiled(logits)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` as a TensorFlow graph that accepts inputs of any length."""
    import tensorflow as tf

    graph: Callable[..., Any] = tf.function(function, reduce_retracing=True)
    return graph
