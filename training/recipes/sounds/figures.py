"""Figures of fitted sounds as stored in a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.model.card import ProfileName
from training.recipes.sounds.alarms import ENTERS, Counts, alarm_counts, false_alarms, is_judged
from training.recipes.sounds.fit import AlarmBudget, FittedLevels, Levels, fit, hours_of, levels_of
from training.recipes.sounds.groups import SoundGroup
from training.recipes.sounds.scores import SoundRows


@dataclass(frozen=True)
class ClipRecall:
    """Clips that trigger a sound: among those that contain it, and among the others."""

    raised: int
    clips: int
    raised_by_others: int
    others: int


@dataclass(frozen=True)
class SoundFigures:
    """One sound in one profile.

    Parameters
    ----------
    alarms
        False alarms in recordings held out from the fit of its threshold.
    """

    sound: str
    profile: ProfileName
    enter: float
    alarms: int
    recall: ClipRecall


@dataclass(frozen=True)
class SoundsReport:
    """Performance of thresholds on held-out recordings.

    Parameters
    ----------
    hours
        Duration of the recordings in which alarms were counted.
    """

    figures: tuple[SoundFigures, ...]
    hours: float


@dataclass(frozen=True)
class Judge:
    """Groups and the network's labels; counts alerts, and those known to be false."""

    groups: Mapping[str, SoundGroup]
    labels: Sequence[str]

    def alerts(self, recordings: Sequence[SoundRows]) -> dict[str, Counts]:
        """Return the alerts by sound, shape (thresholds, recordings)."""
        return {name: alarm_counts(group, self.labels, recordings) for name, group in self.groups.items()}

    def false_alarms(self, recordings: Sequence[SoundRows]) -> dict[str, Counts]:
        """Return the alerts known to be false by sound, shape (thresholds, recordings)."""
        return {name: false_alarms(group, self.labels, recordings) for name, group in self.groups.items()}

    def fit(
        self, recordings: Sequence[SoundRows], budgets: Mapping[ProfileName, AlarmBudget]
    ) -> dict[ProfileName, FittedLevels]:
        """Fit every profile on recordings."""
        counts = self.false_alarms(recordings)
        return {profile: fit(counts, recordings, budget) for profile, budget in budgets.items()}


def held_out_report(
    judge: Judge,
    fitted: Mapping[ProfileName, FittedLevels],
    recordings: Sequence[SoundRows],
    clips: Sequence[SoundRows],
) -> SoundsReport:
    """Report alarms in the recordings of the fit, each with thresholds fitted on the other sources."""
    alarms = {profile: one.alarms for profile, one in fitted.items()}
    return _report(judge, levels_of(fitted), alarms, hours_of(recordings), clips)


def other_report(
    judge: Judge,
    fitted: Mapping[ProfileName, FittedLevels],
    others: Sequence[SoundRows],
    clips: Sequence[SoundRows],
) -> SoundsReport:
    """Report alarms in recordings not used in the fit."""
    counts, levels = judge.false_alarms(others), levels_of(fitted)
    alarms = {
        profile: {name: int(counts[name][level].sum()) for name, level in of.items()}
        for profile, of in levels.items()
    }
    return _report(judge, levels, alarms, hours_of(others), clips)


def recall(group: SoundGroup, counts: Counts, clips: Sequence[SoundRows], level: int) -> ClipRecall:
    """Return a sound's triggers on clips; ``counts`` has shape (thresholds, clips)."""
    raised = counts[level] > 0
    own = np.array([clip.kind in group.clips for clip in clips])
    others = np.array([is_judged(group, clip) for clip in clips])
    return ClipRecall(int(raised[own].sum()), int(own.sum()), int(raised[others].sum()), int(others.sum()))


def _report(
    judge: Judge,
    levels: Mapping[ProfileName, Levels],
    alarms: Mapping[ProfileName, Mapping[str, int]],
    hours: float,
    clips: Sequence[SoundRows],
) -> SoundsReport:
    raised = judge.alerts(clips)
    figures = [
        SoundFigures(
            sound=name,
            profile=profile,
            enter=ENTERS[level],
            alarms=alarms[profile][name],
            recall=recall(judge.groups[name], raised[name], clips, level),
        )
        for profile, of in levels.items()
        for name, level in of.items()
    ]
    return SoundsReport(tuple(figures), hours)
