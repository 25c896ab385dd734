"""Synthetic alarms, rooms and microphones; all randomness is seeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.patterns.spec import Pattern

Signal = NDArray[np.float32]


@dataclass(frozen=True)
class Sounder:
    """Build of one alarm.

    Parameters
    ----------
    hz
        Frequency of its tone in Hz.
    square
        Square wave (520 Hz sounders) instead of a sine.
    clock
        Relative deviation of its clock, on all lengths.
    pause
        Further relative deviation of its pauses.
    """

    hz: float
    square: bool = False
    clock: float = 0.0
    pause: float = 0.0


def sound(pattern: Pattern, sounder: Sounder, seconds: float, rate: int, start_s: float = 0.0) -> Signal:
    """Return an alarm that begins at ``start_s`` and sounds to the end, peak 1."""
    time = np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * sounder.hz * time)
    if sounder.square:
        # The odd harmonics below the Nyquist frequency: a square wave without aliasing.
        orders = np.arange(1, rate / 2 / sounder.hz, 2)
        tone = sum(np.sin(2 * np.pi * order * sounder.hz * time) / order for order in orders) * 4 / np.pi
    envelope = np.zeros(len(time))
    at, scale = start_s, 1.0 + sounder.clock
    while at < seconds:
        for _ in range(pattern.count):
            begin, stop = round(at * rate), round((at + pattern.beep_s * scale) * rate)
            envelope[begin:stop] = 1.0
            at += (pattern.beep_s + pattern.gap_s) * scale
        at += (pattern.pause_s * (1.0 + sounder.pause) - pattern.gap_s) * scale
    # A sounder takes some milliseconds to build up and to decay.
    ramp = np.hanning(round(0.006 * rate))
    envelope = np.convolve(envelope, ramp / ramp.sum(), "same")
    return (tone * envelope).astype(np.float32)


def room(signal: Signal, rate: int, rt60_s: float, direct_db: float, rng: np.random.Generator) -> Signal:
    """Return a signal in a room: the direct sound, and noise that decays by 60 dB in ``rt60_s``.

    Parameters
    ----------
    direct_db
        Energy of the direct sound over that of the reverberation in dB.
    """
    length = round(rt60_s * rate)
    tail = rng.standard_normal(length) * 10.0 ** (-3.0 * np.arange(length) / length)
    tail[: round(0.003 * rate)] = 0.0
    tail *= 10.0 ** (-direct_db / 20.0) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    size = 1 << (len(signal) + length).bit_length()
    wet = np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(tail, size), size)[: len(signal)]
    return wet.astype(np.float32)


def clip(signal: Signal, gain_db: float) -> Signal:
    """Return a signal clipped by a microphone, its peak ``gain_db`` over full scale."""
    peak = float(np.abs(signal).max(initial=1e-9))
    return np.clip(signal / peak * 10.0 ** (gain_db / 20.0), -1.0, 1.0).astype(np.float32)


def at_snr(alarm: Signal, noise: Signal, snr_db: float, active: NDArray[np.bool_]) -> Signal:
    """Return both signals, with the alarm, while active, ``snr_db`` over the RMS of the noise."""
    loud = float(np.sqrt(np.square(alarm[active], dtype=np.float64).mean()))
    floor = float(np.sqrt(np.square(noise, dtype=np.float64).mean()))
    return (noise + alarm * np.float32(10.0 ** (snr_db / 20.0) * max(floor, 1e-6) / loud)).astype(np.float32)
