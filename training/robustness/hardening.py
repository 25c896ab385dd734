"""What adversarial training costs in clean accuracy and buys in robustness, beside a plain net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.errors import DataError
from training.robustness.in_features import EPSILONS_DB, Pushed
from training.robustness.in_sound import SNRS_DB, Attacked
from training.study.intervals import Interval, difference
from training.study.records import JobRecord
from training.study.stats import rows
from training.study.variants import base_of

MOST_LOST = 0.03
"""Clean accuracy that a candidate for shipping may lose, at the lower end of its interval."""


@dataclass(frozen=True)
class Side:
    """One network: its records of whole test folds, and the attacks on some of their clips."""

    records: tuple[JobRecord, ...]
    pushed: tuple[Pushed, ...]
    attacked: tuple[Attacked, ...]


@dataclass(frozen=True)
class Pair:
    """A hardened network against the plain one of as many epochs.

    accuracy, gained : over whole test folds, hardened less plain, paired by recording
    robust, plain_robust : share of the attacked clips that withstand each attack
    snr_db, plain_snr_db : medians of DeepFool's SNR over the clips that both take for what they are
    harder : by how many dB the attacker must be louder, clip by clip: 10 %, median, 90 %
    folds, clips, both_right : what was attacked, and how many clips count for the medians
    """

    model: str
    plain: str
    accuracy: float
    gained: Interval
    robust: Mapping[str, float]
    plain_robust: Mapping[str, float]
    snr_db: float
    plain_snr_db: float
    harder: tuple[float, float, float]
    folds: tuple[int, ...]
    clips: int
    both_right: int

    @property
    def is_candidate(self) -> bool:
        """Whether it is sure enough to lose less clean accuracy than :data:`MOST_LOST`."""
        return self.gained.low > -MOST_LOST


def plain_of(model: str) -> str:
    """Return the same network without hardening; itself where it has none."""
    base, *changes = model.split("~")
    return "~".join([base, *(change for change in changes if not change.startswith("hardening."))])


def is_hardened(model: str) -> bool:
    return model != base_of(model) and plain_of(model) != model


def pair(plain: Side, hardened: Side) -> Pair:
    """Compare on the clips that both were attacked on, and on the folds that both have records of.

    Raises
    ------
    DataError : they have no fold in common, or the attacks were on other clips of it
    """
    (soft, hard), folds = _common(plain, hardened)
    nearest = [[value for a in side.attacked for value in a.snr_db] for side in (soft, hard)]
    both = np.array(
        [(s, h) for s, h in zip(*nearest, strict=True) if s is not None and h is not None]
    ).reshape(-1, 2)
    if not len(both):
        raise DataError(f"{hardened.records[0].job.model}: no clip that it and the plain network take right")
    low, middle, high = np.quantile(both[:, 0] - both[:, 1], (0.1, 0.5, 0.9))
    return Pair(
        hard.records[0].job.model,
        soft.records[0].job.model,
        float(np.mean([record.clips.accuracy for record in hard.records])),
        difference(rows(hard.records), rows(soft.records)),
        _robust(hard),
        _robust(soft),
        float(np.median(both[:, 1])),
        float(np.median(both[:, 0])),
        (float(low), float(middle), float(high)),
        folds,
        len(nearest[0]),
        len(both),
    )


def _common(plain: Side, hardened: Side) -> tuple[tuple[Side, Side], tuple[int, ...]]:
    """Both sides on the folds and seeds that both have everything of, in one order."""
    jobs = set.intersection(*(_jobs(side) for side in (plain, hardened)))
    if not jobs:
        raise DataError("a hardened network and its plain one share no fold; attack and test both on one")
    sides = tuple(_only(side, sorted(jobs)) for side in (plain, hardened))
    for attacks in zip(*([*side.pushed, *side.attacked] for side in sides), strict=True):
        if len({tuple(a.clips) for a in attacks}) > 1:
            raise DataError("the two networks were attacked on different clips; attack one of them again")
    return (sides[0], sides[1]), tuple(sorted({fold for fold, _ in jobs}))


def _jobs(side: Side) -> set[tuple[int, int]]:
    return (
        {(r.job.test_fold, r.job.seed) for r in side.records}
        & {(p.fold, p.seed) for p in side.pushed}
        & {(a.fold, a.seed) for a in side.attacked}
    )


def _only(side: Side, jobs: Sequence[tuple[int, int]]) -> Side:
    records = {(r.job.test_fold, r.job.seed): r for r in side.records}
    pushed = {(p.fold, p.seed): p for p in side.pushed}
    attacked = {(a.fold, a.seed): a for a in side.attacked}
    return Side(
        tuple(records[job] for job in jobs),
        tuple(pushed[job] for job in jobs),
        tuple(attacked[job] for job in jobs),
    )


def _robust(side: Side) -> dict[str, float]:
    """Share of all attacked clips that are right, undisturbed and under each attack."""
    columns = {"clean": [v for a in side.attacked for v in a.right]}
    columns |= {
        f"{e:g} dB a bin": [v for p in side.pushed for v in p.withstood[f"{e:g}"]] for e in EPSILONS_DB
    }
    columns |= {f"{s:g} dB SNR": [v for a in side.attacked for v in a.withstood[f"{s:g}"]] for s in SNRS_DB}
    return {name: float(np.mean(values)) for name, values in columns.items()}
