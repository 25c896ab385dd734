"""From logits to decisions: one temperature, and per class the settings of each profile.

All is fitted on development data: recordings and backgrounds that neither trained nor test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from monitor.model.card import ClassCard, ProfileName
from monitor.settings import ClassSettings
from training.mixing import Floats
from training.streams import Scored

TEMPERATURES = np.geomspace(0.3, 4.0, 40)


def fit_temperature(logits: Floats, targets: Floats) -> float:
    """Return the temperature with the least binary cross-entropy over windows (Guo et al., 2017)."""
    losses = [_cross_entropy(logits / t, targets) for t in TEMPERATURES]
    return float(round(TEMPERATURES[int(np.argmin(losses))], 3))


def _cross_entropy(logits: Floats, targets: Floats) -> float:
    return float(np.mean(np.logaddexp(0.0, logits) - targets * logits))


@dataclass(frozen=True)
class Temper:
    """What is fixed per class before fitting: how long such a sound lasts.

    A class of single bangs must not be smoothed away; a steady sound must prove itself.
    """

    shortest_s: float
    smoothings_s: tuple[float, ...]
    attacks_s: tuple[float, ...]
    release_s: float


_BRIEF = Temper(0.25, (0.0, 1.0), (0.0, 0.5), 1.0)
_STEADY = Temper(2.0, (1.0, 2.0), (0.0, 0.5, 1.0), 2.0)
TEMPERS = {
    "air_conditioner": _STEADY,
    "car_horn": _BRIEF,
    "children_playing": _STEADY,
    "dog_bark": _BRIEF,
    "drilling": _STEADY,
    "engine_idling": _STEADY,
    "gun_shot": _BRIEF,
    "jackhammer": _STEADY,
    "siren": _STEADY,
    "street_music": _STEADY,
}


@dataclass(frozen=True)
class Budget:
    """What a profile may cost: false alarms an hour of background per class, and a floor for ``enter``."""

    alarms_per_hour: float
    least_enter: float
    cooldown_s: float
    beta: float
    """Weight of recall against precision among the other classes' sounds, as in F-beta."""


BUDGETS: dict[ProfileName, Budget] = {
    "quiet": Budget(1.0, 0.25, 5.0, 1.0),
    "sensitive": Budget(6.0, 0.1, 2.0, 2.0),
}
ENTERS = np.round(np.arange(0.1, 0.96, 0.025), 3)
_EXIT_SHARE = 0.6


def fit_class(label: str, column: int, scenes: Sequence[Scored], beds: Sequence[Scored]) -> ClassCard:
    """Fit the settings of one class.

    scenes : one sound each, of this class and of others; beds : background alone
    """
    temper = TEMPERS[label]
    profiles: dict[ProfileName, ClassSettings] = {}
    for name, budget in BUDGETS.items():
        profiles[name] = _fit_profile(label, column, scenes, beds, temper, budget)
    return ClassCard(shortest_s=temper.shortest_s, profiles=profiles)


def _fit_profile(
    label: str, column: int, scenes: Sequence[Scored], beds: Sequence[Scored], temper: Temper, budget: Budget
) -> ClassSettings:
    best, best_value = None, -1.0
    for smoothing_s, attack_s in product(temper.smoothings_s, temper.attacks_s):
        hop_s = float(scenes[0].times_s[0])
        strength = [_held_peak(s.scores[:, column], smoothing_s, attack_s, hop_s) for s in scenes]
        own = np.array([peak for s, peak in zip(scenes, strength, strict=True) if s.label == label])
        other = np.array([peak for s, peak in zip(scenes, strength, strict=True) if s.label != label])
        enter = _least_enter(column, beds, smoothing_s, attack_s, budget)
        for candidate in _from(enter):
            value = _f_beta((own >= candidate).mean(), (other >= candidate).mean() * 9, budget.beta)
            if value > best_value + 1e-9:
                best_value, best = value, (smoothing_s, attack_s, candidate)
    smoothing_s, attack_s, enter = best or (temper.smoothings_s[-1], temper.attacks_s[-1], float(ENTERS[-1]))
    shifts = _shifts(label, column, scenes, smoothing_s, enter)
    return ClassSettings(
        enter=enter,
        exit=round(enter * _EXIT_SHARE, 3),
        attack_s=attack_s,
        release_s=temper.release_s,
        smoothing_s=smoothing_s,
        cooldown_s=budget.cooldown_s,
        onset_shift_s=shifts[0],
        offset_shift_s=shifts[1],
    )


