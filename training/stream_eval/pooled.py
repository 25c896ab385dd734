"""Pools streaming evaluations of several folds: a recipe on sounds held out from its networks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from training.errors import DataError
from training.stream_eval.alarms import BackgroundFigures
from training.stream_eval.judge import SoundscapeFigures, StreamClassFigures
from training.stream_eval.records import StreamRecord, read_all

_FOLD = re.compile(r"without-fold\d+")
_RECIPE = "without the fold"
"""Name of a recipe's networks, each evaluated on the fold it held out."""


def pooled(folders: Sequence[Path]) -> list[StreamRecord]:
    """Return what the records of all folders share, by system and condition, with each class's sounds pooled.

    F1 and PSDS are means over the folders; sounds, recordings, delays, pairs and alarms are pooled.

    Raises
    ------
    DataError
        If a folder holds no records, or no system and condition is in all of them.
    """
    found = [{(r.listener, r.condition): r for r in _records(folder)} for folder in folders]
    shared = [key for key in found[0] if all(key in records for records in found)]
    if not shared:
        raise DataError(f"{', '.join(map(str, folders))}: no listener and condition is in all of them")
    return [_joined([records[key] for records in found]) for key in shared]


def _records(folder: Path) -> list[StreamRecord]:
    records = read_all(folder / "records")
    if not records:
        raise DataError(f"{folder}: no records of an evaluation are in it")
    return [
        StreamRecord(_FOLD.sub(_RECIPE, r.listener), r.condition, r.key, r.scenes, r.beds) for r in records
    ]


def _joined(records: Sequence[StreamRecord]) -> StreamRecord:
    first = records[0]
    soundscapes = {profile: _soundscapes([r.scenes[profile] for r in records]) for profile in first.scenes}
    backgrounds: dict[str, tuple[BackgroundFigures, ...]] = {
        profile: tuple(background for r in records for background in r.beds[profile])
        for profile in first.beds
    }
    return StreamRecord(first.listener, first.condition, "", soundscapes, backgrounds)


def _soundscapes(folds: Sequence[SoundscapeFigures]) -> SoundscapeFigures:
    labels = dict.fromkeys(row.label for fold in folds for row in fold.classes)
    classes = [
        _class([row for fold in folds for row in fold.classes if row.label == name]) for name in labels
    ]
    names = sorted({name for fold in folds for name in fold.pairs})
    curve = zip(*(fold.curve for fold in folds), strict=True)
    return SoundscapeFigures(
        tuple(classes),
        _means([fold.micro for fold in folds]),
        _means([fold.psds for fold in folds]),
        {name: _sum([fold.pairs[name] for fold in folds if name in fold.pairs]) for name in names},
        tuple((at[0][0], *_sum([(detected, sounds) for _, detected, sounds in at])) for at in curve),
    )


def _sum(counts: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(first for first, _ in counts), sum(second for _, second in counts)


def _class(rows: Sequence[StreamClassFigures]) -> StreamClassFigures:
    recordings: dict[str, tuple[int, int]] = {}
    for row in rows:
        recordings |= row.recordings
    return StreamClassFigures(
        rows[0].label,
        sum(row.sounds for row in rows),
        sum(row.heard for row in rows),
        onset_f1=float(np.mean([row.onset_f1 for row in rows])),
        event_f1=float(np.mean([row.event_f1 for row in rows])),
        segment_f1=float(np.mean([row.segment_f1 for row in rows])),
        delays_s=tuple(delay for row in rows for delay in row.delays_s),
        recordings=recordings,
    )


def _means(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    shared = [name for name in folds[0] if all(name in fold for fold in folds)]
    return {name: float(np.mean([fold[name] for fold in folds])) for name in shared}
