"""Noise reduction by spectral gating."""

from __future__ import annotations

import numpy as np

from monitor.records import Samples

_N_FFT = 1024
_SHORTEST = 4 * _N_FFT
"""The gate smooths over neighbouring frames; a shorter clip is repeated to this length first."""


def denoise(samples: Samples, rate: int) -> Samples:
    """Return ``samples``, shape (n,), without stationary noise.

    The noise profile is the clip's own mean spectrum, so steady sounds (a fan, an idling engine) are
    reduced too; it is therefore off by default.

    References
    ----------
    Sainburg et al., PLOS Computational Biology 16(10), 2020 (noisereduce).
    """
    import noisereduce

    if not np.any(samples):
        return samples
    repeated = np.resize(samples, max(_SHORTEST, len(samples)))
    gated = noisereduce.reduce_noise(y=repeated, sr=rate, stationary=True, n_fft=_N_FFT)
    return np.asarray(gated[: len(samples)], np.float32)
