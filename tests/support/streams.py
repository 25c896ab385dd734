"""A small model of known behaviour, and pipelines around it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from monitor.events.background import BackgroundLevel
from monitor.events.tracker import EventTracker
from monitor.model.card import Card
from monitor.model.classifier import Classifier
from monitor.pipeline import Pipeline, StreamParts
from monitor.records import AudioBlock, HopResult
from monitor.settings import ClassSettings

RATE = 8000
HOP = 800
WINDOW = 2400
LABELS = ("low", "high", "background")


def card(**changes: Any) -> Card:
    """A log-mel card at 8 kHz: hop 0.1 s, window 0.3 s; two classes and one negative label."""
    shape = {"shortest_s": 0.1, "profiles": {"quiet": {}}}
    values = {
        "schema": 1,
        "name": "bands",
        "version": "1",
        "created": "",
        "licence": "",
        "data_licences": [],
        "sample_rate": RATE,
        "window": WINDOW,
        "hop": HOP,
        "front_end": {
            "kind": "log-mel",
            "n_fft": 256,
            "win_length": 200,
            "hop": 80,
            "frames": WINDOW // 80,
            "n_mels": 8,
            "fmax": 4000.0,
        },
        "output": "sigmoid",
        "classes": {"low": shape, "high": shape},
        "negative_labels": ["background"],
    }
    return Card.model_validate({**values, **changes})


def bands(window: np.ndarray) -> np.ndarray:
    """Scores of the lower and the upper half of the bands, and of neither: −100…0 dB as 0…1."""
    low, high = (float(np.clip(part.mean() / 100.0 + 1.0, 0.0, 1.0)) for part in np.split(window, 2, axis=1))
    return np.array([low, high, 1.0 - max(low, high)], np.float32)


def pipeline(
    source_rate: int = RATE, settings: ClassSettings | None = None, gain: float = 1.0, **changes: Any
) -> Pipeline:
    model = card(**changes)
    classes = dict.fromkeys(("low", "high"), settings or ClassSettings(enter=0.6, exit=0.5, release_s=0.1))
    return Pipeline(
        StreamParts(
            Classifier(model, bands, {label: (i,) for i, label in enumerate(LABELS)}),
            EventTracker(LABELS, classes, rate=RATE, hop=HOP),
            BackgroundLevel(HOP / RATE),
            gain=gain,
        ),
        source_rate=source_rate,
        rate=RATE,
        hop=HOP,
    )


def run(stream: Pipeline, samples: np.ndarray, cuts: Sequence[int] = (), start: int = 0) -> list[HopResult]:
    """All rows of a signal that comes in blocks cut at ``cuts``, the first at position ``start``."""
    rows: list[HopResult] = []
    for begin, end in pairwise([0, *cuts, len(samples)]):
        rows += stream.push(AudioBlock(samples[begin:end], start + begin))
    return rows + list(stream.flush())


def plain(rows: Sequence[HopResult]) -> list[tuple[Any, ...]]:
    """Rows as values that compare to the bit."""
    return [
        (row.position, row.time_s, row.scores.tobytes(), row.level, row.decisions, row.readings)
        for row in rows
    ]
