"""False alarms of the pattern detector on recordings without an alarm pattern."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
from corpora import Recording, recordings
from signals import Signal

from monitor.config.patterns import ENTER
from monitor.features.resample import Resampler
from monitor.patterns.detector import PatternScores
from monitor.patterns.spec import BEEPS, CO_ALARM, SMOKE_ALARM

PATTERNS = (SMOKE_ALARM, CO_ALARM, BEEPS)
RATE = 16000


def measure(data: Path, passes: int, seed: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Stream all recordings once unmodified and ``passes`` times augmented; yield each half separately."""
    found = recordings(data)
    for name, held_out in (("held out", True), ("development", False)):
        half = [one for one in found if one.held_out == held_out]
        rng = np.random.default_rng((seed, held_out))
        yield name, _half(half, passes, rng)


def _half(half: list[Recording], passes: int, rng: np.random.Generator) -> dict[str, object]:
    seconds: Counter[str] = Counter()
    alarms: list[dict[str, object]] = []
    cpu_s = 0.0
    for number in range(passes + 1):
        print(f"pass {number} over {len(half)} recordings; {len(alarms)} false alarms", flush=True)
        for source, samples in _sources(half):
            changed = samples if number == 0 else _changed(samples, half, rng)
            before = time.process_time()
            labels = _alarms(changed)
            cpu_s += time.process_time() - before
            seconds["as recorded" if number == 0 else "changed"] += len(changed) / RATE
            alarms += [{"pass": number, "label": label, "source": source} for label in labels]
    hours = {name: round(value / 3600, 3) for name, value in seconds.items()}
    total = sum(hours.values())
    return {
        "recordings": len(half),
        "hours": hours,
        "alarms": alarms,
        "labels": [pattern.label for pattern in PATTERNS],
        "cpu_ms_per_minute": round(1000 * cpu_s / (total * 60), 2),
    }


def _sources(half: list[Recording]) -> Iterator[tuple[str, Signal]]:
    """Return the clips grouped by source and class, in the order of the original recording."""
    ordered = sorted(half, key=lambda one: (one.source, one.category, one.path.name))
    for (source, category), clips in groupby(ordered, key=lambda one: (one.source, one.category)):
        yield f"{source} {category}", np.concatenate([one.read(RATE) for one in clips])


def _changed(samples: Signal, half: list[Recording], rng: np.random.Generator) -> Signal:
    """Change speed (and pitch) and level, clip some, mix another recording beneath."""
    speed = float(np.exp(rng.uniform(np.log(0.8), np.log(1.25))))
    resampler = Resampler(round(RATE * speed), RATE)
    samples = np.concatenate([resampler.push(samples), resampler.flush()])
    other = half[int(rng.integers(len(half)))].read(RATE)
    other = np.tile(other, -(-len(samples) // len(other)))[: len(samples)]
    mixed = samples + other * np.float32(10.0 ** (rng.uniform(-20.0, 0.0) / 20.0))
    mixed *= np.float32(10.0 ** (rng.uniform(-30.0, 20.0) / 20.0))
    return np.clip(mixed, -1.0, 1.0).astype(np.float32)


def _alarms(samples: Signal) -> list[str]:
    """Return the label of each alarm, that is of each upward threshold crossing of a score."""
    scores = PatternScores(PATTERNS, RATE)
    on = np.zeros(len(PATTERNS), np.bool_)
    labels = []
    for at in range(0, len(samples), RATE):
        now = scores.push(samples[at : at + RATE]) >= ENTER
        labels += [PATTERNS[index].label for index in np.flatnonzero(now & ~on)]
        on = now.copy()
    return labels
