"""Synthetic alarms: beeps of a tone in groups."""

from __future__ import annotations

import numpy as np

from monitor.patterns.spec import Pattern

RATE = 16000


def alarm(
    pattern: Pattern,
    hz: float,
    seconds: float,
    *,
    rate: int = RATE,
    start_s: float = 1.0,
    clock: float = 0.0,
    pause: float = 0.0,
) -> np.ndarray:
    """A sounder from ``start_s`` on; ``clock`` stretches all lengths, ``pause`` the pauses besides."""
    time = np.arange(round(seconds * rate)) / rate - start_s
    beep_s, gap_s = pattern.beep_s * (1 + clock), pattern.gap_s * (1 + clock)
    group_s = pattern.count * (beep_s + gap_s) - gap_s
    cycle_s = group_s + pattern.pause_s * (1 + clock) * (1 + pause)
    within = np.mod(time, cycle_s)
    on = (time >= 0) & (within < group_s) & (np.mod(within, beep_s + gap_s) < beep_s)
    return (on * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def noise(seconds: float, level_db: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """White noise of so many dB full scale, RMS."""
    samples = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return (samples * 10 ** (level_db / 20)).astype(np.float32)
