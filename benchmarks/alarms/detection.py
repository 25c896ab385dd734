"""Detection rate and delay for synthetic alarms in real noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from corpora import Recording, recordings
from signals import Signal, Sounder, at_snr, clip, room, sound

from monitor.config.patterns import ENTER
from monitor.patterns.detector import PatternScores
from monitor.patterns.spec import BEEPS, CO_ALARM, SMOKE_ALARM, Pattern

PATTERNS = (SMOKE_ALARM, CO_ALARM, BEEPS)
_CYCLES = 5
"""Cycles for which an alarm sounds."""

_BEEPING_S = 15.0


@dataclass(frozen=True)
class Condition:
    """Acoustic path from the alarm to the microphone.

    Parameters
    ----------
    snr_db
        RMS of the beeps over RMS of the noise, full band.
    rt60_s
        Reverberation time in s; 0 = none.
    clock
        Largest relative deviation of the clock; pauses deviate as much again, within 10 % in total.
    clip_db
        Peak over full scale in dB; None = not clipped.
    alarms
        Number of simultaneous unsynchronised alarms, at least 120 Hz apart.
    rate
        Sample rate of the analysed audio in Hz.
    """

    name: str
    snr_db: float = 10.0
    rt60_s: float = 0.5
    clock: float = 0.04
    clip_db: float | None = None
    alarms: int = 1
    rate: int = 16000


CONDITIONS = (
    *(Condition(f"SNR {snr} dB, no room", snr_db=snr, rt60_s=0.0) for snr in (20, 10, 5, 0, -5, -10)),
    *(Condition(f"SNR {snr} dB, RT60 0.5 s", snr_db=snr) for snr in (20, 10, 5, 0, -5, -10)),
    *(Condition(f"RT60 {rt60:g} s, SNR 5 dB", snr_db=5.0, rt60_s=rt60) for rt60 in (0.3, 0.7, 1.0)),
    Condition("clock off by up to 8 %", clock=0.08),
    *(Condition(f"clipped, {over:g} dB over full scale", clip_db=over) for over in (12.0, 24.0)),
    Condition("two alarms at once", alarms=2),
    Condition("32 kHz, SNR 0 dB", snr_db=0.0, rate=32000),
)


def measure(data: Path, trials: int, seed: int) -> list[dict[str, object]]:
    """Run every condition on all patterns, with noise of the held-out half."""
    corpora = ("background", "background_more", "effects")
    noises = [one for one in recordings(data) if one.held_out and one.corpus in corpora]
    rows = []
    for number, condition in enumerate(CONDITIONS):
        for index, label in enumerate(pattern.label for pattern in PATTERNS):
            rng = np.random.default_rng((seed, number, index))
            delays = [_trial(condition, index, trial, noises, rng) for trial in range(trials)]
            row = {"pattern": label, **asdict(condition), **_summary(delays)}
            print(row["name"], label, row["within_two"], row["found"], trials, flush=True)
            rows.append(row)
    return rows


def _summary(delays: Sequence[tuple[float | None, float]]) -> dict[str, object]:
    found = [delay for delay, _ in delays if delay is not None]
    return {
        "trials": len(delays),
        "within_two": sum(delay is not None and delay <= limit for delay, limit in delays),
        "found": len(found),
        "median_s": round(float(np.median(found)), 2) if found else None,
    }


def _trial(
    condition: Condition, index: int, number: int, noises: list[Recording], rng: np.random.Generator
) -> tuple[float | None, float]:
    """Return the seconds from the first beep to the detection, and the duration of two cycles."""
    rate, start_s = condition.rate, float(rng.uniform(0.5, 2.5))
    known = PATTERNS[index]
    pattern = known if isinstance(known, Pattern) else _beeping(rng)
    sounders = _sounders(condition, number, rng, (2500.0, 3700.0) if pattern is known else (450.0, 6000.0))
    seconds = start_s + (_CYCLES * pattern.cycle_s * 1.1 if pattern is known else _BEEPING_S)
    alarms = [
        sound(pattern, sounder, seconds, rate, start_s + index * pattern.cycle_s * 0.37)
        for index, sounder in enumerate(sounders)
    ]
    active = np.abs(alarms[0]) > 0.02
    if condition.rt60_s:
        direct_db = float(rng.uniform(-6.0, 6.0))
        alarms = [room(alarm, rate, condition.rt60_s, direct_db, rng) for alarm in alarms]
    level = np.sqrt(np.square(alarms[0][active]).mean())
    mixed = np.sum([alarm / level for alarm in alarms], axis=0).astype(np.float32)
    noise = noises[int(rng.integers(len(noises)))].part(rate, len(mixed), rng)
    samples = at_snr(mixed, noise, condition.snr_db, active)
    samples = clip(samples, -6.0 if condition.clip_db is None else condition.clip_db)
    first = sounders[0]
    cycle_s = (pattern.group_s + pattern.pause_s * (1 + first.pause)) * (1 + first.clock)
    return _recognised(samples, index, rate, start_s), 2 * cycle_s


def _beeping(rng: np.random.Generator) -> Pattern:
    beep_s, gap_s = (float(np.exp(rng.uniform(*np.log(bounds)))) for bounds in ((0.1, 1.0), (0.2, 1.5)))
    return Pattern(BEEPS.label, BEEPS.bands, beep_s, gap_s, 1, gap_s)


def _sounders(
    condition: Condition, number: int, rng: np.random.Generator, band: tuple[float, float]
) -> list[Sounder]:
    """Return alarms in a band, Hz; every fourth is a 520 Hz square wave, ± 10 %."""
    clock = float(rng.uniform(-condition.clock, condition.clock))
    pause = float(rng.uniform(-0.015, 0.015))
    if number % 4 == 3 and condition.alarms == 1:
        return [Sounder(float(rng.uniform(468.0, 572.0)), True, clock, pause)]
    hz = float(rng.uniform(*band))
    return [
        Sounder(hz + index * float(rng.uniform(120.0, 300.0)), False, clock, pause)
        for index in range(condition.alarms)
    ]


def _recognised(samples: Signal, index: int, rate: int, start_s: float) -> float | None:
    scores = PatternScores(PATTERNS, rate)
    step = rate // 8
    for at in range(0, len(samples), step):
        if scores.push(samples[at : at + step])[index] >= ENTER:
            return (at + step) / rate - start_s
    return None
