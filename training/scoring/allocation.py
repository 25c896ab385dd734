"""Division of a false-alarm limit among classes, with the rate of rare alarms extrapolated.

An hour or three of background cannot show how often a class raises an alarm that comes once in ten
hours. The peaks of its scores can: above a level, their log-odds are about exponentially distributed,
so the rate at a higher level follows from their mean excess.

Reference: Coles, An Introduction to Statistical Modeling of Extreme Values, 2001, section 4 (peaks over
threshold).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.settings import ClassSettings

STRETCH_S = 10.0
"""Peaks are the highest values of stretches of this length."""
TAIL = 12
"""Number of peaks that the tail is fitted to."""
_EQUAL, _STEPS = 0.5, 60


@dataclass(frozen=True)
class Tail:
    """Rate at which background exceeds a level.

    Parameters
    ----------
    peaks
        Highest log-odds of each stretch of background, descending.
    hours
        Length of the background.
    """

    peaks: NDArray[np.float64]
    hours: float

    def per_hour(self, level: float) -> float:
        """Return the expected number of peaks above ``level`` in an hour."""
        if not self.hours:
            return 0.0
        above = int(np.searchsorted(-self.peaks, -level, side="right"))
        if above >= TAIL or len(self.peaks) <= TAIL:
            return above / self.hours
        least = float(self.peaks[TAIL])
        excess = max(float(self.peaks[:TAIL].mean()) - least, 1e-3)
        return TAIL / self.hours * math.exp(-(level - least) / excess)


@dataclass(frozen=True)
class Candidate:
    """Settings that a class may get.

    Parameters
    ----------
    worth
        Value of the detections with them, 0 … 1.
    per_hour
        Expected false alarms an hour of background.
    others
        Share of short sounds of no class that raise an alarm.
    """

    settings: ClassSettings
    worth: float
    per_hour: float
    others: float


@dataclass(frozen=True)
class Limit:
    """Limit of several classes together; fields as of :class:`Candidate`."""

    per_hour: float
    others: float

    def cost(self, one: Candidate, share: float) -> float:
        """Return how much of the limit a class takes beyond its own share."""
        return max(0.0, one.per_hour / self.per_hour - share) + max(0.0, one.others / self.others - share)

    def holds(self, chosen: Iterable[Candidate]) -> bool:
        some = tuple(chosen)
        return (
            sum(one.per_hour for one in some) <= self.per_hour
            and sum(one.others for one in some) <= self.others
        )


def allocate(candidates: Mapping[str, Sequence[Candidate]], limit: Limit) -> dict[str, Candidate]:
    """Return the candidate of each class with the largest total worth within the limit.

    Half of the limit is shared equally, so that no class is silent for another's sake. On the rest a price
    is raised until the limit holds: at the end, one alarm more is worth the same in every class. If no price
    is high enough, each class gets its candidate nearest to its share.
    """
    low, high = 1e-6, 1e6
    for _ in range(_STEPS):
        price = math.sqrt(low * high)
        if limit.holds(_best(candidates, limit, price).values()):
            high = price
        else:
            low = price
    return _best(candidates, limit, high)


def _best(candidates: Mapping[str, Sequence[Candidate]], limit: Limit, price: float) -> dict[str, Candidate]:
    share = _EQUAL / len(candidates)
    return {
        label: max(some, key=lambda one: one.worth - price * limit.cost(one, share))
        for label, some in candidates.items()
    }
