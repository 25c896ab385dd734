"""Facts of a corpus that records do not hold: its folds, published figures, variation of repeated runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.study.folds import LABELS


@dataclass(frozen=True)
class PublishedFigure:
    """A row of the published table: ten folds; F1 and recall weighted by class, so recall equals accuracy."""

    accuracy: float
    f1: float
    recall: float


@dataclass(frozen=True)
class Known:
    """Facts of one corpus.

    Attributes
    ----------
    table
        Published figures by network; empty if there are none.
    fold_luck, seed_luck
        Sentences on the variation between folds and between seeds; "" if it was not measured.
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
        fold_luck=" Accuracies of single folds vary by 7 to 14 points.",
        seed_luck=" (seeds differ by up to 4.5 points)",
    ),
    LABELS["esc10"]: Known("ESC-10", dict.fromkeys(range(1, 6), 80)),
}


def known(labels: Sequence[str]) -> Known:
    """Return the facts of the corpus with these labels; empty ones for any other."""
    return _KNOWN.get(tuple(labels), Known("a corpus of other classes"))
