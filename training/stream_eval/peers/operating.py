"""What a system detects and falsely reports as all its thresholds move together, by recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.model.card import ProfileName
from monitor.settings import ClassSettings
from training.base.maths import logistic
from training.data.corpora import CLASSES
from training.mixing.soundscapes import Soundscape
from training.recipes.transfer.thresholds import URGENT
from training.scoring.calibration import COLLAR_S, TEMPERS, Budget, fit_class, lowered
from training.scoring.event_logic import Tape
from training.stream_eval.peers.systems import Trial

FITTED_AT = 5.0
"""False alarms an hour, all classes together, at which the settings are fitted."""
_LOWEST, _HIGHEST = np.log(0.002 / 0.998), np.log(0.99 / 0.01)
ENTERS = np.round(logistic(np.linspace(_LOWEST, _HIGHEST, 24)), 4).astype(np.float64)
"""Thresholds to try, equally spaced in log-odds from .002 to .99, for every system alike."""
MOVES = tuple(float(move) for move in np.linspace(-6.0, 6.0, 49))
"""Shifts of all thresholds in log-odds; the first is the most sensitive."""
_LATE_S = 2.0
_PROFILE: ProfileName = "quiet"
_BUDGET = Budget(
    alarms_per_hour=FITTED_AT, speech=True, margin=0.0, share_of_others=1.0, least_enter=0.0, cooldown_s=2.0,
    least_heard=0.0, never_silent=True,
)  # fmt: skip
_URGENT_SHARE = 0.25

Counts = tuple[int, ...]
"""One number for each of :data:`MOVES`."""


@dataclass(frozen=True)
class SoundCounts:
    """Sounds of one class from one recording, and how many have an event with the right onset."""

    recording: str
    label: str
    sounds: int
    found: Counts


@dataclass(frozen=True)
class FalseCounts:
    """Events of a class without a sound, by the recording that sounded then, or else by the soundscape."""

    unit: str
    label: str
    events: Counts


@dataclass(frozen=True)
class BackgroundCounts:
    """False alarms of all classes on one background."""

    name: str
    seconds: float
    alarms: Counts


@dataclass(frozen=True)
class TrialCounts:
    """Counts of a trial at every shift of the thresholds.

    Parameters
    ----------
    settings
        Settings of each class before any shift.
    """

    system: str
    fold: int
    seed: int
    temperature: float
    settings: Mapping[str, ClassSettings]
    sounds: tuple[SoundCounts, ...]
    false: tuple[FalseCounts, ...]
    beds: tuple[BackgroundCounts, ...]


def count(trial: Trial, scapes: Sequence[Soundscape]) -> TrialCounts:
    """Fit the settings on the development folds, and count on the test fold at every shift."""
    settings = {label: _fitted(trial, label) for label in CLASSES}
    sounds: list[SoundCounts] = []
    false: list[FalseCounts] = []
    alarms = np.zeros((len(trial.test.beds), len(MOVES)), int)
    for column, label in enumerate(CLASSES):
        chosen = settings[label]
        scenes, beds = (
            Tape(streams, column, chosen.smoothing_s, trial.test.hop_s)
            for streams in (trial.test.scenes, trial.test.beds)
        )
        at_moves = [moved(chosen, move) for move in MOVES]
        found, without = _matched(label, scenes, at_moves, scapes)
        sounds += found
        false += without
        alarms += np.stack([_by_bed(beds, one) for one in at_moves], axis=1)
    rows = (
        BackgroundCounts(bed.name, bed.seconds, tuple(map(int, row)))
        for bed, row in zip(trial.test.beds, alarms, strict=True)
    )
    where = trial.system, trial.fold, trial.seed
    return TrialCounts(*where, trial.temperature, settings, tuple(sounds), tuple(false), tuple(rows))


def _fitted(trial: Trial, label: str) -> ClassSettings:
    share = _URGENT_SHARE / len(URGENT) if label in URGENT else (1 - _URGENT_SHARE) / (10 - len(URGENT))
    temper = replace(TEMPERS[label], alarms=share, wanted=1.0)
    column, budgets = CLASSES.index(label), {_PROFILE: _BUDGET}
    return fit_class(label, column, trial.development, temper, budgets, ENTERS).profiles[_PROFILE]


def moved(settings: ClassSettings, by: float) -> ClassSettings:
    """Return settings whose thresholds are raised by ``by`` in log-odds."""
    return settings.model_copy(
        update={"enter": lowered(settings.enter, -by), "exit": lowered(settings.exit, -by)}
    )


def _by_bed(tape: Tape, settings: ClassSettings) -> NDArray[np.int64]:
    """Count alarms by background; those in stretches that repeat an earlier one do not count."""
    counts = np.zeros(len(tape.streams), np.int64)
    starts = tape.starts(settings)
    for start, number in zip(starts, np.searchsorted(tape.begins, starts, side="right") - 1, strict=True):
        row = start - tape.begins[number] + 1
        counts[number] += tape.streams[number].counts(row * tape.hop_s)
    return counts


def _matched(
    label: str, tape: Tape, at_moves: Sequence[ClassSettings], scapes: Sequence[Soundscape]
) -> tuple[Iterator[SoundCounts], Iterator[FalseCounts]]:
    sounds = [
        (begin + truth.onset_s / tape.hop_s - 1, truth.recording)
        for begin, scape in zip(tape.begins, scapes, strict=True)
        for truth in sorted(scape.truths, key=lambda truth: truth.onset_s)
        if truth.label == label
    ]
    onsets = np.array([onset for onset, _ in sounds])
    found = np.zeros((len(sounds), len(MOVES)), int)
    false: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(len(MOVES), np.int64))
    for number, settings in enumerate(at_moves):
        starts = tape.starts(settings)
        dated = tape.rises(starts, settings) - settings.onset_shift_s / tape.hop_s
        hit, used = one_to_one(np.sort(dated), onsets, COLLAR_S / tape.hop_s)
        found[hit, number] = 1
        for event in np.delete(starts[np.argsort(dated, kind="stable")], used):
            false[_during(int(event), tape, scapes)][number] += 1
    by_recording: dict[str, list[NDArray[np.int64]]] = defaultdict(list)
    for row, (_, recording) in zip(found, sounds, strict=True):
        by_recording[recording].append(row)
    return (
        (
            SoundCounts(name, label, len(rows), _counts(np.sum(rows, axis=0)))
            for name, rows in by_recording.items()
        ),
        (FalseCounts(unit, label, _counts(row)) for unit, row in false.items()),
    )


def _counts(row: NDArray[np.int64]) -> Counts:
    return tuple(map(int, row))


def one_to_one(
    found: NDArray[np.float64], onsets: NDArray[np.float64], collar: float
) -> tuple[list[int], list[int]]:
    """Match ascending events with ascending onsets within the collar; return the numbers of both sides."""
    hit, used, event = list[int](), list[int](), 0
    for number, onset in enumerate(onsets):
        while event < len(found) and found[event] < onset - collar:
            event += 1
        if event < len(found) and found[event] <= onset + collar:
            hit.append(number)
            used.append(event)
            event += 1
    return hit, used


def _during(row: int, tape: Tape, scapes: Sequence[Soundscape]) -> str:
    """Return the recording that began last among those that sound at a row, or else the soundscape."""
    number = int(np.searchsorted(tape.begins, row, side="right")) - 1
    at_s = (row - tape.begins[number] + 1) * tape.hop_s
    on = [t for t in scapes[number].truths if t.onset_s <= at_s <= t.offset_s + _LATE_S]
    return max(on, key=lambda t: t.onset_s).recording if on else scapes[number].name
