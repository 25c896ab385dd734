"""F1 at equal false alarms, with intervals over recordings, backgrounds and seeds.

Each draw resamples recordings of sounds, soundscapes and background files, the same for all systems, finds
each system's most sensitive thresholds within the rate of false alarms on the drawn backgrounds, and draws as
many seeds as a system has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.corpora import CLASSES
from training.stream_eval.peers.operating import MOVES, TrialCounts

Numbers = NDArray[np.float64]
RATES = (1.0, 5.0, 20.0)
"""False alarms an hour at which systems are compared."""
CURVE = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
DRAWS = 1000
_TAIL = 0.025


@dataclass(frozen=True)
class Estimate:
    """A figure, its 95 % interval, and the lowest and highest of the seeds alone."""

    value: float
    low: float
    high: float
    seeds: tuple[float, float]


@dataclass(frozen=True)
class Sample:
    """Weights of the units in each draw: recordings and soundscapes, and backgrounds."""

    units: dict[tuple[int, str], int]
    beds: dict[tuple[int, str], int]
    of_units: Numbers
    of_beds: Numbers


def sample(counts: Sequence[TrialCounts], draws: int = DRAWS, seed: int = 0) -> Sample:
    """Draw units with replacement; the first row is the data as they are."""
    units = sorted({(t.fold, row.recording) for t in counts for row in t.sounds}
                   | {(t.fold, row.unit) for t in counts for row in t.false})  # fmt: skip
    beds = sorted({(t.fold, row.name) for t in counts for row in t.beds})
    rng = np.random.default_rng(seed)
    return Sample(
        {unit: number for number, unit in enumerate(units)},
        {bed: number for number, bed in enumerate(beds)},
        _drawn(len(units), draws, rng),
        _drawn(len(beds), draws, rng),
    )


def _drawn(count: int, draws: int, rng: np.random.Generator) -> Numbers:
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    weights: Numbers = np.concatenate([np.ones((1, count)), drawn])
    return weights


@dataclass(frozen=True)
class SystemCurve:
    """A system's figures in each draw, the first of which is the data as they are.

    Parameters
    ----------
    f1
        Macro F1 of onsets at each of :data:`CURVE`, shape (seeds, draws, rates).
    classes
        F1 of each class at each of :data:`CURVE` on the data as they are, mean over seeds, shape
        (rates, classes).
    """

    system: str
    f1: Numbers
    classes: Numbers

    def at(self, rate: float, picks: Numbers) -> Numbers:
        """Return F1 in each draw at a rate, the mean over the seeds picked in it."""
        values = self.f1[:, :, CURVE.index(rate)]
        return _picked(values, picks)


def curve(system: str, counts: Sequence[TrialCounts], drawn: Sample) -> SystemCurve:
    """Return the curve of a system from its trials, the folds of each seed pooled."""
    seeds = sorted({t.seed for t in counts})
    both = [_of_seed([t for t in counts if t.seed == seed], drawn) for seed in seeds]
    return SystemCurve(
        system, np.stack([macro for macro, _ in both]), np.mean([classes for _, classes in both], axis=0)
    )


def _of_seed(trials: Sequence[TrialCounts], drawn: Sample) -> tuple[Numbers, Numbers]:
    found, false = (np.zeros((len(drawn.units), len(CLASSES), len(MOVES))) for _ in range(2))
    sounds = np.zeros((len(drawn.units), len(CLASSES)))
    alarms, hours = np.zeros((len(drawn.beds), len(MOVES))), np.zeros(len(drawn.beds))
    for trial in trials:
        for row in trial.sounds:
            at = drawn.units[trial.fold, row.recording], CLASSES.index(row.label)
            found[at] += row.found
            sounds[at] += row.sounds
        for event in trial.false:
            false[drawn.units[trial.fold, event.unit], CLASSES.index(event.label)] += event.events
        for bed in trial.beds:
            number = drawn.beds[trial.fold, bed.name]
            alarms[number] += bed.alarms
            hours[number] += bed.seconds / 3600
    rate = (drawn.of_beds @ alarms) / (drawn.of_beds @ hours)[:, None]
    true, wrong = (_weighted(drawn.of_units, counts) for counts in (found, false))
    all_sounds = (drawn.of_units @ sounds)[:, :, None]
    f1 = 2 * true / np.maximum(true + wrong + all_sounds, 1e-9)
    there = all_sounds[:, :, 0] > 0
    macro, classes = np.zeros((len(rate), len(CURVE))), np.zeros((len(CURVE), len(CLASSES)))
    for number, limit in enumerate(CURVE):
        move = within(rate, limit)
        chosen = np.take_along_axis(f1, move[:, None, None], axis=2)[:, :, 0]
        macro[:, number] = (chosen * there).sum(axis=1) / there.sum(axis=1)
        classes[number] = chosen[0]
    return macro, classes


def _weighted(weights: Numbers, counts: Numbers) -> Numbers:
    sums: Numbers = (weights @ counts.reshape(len(counts), -1)).reshape(-1, *counts.shape[1:])
    return sums


def within(rate: Numbers, limit: float) -> NDArray[np.int64]:
    """Return the most sensitive shift from which on the rate stays within the limit, for each row."""
    over = rate > limit
    last = rate.shape[1] - 1 - over[:, ::-1].argmax(axis=1)
    first = np.where(over.any(axis=1), last + 1, 0)
    kept: NDArray[np.int64] = np.minimum(first, rate.shape[1] - 1)
    return kept


def picks_of(curve: SystemCurve, seed: int = 1) -> Numbers:
    """Return how often each seed is drawn, shape (seeds, draws); the first draw takes each once."""
    seeds, draws = curve.f1.shape[:2]
    drawn = np.random.default_rng((seed, seeds)).multinomial(seeds, np.full(seeds, 1 / seeds), size=draws - 1)
    picks: Numbers = np.concatenate([np.ones((1, seeds)), drawn]).T
    return picks


def _picked(values: Numbers, picks: Numbers) -> Numbers:
    mean: Numbers = (values * picks).sum(axis=0) / picks.sum(axis=0)
    return mean


def estimate(one: SystemCurve, rate: float) -> Estimate:
    """Return a system's F1 at a rate of false alarms."""
    alone = one.f1[:, 0, CURVE.index(rate)]
    return _estimate(one.at(rate, picks_of(one)), alone)


def difference(first: SystemCurve, second: SystemCurve, rate: float) -> Estimate:
    """Return first − second at a rate, paired by recordings and backgrounds.

    The seeds' range is of each seed of ``first`` against the mean of ``second``.
    """
    drawn = first.at(rate, picks_of(first, 1)) - second.at(rate, picks_of(second, 2))
    alone = first.f1[:, 0, CURVE.index(rate)] - second.f1[:, 0, CURVE.index(rate)].mean()
    return _estimate(drawn, alone)


def _estimate(drawn: Numbers, alone: Numbers) -> Estimate:
    low, high = np.quantile(drawn[1:], (_TAIL, 1 - _TAIL))
    return Estimate(float(drawn[0]), float(low), float(high), (float(alone.min()), float(alone.max())))
