"""From logits to decisions: one temperature, and per class the settings of each profile.

All is fitted on development data: recordings and backgrounds that neither trained nor test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from monitor.events.feasible import check_feasible
from monitor.model.card import ClassCard, ProfileName
from monitor.settings import ClassSettings
from training.mixing import Floats
from training.prepare import HOP, RATE, WINDOW
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

    A class of single bangs must not be smoothed away; a steady sound must prove itself. ``wanted``
    multiplies the false alarms that a class may cost, and the weight of its recall: where a miss is
    worse than a false alarm.
    """

    shortest_s: float
    smoothings_s: tuple[float, ...]
    attacks_s: tuple[float, ...]
    release_s: float
    wanted: float = 1.0


_BRIEF = Temper(0.25, (0.0, 1.0), (0.0, 0.5), 1.0)
_STEADY = Temper(2.0, (1.0, 2.0), (0.0, 0.5, 1.0), 2.0)
_WANTED = 2.0
# Long sounds that are worth nothing late: told at the first window that holds.
_PROMPT = Temper(2.0, (1.0,), (0.0,), 2.0, _WANTED)
TEMPERS = {
    "air_conditioner": _STEADY,
    "car_horn": _BRIEF,
    "children_playing": _STEADY,
    "dog_bark": replace(_BRIEF, wanted=_WANTED),
    "drilling": _STEADY,
    "engine_idling": _STEADY,
    "gun_shot": _BRIEF,
    "jackhammer": _PROMPT,
    "siren": _PROMPT,
    "street_music": _STEADY,
}


@dataclass(frozen=True)
class Budget:
    """What a profile may cost, per class.

    alarms_per_hour : false alarms on background; share_of_others : of short sounds that are none of
    the classes, the share that may raise this one; least_enter : floor of ``enter``; beta : weight
    of recall against precision among the other classes' sounds, as in F-beta
    """

    alarms_per_hour: float
    share_of_others: float
    least_enter: float
    cooldown_s: float
    beta: float


BUDGETS: dict[ProfileName, Budget] = {
    "quiet": Budget(1.0, 0.03, 0.25, 2.0, 1.0),
    "sensitive": Budget(6.0, 0.1, 0.1, 1.0, 2.0),
}
ENTERS = np.round(np.concatenate([np.arange(0.1, 0.95, 0.025), [0.95, 0.96, 0.97, 0.98, 0.99]]), 3)
_EXIT_SHARE = 0.6
OTHER_S = 5.0
"""Length of a short sound in the streams of others: ESC's clips."""


@dataclass(frozen=True)
class Heard:
    """Streams that models score without having trained on them.

    scenes : one sound each, of each class; beds : background alone; others : short sounds that
    are none of the classes, one after another
    """

    scenes: tuple[Scored, ...]
    beds: tuple[Scored, ...]
    others: tuple[Scored, ...]


def fit_class(label: str, column: int, heard: Heard) -> ClassCard:
    """Fit the settings of one class, whose score is ``column`` of the streams."""
    temper = TEMPERS[label]
    profiles: dict[ProfileName, ClassSettings] = {}
    for name, budget in BUDGETS.items():
        profiles[name] = _fit_profile(label, column, heard, temper, budget)
    return ClassCard(shortest_s=temper.shortest_s, profiles=profiles)


def _fit_profile(label: str, column: int, heard: Heard, temper: Temper, budget: Budget) -> ClassSettings:
    """The timing and threshold with the best F-beta among those that keep to the budget and are feasible."""
    best, best_value = None, -1.0
    for smoothing_s, attack_s in product(temper.smoothings_s, temper.attacks_s):
        own, other = _held_peaks(label, column, heard.scenes, smoothing_s, attack_s)
        allowed = replace(budget, alarms_per_hour=budget.alarms_per_hour * temper.wanted)
        least = _least_enter(column, heard, smoothing_s, attack_s, allowed)
        for enter in (float(candidate) for candidate in ENTERS if candidate >= least):
            value = _f_beta((own >= enter).mean(), (other >= enter).mean() * 9, budget.beta * temper.wanted)
            if value <= best_value + 1e-9:
                continue
            settings = _settings(enter, smoothing_s, attack_s, temper, budget)
            if check_feasible(label, settings, temper.shortest_s, WINDOW / RATE, HOP / RATE) is None:
                best_value, best = value, settings
    if best is None:
        best = _settings(float(ENTERS[-1]), temper.smoothings_s[0], temper.attacks_s[0], temper, budget)
    onset_s, offset_s = _shifts(label, column, heard.scenes, best.smoothing_s, best.enter)
    return best.model_copy(update={"onset_shift_s": onset_s, "offset_shift_s": offset_s})


def _settings(
    enter: float, smoothing_s: float, attack_s: float, temper: Temper, budget: Budget
) -> ClassSettings:
    return ClassSettings(
        enter=enter,
        exit=round(enter * _EXIT_SHARE, 3),
        attack_s=attack_s,
        release_s=temper.release_s,
        smoothing_s=smoothing_s,
        cooldown_s=budget.cooldown_s,
    )


def _held_peaks(
    label: str, column: int, scenes: Sequence[Scored], smoothing_s: float, attack_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The highest threshold at which each scene would raise the class: scenes of its own, and the others."""
    peaks = np.array([_held(s, column, smoothing_s, attack_s).max() for s in scenes])
    own = np.array([s.label == label for s in scenes])
    return peaks[own], peaks[~own]


def _f_beta(recall: float, false_per_true: float, beta: float) -> float:
    """F-beta where every class is as frequent as this one."""
    hits = (1 + beta**2) * recall
    return float(hits / (hits + beta**2 * (1 - recall) + false_per_true)) if recall > 0 else 0.0


def _least_enter(column: int, heard: Heard, smoothing_s: float, attack_s: float, budget: Budget) -> float:
    """Lowest threshold that keeps to the budget, at least the profile's own floor."""
    hours = sum(bed.seconds for bed in heard.beds) / 3600
    sounds = sum(other.seconds for other in heard.others) / OTHER_S
    beds = [_held(bed, column, smoothing_s, attack_s) for bed in heard.beds]
    others = [_held(other, column, smoothing_s, attack_s) for other in heard.others]
    for enter in ENTERS[budget.least_enter <= ENTERS]:
        alarms = sum(_alarms(held, enter, budget) for held in beds)
        surprises = sum(_alarms(held, enter, budget) for held in others)
        # Whole alarms are counted: 58 minutes at one an hour allow one.
        quiet = alarms <= round(budget.alarms_per_hour * hours)
        if quiet and surprises <= budget.share_of_others * sounds:
            return float(enter)
    return float(ENTERS[-1])


def _alarms(held: NDArray[np.float64], enter: float, budget: Budget) -> int:
    """Count rises over ``enter``; within release and cooldown they are one alarm."""
    over = np.flatnonzero(held >= enter)
    return 0 if not len(over) else 1 + int((np.diff(over) * HOP / RATE > budget.cooldown_s + 1.0).sum())


def _held(scored: Scored, column: int, smoothing_s: float, attack_s: float) -> NDArray[np.float64]:
    """The score that every row of an attack run ending here reaches, after trailing smoothing."""
    smooth = smoothed(scored.scores[:, column], smoothing_s, HOP / RATE)
    rows = min(len(smooth), 1 + round(attack_s * RATE / HOP))
    held: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(smooth, rows).min(axis=1)
    return held


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
        smooth = smoothed(item.scores[:, column], smoothing_s, HOP / RATE)
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
