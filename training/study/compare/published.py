"""What is known of a corpus beside the records: its folds, what was published on it, the luck there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.study.folds import LABELS


@dataclass(frozen=True)
class PublishedFigure:
    """A row of its table: ten folds; F1 and recall weighted by class, so recall repeats accuracy."""

    accuracy: float
    f1: float
    recall: float


@dataclass(frozen=True)
class Known:
    """One corpus; ``table`` is what was published for its networks, empty where nothing was.

    ``fold_luck`` and ``seed_luck`` are what repeated runs on it have shown, "" where there were none.
    """

    name: str
    fold_clips: Mapping[int, int] = field(default_factory=dict)
    table: Mapping[str, PublishedFigure] = field(default_factory=dict)
    fold_luck: str = ""
    seed_luck: str = ""


SEED_TABLE = {
    "rnn": PublishedFigure(0.41, 0.39, 0.41),
    "lstm": PublishedFigure(0.58, 0.57, 0.58),
    "gru": PublishedFigure(0.59, 0.58, 0.59),
    "clstm": PublishedFigure(0.60, 0.59, 0.60),
    "cnn": PublishedFigure(0.62, 0.60, 0.60),
}
"""Source: README of alejandromorislara/Environmental-Sound-Classification-with-Deep-Learning."""

FOLD_CLIPS = {1: 873, 2: 888, 3: 925, 4: 990, 5: 936, 6: 823, 7: 838, 8: 806, 9: 816, 10: 837}
"""Clips of each fold of UrbanSound8K, counted in the official table."""

_KNOWN = {
    LABELS["urbansound8k"]: Known(
        "UrbanSound8K",
        FOLD_CLIPS,
        SEED_TABLE,
        fold_luck=" A single fold carries 7 to 14 points of luck.",
        seed_luck=" (seeds differ by up to 4.5 points)",
    ),
    LABELS["esc10"]: Known("ESC-10", dict.fromkeys(range(1, 6), 80)),
}


def known(labels: Sequence[str]) -> Known:
    """Return what is known of the corpus with these labels; of any other, nothing."""
    return _KNOWN.get(tuple(labels), Known("a corpus of other classes"))