def _from(enter: float) -> list[float]:
    """The candidate thresholds at or above ``enter``."""
    return [float(candidate) for candidate in ENTERS if candidate >= enter]


def _f_beta(recall: float, false_per_true: float, beta: float) -> float:
    """F-beta where every class is as frequent as this one."""
    hits = (1 + beta**2) * recall
    return float(hits / (hits + beta**2 * (1 - recall) + false_per_true)) if recall > 0 else 0.0


def _least_enter(
    column: int, beds: Sequence[Scored], smoothing_s: float, attack_s: float, budget: Budget
) -> float:
    """Lowest threshold that keeps to the budget on background, at least the profile's own floor."""
    hop_s = float(beds[0].times_s[0])
    hours = sum(bed.seconds for bed in beds) / 3600
    allowed = budget.alarms_per_hour * hours
    held = [_held(bed.scores[:, column], smoothing_s, attack_s, hop_s) for bed in beds]
    for enter in ENTERS:
        if enter >= budget.least_enter and sum(_alarms(h, enter, budget, hop_s) for h in held) <= allowed:
            return float(enter)
    return float(ENTERS[-1])


def _alarms(held: NDArray[np.float64], enter: float, budget: Budget, hop_s: float) -> int:
    """Count rises over ``enter``; within release and cooldown they are one alarm."""
    over = np.flatnonzero(held >= enter)
    return 0 if not len(over) else 1 + int((np.diff(over) * hop_s > budget.cooldown_s + 1.0).sum())


def _held_peak(scores: NDArray[np.float32], smoothing_s: float, attack_s: float, hop_s: float) -> float:
    return float(_held(scores, smoothing_s, attack_s, hop_s).max())


def _held(
    scores: NDArray[np.float32], smoothing_s: float, attack_s: float, hop_s: float
) -> NDArray[np.float64]:
    """The score that every row of an attack run ending here reaches, after trailing smoothing."""
    smooth = smoothed(scores, smoothing_s, hop_s)
    rows = min(len(smooth), 1 + round(attack_s / hop_s))
    return np.lib.stride_tricks.sliding_window_view(smooth, rows).min(axis=1)


def smoothed(scores: NDArray[np.float32], smoothing_s: float, hop_s: float) -> NDArray[np.float64]:
    """Trailing mean as the event logic takes it: over what there is at the start."""
    span = max(1, round(smoothing_s / hop_s))
    sums = np.cumsum(np.concatenate([np.zeros(1), scores.astype(np.float64)]))
    ends = np.arange(1, len(scores) + 1)
    begins = np.maximum(0, ends - span)
    means: NDArray[np.float64] = (sums[ends] - sums[begins]) / (ends - begins)
    return means


def _shifts(
    label: str, column: int, scenes: Sequence[Scored], smoothing_s: float, enter: float
) -> tuple[float, float]:
    """Median seconds from onset to the first row over ``enter``, and from the end to the first below exit."""
    onset, offset = [], []
    for item in scenes:
        if item.label != label:
            continue
        smooth = smoothed(item.scores[:, column], smoothing_s, float(item.times_s[0]))
        over = np.flatnonzero((smooth >= enter) & (item.times_s > item.onset_s))
        if not len(over):
            continue
        onset.append(item.times_s[over[0]] - item.onset_s)
        below = np.flatnonzero((smooth < enter * _EXIT_SHARE) & (np.arange(len(smooth)) > over[-1]))
        if len(below):
            offset.append(item.times_s[below[0]] - item.offset_s)
    if not onset:
        return 1.0, 1.0
    return round(float(np.median(onset)), 2), round(float(np.median(offset)), 2) if offset else 1.0
