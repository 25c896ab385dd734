"""Thresholds of sounds from their false alarms alone: no recording of the sound is needed.

All sounds share a limit on false alarms. A draft allows ten per hour in the recordings at hand: each
sound starts at its lowest threshold without alarms, then the highest of all thresholds is lowered
repeatedly within the limit. Alarms on unseen recordings are more frequent. The draft is therefore
repeated without each source in turn, and all thresholds are shifted equally in log-odds until the
alarms in the held-out sources come nearest to the profile's limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.model.card import ClassCard, ProfileName, SoundCard
from monitor.settings import ClassSettings
from training.recipes.sounds.alarms import ENTERS, Counts, settings_at
from training.recipes.sounds.groups import SoundGroup
from training.recipes.sounds.scores import SoundRows

FOLDS = 5
DRAFT_PER_HOUR = 10.0
_MARGINS = range(-4, len(ENTERS))
"""Steps of :data:`ENTERS` by which thresholds may be shifted from the draft."""

Levels = Mapping[str, int]
"""Indices of :data:`ENTERS` by sound."""


@dataclass(frozen=True)
class AlarmBudget:
    """Limit on the false alarms of all sounds of a profile, and the lowest threshold of any sound."""

    alarms_per_hour: float
    least: float


BUDGETS: Mapping[ProfileName, AlarmBudget] = {
    "quiet": AlarmBudget(1.0, 0.12),
    "sensitive": AlarmBudget(10.0, 0.05),
}


@dataclass(frozen=True)
class FittedLevels:
    """The thresholds of one profile.

    Parameters
    ----------
    margin
        Steps above the draft.
    alarms
        False alarms of each sound in sources held out from its threshold.
    """

    levels: Levels
    margin: int
    alarms: Mapping[str, int]


def fit(counts: Mapping[str, Counts], recordings: Sequence[SoundRows], budget: AlarmBudget) -> FittedLevels:
    """Return the thresholds that come nearest to a limit in held-out sources.

    Parameters
    ----------
    counts
        False alarms by sound, shape (thresholds, recordings).
    """
    hours = hours_of(recordings)
    drafts = _drafts_without(counts, recordings)
    alarms = {margin: _held_out(counts, recordings, drafts, margin, budget) for margin in _MARGINS}
    margin = min(
        _MARGINS, key=lambda one: (abs(sum(alarms[one].values()) / hours - budget.alarms_per_hour), one)
    )
    whole = draft({name: of.sum(axis=1) for name, of in counts.items()}, hours)
    return FittedLevels(_moved(whole, margin, budget), margin, alarms[margin])


def levels_of(fitted: Mapping[ProfileName, FittedLevels]) -> dict[ProfileName, Levels]:
    return {profile: one.levels for profile, one in fitted.items()}


def draft(counts: Mapping[str, Counts], hours: float) -> dict[str, int]:
    """Return the levels that raise :data:`DRAFT_PER_HOUR` in total, with the lowest possible maximum.

    Parameters
    ----------
    counts
        False alarms by sound at each threshold, shape (thresholds,), within ``hours``.
    """
    levels = {name: _silent_from(of) for name, of in counts.items()}
    most = max(DRAFT_PER_HOUR * hours, sum(int(counts[name][level]) for name, level in levels.items()))
    total = sum(int(counts[name][level]) for name, level in levels.items())
    while True:
        lower = [
            (level, name)
            for name, level in levels.items()
            if level and total + _step(counts[name], level) <= most
        ]
        if not lower:
            return levels
        level, name = max(lower)
        total += _step(counts[name], level)
        levels[name] -= 1


def source_folds(recordings: Sequence[SoundRows]) -> NDArray[np.int64]:
    """Assign sources to folds; a source is never split."""
    number = {source: i for i, source in enumerate(sorted({one.source for one in recordings}))}
    return np.array([number[one.source] % FOLDS for one in recordings])


def hours_of(recordings: Sequence[SoundRows]) -> float:
    return float(np.sum([recording.seconds for recording in recordings])) / 3600


def class_cards(
    groups: Mapping[str, SoundGroup], levels: Mapping[ProfileName, Levels]
) -> dict[str, ClassCard]:
    """Return the card entries of classes that are scored by groups."""
    return {
        name: ClassCard(shortest_s=group.shortest_s, profiles=_profiles(name, levels))
        for name, group in groups.items()
    }


def sound_cards(
    groups: Mapping[str, SoundGroup], levels: Mapping[ProfileName, Levels]
) -> dict[str, SoundCard]:
    """Return the card entries of curated sounds."""
    return {
        name: SoundCard(labels=group.labels, shortest_s=group.shortest_s, profiles=_profiles(name, levels))
        for name, group in groups.items()
    }


def _drafts_without(counts: Mapping[str, Counts], recordings: Sequence[SoundRows]) -> list[Levels]:
    folds = source_folds(recordings)
    seconds = np.array([recording.seconds for recording in recordings])
    return [
        draft(
            {name: of[:, folds != fold].sum(axis=1) for name, of in counts.items()},
            float(seconds[folds != fold].sum()) / 3600,
        )
        for fold in range(FOLDS)
    ]


def _held_out(
    counts: Mapping[str, Counts],
    recordings: Sequence[SoundRows],
    drafts: Sequence[Levels],
    margin: int,
    budget: AlarmBudget,
) -> dict[str, int]:
    folds = source_folds(recordings)
    alarms = dict.fromkeys(counts, 0)
    for fold, levels in enumerate(drafts):
        for name, level in _moved(levels, margin, budget).items():
            alarms[name] += int(counts[name][level, folds == fold].sum())
    return alarms


def _moved(levels: Levels, margin: int, budget: AlarmBudget) -> dict[str, int]:
    lowest = next(index for index, enter in enumerate(ENTERS) if enter >= budget.least)
    return {name: min(max(level + margin, lowest), len(ENTERS) - 1) for name, level in levels.items()}


def _profiles(name: str, levels: Mapping[ProfileName, Levels]) -> dict[ProfileName, ClassSettings]:
    return {profile: settings_at(ENTERS[of[name]]) for profile, of in levels.items()}


def _silent_from(counts: Counts) -> int:
    """Return the lowest threshold without alarms at and above it; the highest if there is none."""
    raising = np.flatnonzero(counts)
    return min(int(raising[-1]) + 1, len(ENTERS) - 1) if len(raising) else 0


def _step(counts: Counts, level: int) -> int:
    """Return the additional false alarms at the next lower threshold."""
    return int(counts[level - 1] - counts[level])
