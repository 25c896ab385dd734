"""What adversarial training costs in clean accuracy and buys in robustness, beside a plain net."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data import CLASSES, Clip
from training.errors import DataError
from training.mixing import Floats
from training.prepare import RATE
from training.robustness.attacks import deepfool, descend, push_features, right, snr_db, sounds_of
from training.robustness.front_end import log_mel, on_features, on_waveforms
from training.study.augmented import Network
from training.study.intervals import Interval, difference
from training.study.records import JobRecord
from training.study.stats import rows

FEATURES_DB = (0.1, 0.25, 0.5, 1.0)
BUDGETS_DB = (60.0, 50.0, 40.0, 30.0)
_STEPS = 10
_BATCH = 50
MOST_LOST = 0.03
"""Clean accuracy that a candidate for shipping may lose, at the lower end of its interval."""


@dataclass(frozen=True)
class Attacked:
    """One network of one fold under attack; a row per clip, in the order of the clips.

    right : whether the undisturbed sound is taken for what it is
    withstood : by attack ("0.5 dB a bin", "40 dB SNR"), whether it still is; wrong ones count as fooled
    deepfool_db : SNR of the smallest perturbation that DeepFool found; None where the sound was wrong
    """

    model: str
    fold: int
    seed: int
    clips: tuple[str, ...]
    right: tuple[bool, ...]
    withstood: Mapping[str, tuple[bool, ...]]
    deepfool_db: tuple[float | None, ...]


@dataclass(frozen=True)
class Pair:
    """A hardened network against the plain one of as many epochs.

    accuracy, gained : over whole test folds, hardened less plain, paired by recording
    robust, plain_robust : share of the attacked clips that withstand each attack
    deepfool_db, plain_deepfool_db : medians over the clips that both take for what they are
    clips, both_right : attacked clips, and of these how many count for the medians
    """

    model: str
    plain: str
    accuracy: float
    gained: Interval
    robust: Mapping[str, float]
    plain_robust: Mapping[str, float]
    deepfool_db: float
    plain_deepfool_db: float
    clips: int
    both_right: int

    @property
    def harder_db(self) -> float:
        """By how much the attacker's smallest perturbation is nearer to the sound's own level."""
        return self.plain_deepfool_db - self.deepfool_db

    @property
    def is_candidate(self) -> bool:
        """Whether it is sure enough to lose less clean accuracy than :data:`MOST_LOST`."""
        return self.gained.low > -MOST_LOST


def attack(
    model: str, seed: int, network: Network, clips: Sequence[Clip], say: Callable[[str], None]
) -> Attacked:
    """Attack a network by every budget, in features and waveforms."""
    sounds, truth = sounds_of(clips), np.array([CLASSES.index(clip.label) for clip in clips])
    given = (network.model, network.front.spec, network.scaling)
    heard, seen = on_waveforms(*given), on_features(*given)
    features = log_mel(network.front.spec, RATE)
    parts: list[tuple[Any, ...]] = []
    for first in range(0, len(clips), _BATCH):
        batch, labels = sounds[first : first + _BATCH], truth[first : first + _BATCH]
        known = right(heard, batch, labels)
        withstood = {
            **_in_features(seen, np.asarray(features(batch)), labels, known),
            **_in_sound(heard, batch, labels, known),
        }
        parts.append((known, withstood, _nearest(heard, batch, labels, known)))
        say(f"{model}: {min(first + _BATCH, len(clips))} of {len(clips)} clips attacked")
    return Attacked(
        model, clips[0].fold, seed,
        tuple(clip.path.stem for clip in clips),
        tuple(bool(v) for known, _, _ in parts for v in known),
        {name: tuple(bool(v) for _, by, _ in parts for v in by[name]) for name in parts[0][1]},
        tuple(value for _, _, nearest in parts for value in nearest),
    )  # fmt: skip


def _in_features(
    seen: Any, decibels: Floats, truth: NDArray[np.int64], known: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    """A larger budget includes a smaller one: what was fooled stays fooled."""
    held, kept = {}, known.copy()
    for epsilon_db in FEATURES_DB:
        kept &= right(seen, push_features(seen, decibels, truth, epsilon_db, _STEPS), truth)
        held[f"{epsilon_db:g} dB a bin"] = kept.copy()
    return held


def _in_sound(
    heard: Any, sounds: Floats, truth: NDArray[np.int64], known: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    held, kept = {}, known.copy()
    for budget_db in BUDGETS_DB:
        kept &= right(heard, descend(heard, sounds, truth, budget_db, _STEPS), truth)
        held[f"{budget_db:g} dB SNR"] = kept.copy()
    return held


def _nearest(
    heard: Any, sounds: Floats, truth: NDArray[np.int64], known: NDArray[np.bool_]
) -> list[float | None]:
    if not known.any():
        return [None] * len(sounds)
    found = iter(snr_db(sounds[known], deepfool(heard, sounds[known], truth[known])).tolist())
    return [round(next(found), 2) if one else None for one in known]


def pair(
    plain: Sequence[JobRecord],
    hardened: Sequence[JobRecord],
    plain_attacked: Sequence[Attacked],
    hardened_attacked: Sequence[Attacked],
) -> Pair:
    """Compare on the same clips of the same folds and seeds.

    Raises
    ------
    DataError : the attacks were on other clips
    """
    names = [{(a.fold, a.seed): a.clips for a in group} for group in (plain_attacked, hardened_attacked)]
    if names[0] != names[1]:
        raise DataError("the two networks were attacked on different clips; attack one of them again")
    soft, hard = (sorted(g, key=lambda a: (a.fold, a.seed)) for g in (plain_attacked, hardened_attacked))
    nearest = [[value for a in group for value in a.deepfool_db] for group in (soft, hard)]
    both = [(s, h) for s, h in zip(*nearest, strict=True) if s is not None and h is not None]
    medians = np.median(np.array(both).reshape(-1, 2), axis=0) if both else (float("nan"), float("nan"))
    return Pair(
        hardened[0].job.model,
        plain[0].job.model,
        float(np.mean([record.clips.accuracy for record in hardened])),
        difference(rows(hardened), rows(plain)),
        _robust(hard),
        _robust(soft),
        float(medians[1]),
        float(medians[0]),
        len(nearest[0]),
        len(both),
    )


def _robust(group: Sequence[Attacked]) -> dict[str, float]:
    """Share of all clips that are right, undisturbed and under each attack."""
    columns = {"clean": [v for a in group for v in a.right]}
    columns |= {name: [v for a in group for v in a.withstood[name]] for name in group[0].withstood}
    return {name: float(np.mean(values)) for name, values in columns.items()}
