"""Adversarially trained networks against plain ones: clean accuracy lost, robustness gained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.base.maths import db_of_amplitude
from training.base.variants import base_of
from training.errors import DataError
from training.records.jobs import JobRecord
from training.robustness.attacks.in_features import EPSILONS_DB, Pushed
from training.robustness.attacks.in_sound import SNRS_DB, Attacked
from training.scoring.intervals import DRAWS, LEVEL, Interval, difference
from training.scoring.statistics import Rows, rows

Values = NDArray[np.float64]
_NO_BUDGET = ""

MOST_LOST = 0.03
"""Clean accuracy that a release candidate may lose, at the lower end of its interval."""


@dataclass(frozen=True)
class Side:
    """One network: its records of full test folds, and the attacks on some of their clips."""

    records: tuple[JobRecord, ...]
    pushed: tuple[Pushed, ...]
    attacked: tuple[Attacked, ...]


@dataclass(frozen=True)
class Attacks:
    """Attacks on both networks and the same clips, in features or by waveform.

    Parameters
    ----------
    robust, plain_robust
        Share of the clips that withstand each budget; "clean" is no attack.
    gained
        Difference of the shares, adversarially trained minus plain, paired by recording.
    least, plain_least
        Medians of DeepFool's smallest change over clips that both classify correctly, in RMS dB of
        features or dB SNR.
    harder
        Increase of the smallest change in dB, clip by clip: 10 %, median, 90 %.
    apart, clip_by_clip
        Difference of the medians and median of the differences in dB, bootstrapped over recordings.
    in_16_bits
        ``clip_by_clip`` for perturbations that succeed after rounding; None for features.
    """

    clips: int
    both_right: int
    robust: Mapping[str, float]
    plain_robust: Mapping[str, float]
    gained: Mapping[str, Interval]
    least: float
    plain_least: float
    harder: tuple[float, float, float]
    apart: Interval
    clip_by_clip: Interval
    in_16_bits: Interval | None = None


@dataclass(frozen=True)
class HardenedPair:
    """An adversarially trained network and the plain one of as many epochs.

    Parameters
    ----------
    accuracy, plain_accuracy, gained
        Over all clips of the test ``folds``; adversarially trained minus plain, paired by recording.
    features, sound
        Attacks on clips of folds on which both were attacked; None where there are none.
    """

    model: str
    plain: str
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    accuracy: float
    plain_accuracy: float
    gained: Interval
    features: Attacks | None
    sound: Attacks | None

    @property
    def is_candidate(self) -> bool:
        """Return whether the interval of lost clean accuracy stays below :data:`MOST_LOST`."""
        return self.gained.low > -MOST_LOST


def plain_of(model: str) -> str:
    """Return the same network without adversarial training; itself if it has none."""
    base, *changes = model.split("~")
    return "~".join([base, *(change for change in changes if not change.startswith("hardening."))])


def is_hardened(model: str) -> bool:
    return model != base_of(model) and plain_of(model) != model


def pair(plain: Side, hardened: Side) -> HardenedPair:
    """Compare on the folds that both have records of, and on the clips that both were attacked on.

    Raises
    ------
    DataError
        If they share no fold, or different clips of a fold were attacked.
    """
    jobs = sorted(_jobs(plain.records) & _jobs(hardened.records))
    if not jobs:
        raise DataError("an adversarially trained network and its plain one share no fold; test both on one")
    soft, hard = ([r for r in side.records if _job(r) in jobs] for side in (plain, hardened))
    return HardenedPair(
        model=hard[0].job.model,
        plain=soft[0].job.model,
        folds=tuple(sorted({fold for fold, _ in jobs})),
        seeds=tuple(sorted({seed for _, seed in jobs})),
        accuracy=_accuracy(hard),
        plain_accuracy=_accuracy(soft),
        gained=difference(rows(hard), rows(soft)),
        features=_in_features(*_common(plain.pushed, hardened.pushed)),
        sound=_by_sound(*_common(plain.attacked, hardened.attacked)),
    )


def _accuracy(records: Sequence[JobRecord]) -> float:
    """Return the share of correct clips over all folds, seeds weighted equally."""
    right = sum(int((r.clips.prediction == r.clips.truth).sum()) for r in records)
    return right / sum(len(r.clips.truth) for r in records)


def _job(record: JobRecord) -> tuple[int, int]:
    return record.job.test_fold, record.job.seed


def _jobs(records: Sequence[JobRecord]) -> set[tuple[int, int]]:
    return {_job(record) for record in records}


Found = TypeVar("Found", Pushed, Attacked)


def _common(plain: Sequence[Found], hardened: Sequence[Found]) -> tuple[list[Found], list[Found]]:
    """Return the attacks that both have, in the same order."""
    sides = [{(found.fold, found.seed): found for found in side} for side in (plain, hardened)]
    jobs = sorted(sides[0].keys() & sides[1].keys())
    soft, hard = ([side[job] for job in jobs] for side in sides)
    for one, other in zip(soft, hard, strict=True):
        if tuple(one.clips) != tuple(other.clips):
            raise DataError("the two networks were attacked on different clips; attack one of them again")
    return soft, hard


def _in_features(soft: Sequence[Pushed], hard: Sequence[Pushed]) -> Attacks | None:
    budgets = {f"{e:g}": f"{e:g} dB a bin" for e in EPSILONS_DB}
    nearest = [[value for found in side for value in found.rms_db] for side in (soft, hard)]
    return _attacks(soft, hard, budgets, nearest, lambda plain, hardened: db_of_amplitude(hardened / plain))


def _by_sound(soft: Sequence[Attacked], hard: Sequence[Attacked]) -> Attacks | None:
    budgets = {f"{s:g}": f"{s:g} dB SNR" for s in SNRS_DB}
    nearest = [[value for found in side for value in found.snr_db] for side in (soft, hard)]
    found = _attacks(soft, hard, budgets, nearest, lambda plain, hardened: plain - hardened)
    rounded = _both([[value for one in side for value in one.rounded_snr_db] for side in (soft, hard)], hard)
    if found is None or rounded is None:
        return found
    (plain, hardened), recordings = rounded
    return replace(found, in_16_bits=_drawn(plain - hardened, recordings, _median))


def _both(
    least: Sequence[Sequence[float | None]], side: Sequence[Pushed | Attacked]
) -> tuple[Values, NDArray[np.str_]] | None:
    """Return the smallest changes, shape (2, clips), where both have one, and the clips' recordings."""
    names = np.array([name for found in side for name in found.recordings])
    there = np.array([None not in pair for pair in zip(*least, strict=True)], bool)
    if not there.any():
        return None
    return np.array([np.array(one, object)[there] for one in least], float), names[there]


