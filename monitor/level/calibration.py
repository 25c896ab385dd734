"""From dBFS to sound pressure levels: the sensitivity of a microphone, and how a calibrator shows it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitor.errors import AudioError
from monitor.level.meter import FULL_SCALE, decibels, magnitude
from monitor.records import Samples

REFERENCE_DB = 94.0
"""Sound pressure level of 1 Pa, at which sensitivities are given."""

SINE_DBFS = 10 * math.log10(0.5)
"""Mean square of a full-scale sine in dB; data sheets call this sine 0 dBFS."""

LEAST_S = 4.0
"""Shortest recording of a calibrator, seconds."""

_SETTLING_S = 1.0
"""Left out at either end, where a hand is still on the calibrator, seconds."""
_STEADY_DB = 0.5
"""Largest range of the level of a calibrator that sits well."""
_PURITY_DB = 15.0
"""How far the tone must stand over everything else."""
_BAND_HZ = 10.0
"""What is within this of the tone is the tone."""
_TONES_HZ = (100.0, 2000.0)
"""Calibrators sound at 250 Hz or 1 kHz, where microphones are flat."""


@dataclass(frozen=True, slots=True)
class Tone:
    """The tone of a calibrator, as it was recorded.

    Parameters
    ----------
    hz : float
        Frequency.
    level_dbfs : float
        Level of the tone alone; a full-scale sine has −3.0.
    """

    hz: float
    level_dbfs: float


def offset_db(sensitivity_dbfs: float) -> float:
    """Return what makes levels in dBFS sound pressure levels in dB.

    Parameters
    ----------
    sensitivity_dbfs : float
        What 94 dB give, in dBFS of data sheets, where a full-scale sine has 0.
    """
    return REFERENCE_DB - (sensitivity_dbfs + SINE_DBFS)


def sensitivity_dbfs(tone: Tone, at_db: float) -> float:
    """Return what 94 dB give, in dBFS of data sheets, if the tone's sound pressure level was ``at_db``."""
    return tone.level_dbfs - SINE_DBFS + REFERENCE_DB - at_db


def find_tone(samples: Samples, rate: int) -> Tone:
    """Return the calibrator's tone in a recording of it.

    Parameters
    ----------
    samples : ndarray, shape (n,), float32
        One channel, full scale ±1.
    rate : int
        Hz.

    Raises
    ------
    AudioError
        This is no steady, pure tone that is free of overload; the text says what to do.
    """
    if len(samples) < LEAST_S * rate:
        raise AudioError(f"{len(samples) / rate:.1f} s are too short; record {LEAST_S:g} s or more")
    margin = round(_SETTLING_S * rate)
    settled = samples[margin : len(samples) - margin]
    if magnitude(settled) >= FULL_SCALE:
        raise AudioError("the tone overloads the input; turn the gain down and record again")
    tone = _strongest(settled, rate)
    span_db = _span_db(settled - settled.mean(), rate)
    if span_db > _STEADY_DB:
        raise AudioError(
            f"the tone varies by {span_db:.1f} dB ({_STEADY_DB:g} are allowed); hold still, check the"
            " battery and record again"
        )
    return tone


def _strongest(samples: Samples, rate: int) -> Tone:
    window = np.hanning(len(samples))
    powers = np.abs(np.fft.rfft(samples * window)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / rate)
    powers[hz <= _BAND_HZ] = 0.0
    peak_hz = float(hz[np.argmax(powers)])
    tone = np.abs(hz - peak_hz) <= _BAND_HZ
    inside, outside = (max(float(powers[part].sum()), 1e-30) for part in (tone, ~tone))
    purity_db = 10 * math.log10(inside / outside)
    if purity_db < _PURITY_DB or not _TONES_HZ[0] <= peak_hz <= _TONES_HZ[1]:
        raise AudioError(
            f"no calibrator tone: the strongest tone, at {peak_hz:.0f} Hz, is {purity_db:+.0f} dB relative to"
            f" all else ({_PURITY_DB:+g} are needed); put the calibrator on, switch it on and record again"
        )
    mean_square = 2 * inside / (len(samples) * float(np.square(window).sum()))
    return Tone(peak_hz, decibels(mean_square))


def _span_db(samples: Samples, rate: int) -> float:
    """Range of the levels of quarters of a second."""
    parts = np.array_split(samples, max(1, len(samples) * 4 // rate))
    levels = [decibels(float(np.mean(np.square(part, dtype=np.float64)))) for part in parts]
    return max(levels) - min(levels)
