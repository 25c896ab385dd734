"""What averaging the scores of successive windows is worth, at thresholds that few alarms pass.

For each class the threshold is set so that a given number of the alarms on all backgrounds remains; the
sounds over it are counted. Thresholds are those of the same backgrounds, so the shares are too good; they
compare lengths of the mean, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.base.report import Table
from training.data.corpora import CLASSES
from training.mixing.streams import TAIL_S, Scored
from training.recipes.transfer.may_hold import counted
from training.scoring.event_logic import smoothed

WINDOWS = (1, 2, 3, 4, 5)
"""Windows that are averaged."""
ALARMS = (0, 1, 2, 4, 8)
"""Alarms of a class that remain on all backgrounds together."""
_STRETCH_S = 10.0
"""Alarms within a stretch of this length count as one."""

Numbers = NDArray[np.float64]
Shares = dict[str, list[float]]


def shares(folds: Sequence[tuple[Sequence[Scored], Sequence[Scored]]]) -> Shares:
    """Return, by the number of windows averaged, the share of sounds reported for each of :data:`ALARMS`.

    Parameters
    ----------
    folds
        Sounds alone over background, and backgrounds, of each fold. The share is the mean over classes that
        have sounds.
    """
    found = {}
    for windows in WINDOWS:
        rows = [one for column in range(len(CLASSES)) if (one := _share(folds, column, windows))]
        found[str(windows)] = [round(float(share), 4) for share in np.mean(rows, axis=0)]
    return found


def _share(
    folds: Sequence[tuple[Sequence[Scored], Sequence[Scored]]], column: int, windows: int
) -> list[float]:
    alarms, sounds = list[float](), list[float]()
    for alone, beds in folds:
        for bed in map(counted, beds):
            alarms += _peaks(bed, _mean(bed, column, windows))
        for stream in alone:
            mean = _mean(stream, column, windows)
            for name, onset_s, offset_s in stream.sounds:
                if name == CLASSES[column]:
                    inside = (stream.times_s > onset_s) & (stream.times_s <= offset_s + TAIL_S)
                    sounds.append(mean[inside].max())
    if not sounds:
        return []
    highest = np.sort(np.array(alarms))[::-1]
    return [float((np.array(sounds) > highest[alarm]).mean()) for alarm in ALARMS]


def _mean(stream: Scored, column: int, windows: int) -> Numbers:
    return smoothed(stream.scores[:, column], windows * stream.hop_s, stream.hop_s)


def _peaks(bed: Scored, mean: Numbers) -> list[float]:
    """Return the highest mean of each stretch, without rows that repeat an earlier one."""
    mean = np.where([bed.counts(at_s) for at_s in bed.times_s], mean, 0.0)
    length = round(_STRETCH_S / bed.hop_s)
    return [float(mean[at : at + length].max()) for at in range(0, len(mean), length)]


def table(found: Mapping[str, Sequence[float]]) -> Table:
    """Return the shares, a row for each number of windows."""
    rows = tuple((int(windows), *each) for windows, each in found.items())
    return Table(("windows averaged", *(f"{alarms} alarms" for alarms in ALARMS)), rows)
