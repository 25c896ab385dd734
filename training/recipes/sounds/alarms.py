"""Alerts of a sound in recordings at every threshold, by the monitor's event logic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.settings import ClassSettings
from training.base.maths import logistic
from training.mixing.streams import Scored
from training.recipes.sounds.groups import SoundGroup
from training.recipes.sounds.scores import SoundRows
from training.scoring.event_logic import Tape

Counts = NDArray[np.int64]

ENTERS = tuple(float(logistic(np.float64(odds))) for odds in np.arange(-3.0, 4.01, 0.25))
"""Candidate thresholds, in steps of a quarter in log-odds."""
_EXIT_BELOW = 0.7
"""Log-odds by which ``exit`` lies below ``enter``."""
_ATTACK_S, _RELEASE_S = 0.5, 1.5


def settings_at(enter: float) -> ClassSettings:
    """Return a sound's event settings: on after two rows, off after a second and a half below ``exit``."""
    odds = math.log(enter / (1.0 - enter)) - _EXIT_BELOW
    return ClassSettings(
        enter=round(enter, 4),
        exit=round(1.0 / (1.0 + math.exp(-odds)), 4),
        attack_s=_ATTACK_S,
        release_s=_RELEASE_S,
    )


def alarm_counts(group: SoundGroup, labels: Sequence[str], recordings: Sequence[SoundRows]) -> Counts:
    """Return the alerts of a sound in each recording, shape (thresholds, recordings)."""
    columns = [labels.index(label) for label in group.labels]
    streams = [_scored(recording, columns) for recording in recordings]
    tape = Tape(streams, 0, 0.0, recordings[0].hop_s)
    begins = np.array(tape.begins)
    counts = [
        np.bincount(
            np.searchsorted(begins, tape.starts(settings_at(enter)), side="right") - 1,
            minlength=len(recordings),
        )
        for enter in ENTERS
    ]
    return np.stack(counts).astype(np.int64)


def false_alarms(group: SoundGroup, labels: Sequence[str], recordings: Sequence[SoundRows]) -> Counts:
    """Return :func:`alarm_counts`, with zero for recordings that may contain the sound."""
    judged = np.array([is_judged(group, recording) for recording in recordings])
    counts: Counts = alarm_counts(group, labels, recordings) * judged
    return counts


def is_judged(group: SoundGroup, recording: SoundRows) -> bool:
    """Return whether an alert in the recording is known to be false."""
    named = any(part in recording.name for part in group.may_hold)
    return not named and recording.kind not in (*group.clips, *group.near)


def _scored(recording: SoundRows, columns: Sequence[int]) -> Scored:
    best = recording.logits[:, columns].astype(np.float32).max(axis=1)
    times_s = (np.arange(1, len(best) + 1) * recording.hop_s).astype(np.float64)
    scores = logistic(best).astype(np.float32)[:, None]
    return Scored(recording.name, "", 0.0, 0.0, times_s, scores, ())