def _median(values: Values) -> float:
    return float(np.median(values, axis=-1))


def _drawn(values: Values, recordings: NDArray[np.str_], figure: Callable[[Values], float]) -> Interval:
    """Return the figure of values, shape (…, clips), with its bootstrap interval over recordings."""
    rng, names = np.random.default_rng(0), np.unique(recordings)
    places = [np.flatnonzero(recordings == name) for name in names]
    draws = []
    for drawn in rng.integers(len(names), size=(DRAWS, len(names))):
        draws.append(figure(values[..., np.concatenate([places[i] for i in drawn])]))
    low, high = np.quantile(draws, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(figure(values), float(low), float(high), len(recordings), len(names))


def _attacks(
    soft: Sequence[Found],
    hard: Sequence[Found],
    budgets: Mapping[str, str],
    nearest: Sequence[Sequence[float | None]],
    stronger: Callable[[Values, Values], Values],
) -> Attacks | None:
    there = _both(nearest, hard)
    if there is None:
        return None
    (plain, hardened), recordings = there
    by_clip = stronger(plain, hardened)
    low, middle, high = np.quantile(by_clip, (0.1, 0.5, 0.9))

    def between(sides: Values) -> float:
        return float(stronger(*np.median(sides, axis=-1)))

    return Attacks(
        len(nearest[0]), len(recordings), _robust(hard, budgets), _robust(soft, budgets),
        _gained(hard, soft, budgets), _median(hardened), _median(plain),
        (float(low), float(middle), float(high)),
        _drawn(np.array([plain, hardened]), recordings, between), _drawn(by_clip, recordings, _median),
    )  # fmt: skip


def _robust(side: Sequence[Found], budgets: Mapping[str, str]) -> dict[str, float]:
    """Return the share of attacked clips that are correct, clean and under each budget."""
    return {
        name: float(np.mean([value for found in side for value in _kept(found, key)]))
        for key, name in {_NO_BUDGET: "clean", **budgets}.items()
    }


def _gained(hard: Sequence[Found], soft: Sequence[Found], budgets: Mapping[str, str]) -> dict[str, Interval]:
    names = {_NO_BUDGET: "clean", **budgets}
    return {name: difference(_scored(hard, key), _scored(soft, key)) for key, name in names.items()}


def _kept(found: Found, budget: str) -> Sequence[bool]:
    return found.right if budget == _NO_BUDGET else found.withstood[budget]


def _scored(side: Sequence[Found], budget: str) -> Rows:
    """Return the clips as a one-class problem: correct or not."""
    clips = [(found.fold, clip) for found in side for clip in found.clips]
    seeds = Counter(found.fold for found in side)
    kept = np.array([value for found in side for value in _kept(found, budget)])
    ones = np.ones(len(clips), np.int64)
    return Rows(
        tuple(clips), np.array([name for found in side for name in found.recordings]), ones, 0 * ones,
        np.where(kept, 0, 1), np.array([1 / seeds[fold] for fold, _ in clips]),
        np.eye(2, dtype=np.float32)[0 * ones],
    )  # fmt: skip
