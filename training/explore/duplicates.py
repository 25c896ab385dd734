"""Find near-duplicate clips among different recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.corpora import Clip
from training.explore.measure import Measurement

Floats = NDArray[np.float32]

_ROWS_AT_ONCE = 512
_BINS = np.linspace(-1.0, 1.0, 101)


@dataclass(frozen=True)
class NearDuplicate:
    """Two clips of different recordings and the cosine between their embeddings."""

    first: Clip
    second: Clip
    similarity: float


@dataclass(frozen=True)
class Likeness:
    """Similarity of clips: near-duplicates, and histograms over ``edges``.

    Attributes
    ----------
    within, between
        Numbers of pairs of the same recording and of different recordings.
    typical
        Median similarity within a recording.
    suspicious
        Pairs of different recordings that are more similar than ``typical``.
    suspicious_across
        Those of them that lie in different folds.
    """

    pairs: tuple[NearDuplicate, ...]
    edges: NDArray[np.float64]
    within: NDArray[np.int64]
    between: NDArray[np.int64]
    typical: float
    suspicious: int
    suspicious_across: int


def embed(measured: Sequence[Measurement]) -> Floats:
    """Return unit vectors, shape (clips, 2 × bands): level-free mean spectrum, and deviation over time.

    Each column is standardised over the clips, so that the cosine ignores what all clips share.
    """
    mean = np.stack([m.mean for m in measured])
    shape = np.concatenate([mean - mean.mean(axis=1, keepdims=True), [m.deviation for m in measured]], axis=1)
    shape = (shape - shape.mean(axis=0)) / np.maximum(shape.std(axis=0), 1e-6)
    length = np.linalg.norm(shape, axis=1, keepdims=True)
    vectors: Floats = (shape / np.maximum(length, 1e-9)).astype(np.float32)
    return vectors


def likeness(clips: Sequence[Clip], vectors: Floats, listed: int = 25) -> Likeness:
    """Compare every pair of clips; name the closest clips of the ``listed`` closest pairs of recordings."""
    recordings = np.unique([clip.recording for clip in clips], return_inverse=True)[1]
    folds = np.array([clip.fold for clip in clips])
    within, between = np.zeros(len(_BINS) - 1, np.int64), np.zeros(len(_BINS) - 1, np.int64)
    alike: list[tuple[float, int, int]] = []
    same: list[Floats] = []
    for first in range(0, len(clips), _ROWS_AT_ONCE):
        rows = np.arange(first, min(first + _ROWS_AT_ONCE, len(clips)))
        cosine = np.clip(vectors[rows] @ vectors.T, -1.0, 1.0)
        later = np.arange(len(clips)) > rows[:, None]
        own = recordings[rows][:, None] == recordings
        within += np.histogram(cosine[later & own], _BINS)[0]
        between += np.histogram(cosine[later & ~own], _BINS)[0]
        same.append(cosine[later & own])
        cosine[~later | own] = -1.0
        alike += _best_partners(cosine, rows)
    typical = float(np.median(np.concatenate(same))) if any(map(len, same)) else 1.0
    counted = _count_above(vectors, recordings, folds, typical)
    return Likeness(_named(clips, alike, listed), _BINS, within, between, typical, *counted)


def _best_partners(cosine: Floats, rows: NDArray[np.int64]) -> list[tuple[float, int, int]]:
    best = cosine.argmax(axis=1)
    return [(float(cosine[i, j]), int(rows[i]), int(j)) for i, j in enumerate(best)]


def _count_above(
    vectors: Floats, recordings: NDArray[np.int64], folds: NDArray[np.int64], threshold: float
) -> tuple[int, int]:
    """Count the pairs of different recordings above the threshold, and those of them in different folds."""
    total = across = 0
    for first in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = np.arange(first, min(first + _ROWS_AT_ONCE, len(vectors)))
        above = (vectors[rows] @ vectors.T > threshold) & (np.arange(len(vectors)) > rows[:, None])
        above &= recordings[rows][:, None] != recordings
        total += int(above.sum())
        across += int((above & (folds[rows][:, None] != folds)).sum())
    return total, across


def _named(
    clips: Sequence[Clip], alike: list[tuple[float, int, int]], listed: int
) -> tuple[NearDuplicate, ...]:
    pairs: dict[frozenset[str], NearDuplicate] = {}
    for similarity, i, j in sorted(alike, reverse=True):
        if similarity <= -1.0:
            continue
        both = frozenset((clips[i].recording, clips[j].recording))
        pairs.setdefault(both, NearDuplicate(clips[i], clips[j], similarity))
    return tuple(list(pairs.values())[:listed])
