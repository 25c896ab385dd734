"""Training and test splits, disjoint by recording across corpora.

Rules
-----
- Near-duplicates count as one recording (:attr:`training.data.corpora.Clip.group`).
- The test set is whole folds of UrbanSound8K, plus backgrounds and sounds of no class that are not
  trained on: each fold has its own share of them.
- A Freesound id that the official release has in two folds (five ids, 152 clips) is
  dropped from training when either of its folds is tested: strictly disjoint, at the cost
  of a few clips.
- An ESC clip whose id is in UrbanSound8K's table takes that recording's fold: it is used for training
  only if all folds of that id are training folds.
- The unit of a background is its source file, that of any other ESC sound its recording; each kind is
  distributed over all folds, and a share is trained or tested with its fold.
- Temperature and thresholds, which need sounds not trained on, are fitted by :func:`cross_fit` within
  the training part, by recording.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from training.data.corpora import Clip, Corpora
from training.errors import DataError

ESC_LABELS = {
    "dog_bark": "dog_bark",
    "dog": "dog_bark",
    "siren": "siren",
    "car_horn": "car_horn",
    "engine": "engine_idling",
}
"""ESC categories that correspond to one of our classes."""

ESC_UNCLEAR = frozenset({"helicopter", "fireworks", "laughing", "crying_baby", "baby_cry"})
"""Ambiguous categories, neither clearly one of our classes nor clearly none: excluded."""

_TEST_FILES = (False, True, False, False, True)
"""Which files of a background kind go to the study's test set, cyclically, in an order hashed from names."""


@dataclass(frozen=True)
class Part:
    """Sounds of the ten classes with their labels, other sounds, and backgrounds."""

    events: tuple[tuple[Clip, str], ...]
    negatives: tuple[Clip, ...]
    backgrounds: tuple[Clip, ...]

    def recordings(self) -> set[str]:
        events = {clip.group for clip, _ in self.events}
        return events | {clip.group for clip in (*self.negatives, *self.backgrounds)}

    def restricted_to(self, recordings: set[str]) -> Part:
        return Part(
            tuple((clip, label) for clip, label in self.events if clip.group in recordings),
            tuple(clip for clip in self.negatives if clip.group in recordings),
            tuple(clip for clip in self.backgrounds if clip.group in recordings),
        )


@dataclass(frozen=True)
class Split:
    train: Part
    test: Part


def split(corpora: Corpora, train_folds: Sequence[int], test_folds: Sequence[int]) -> Split:
    """Split all corpora by the rules above.

    Raises
    ------
    DataError
        If a fold is on both sides, or a side has no clips.
    """
    usable, tested = frozenset(train_folds), frozenset(test_folds)
    if usable & tested:
        raise DataError(f"folds {sorted(usable & tested)} are in both training and test; choose others")
    folds_of = corpora.group_folds
    learn = [c for c in corpora.urban if c.fold in usable and not folds_of[c.group] & tested]
    test = tuple((c, c.label) for c in corpora.urban if c.fold in tested)
    if not learn or not test:
        raise DataError(
            f"the data folder has no UrbanSound8K clips of folds {sorted(usable)} or {sorted(tested)}"
        )
    esc = [c for c in corpora.esc if folds_of.get(c.group, usable) <= usable]
    events = [(c, c.label) for c in learn]
    events += [(c, ESC_LABELS[c.label]) for c in esc if c.label in ESC_LABELS]
    folds = sorted(usable | tested)
    trained = {clip.group for clip, _ in events}
    others = [c for c in esc if c.label not in ESC_LABELS and c.label not in ESC_UNCLEAR]
    known = tuple(c for c in others if c.group in trained)
    negatives, surprises = _shared_out([c for c in others if c.group not in trained], folds, tested)
    ours, kept = _shared_out(corpora.backgrounds, folds, tested)
    return Split(Part(tuple(events), known + negatives, ours), Part(test, surprises, kept))


def _shared_out(
    clips: Iterable[Clip], folds: Sequence[int], tested: Collection[int]
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Return (training, test): recordings of each background kind and of ESC, assigned to folds in turn."""
    by_kind: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        # One recording may occur under several of ESC's labels.
        by_kind[clip.label if clip.corpus == "background" else clip.corpus][clip.group].append(clip)
    parts: tuple[list[Clip], list[Clip]] = ([], [])
    fold_of: dict[str, int] = {}
    for kind in sorted(by_kind):
        # Kinds with few files must not all start at the same fold.
        first = int(rank(kind), 16)
        for place, group in enumerate(sorted(by_kind[kind], key=rank)):
            fold = fold_of.setdefault(group, folds[(first + place) % len(folds)])
            parts[fold in tested].extend(by_kind[kind][group])
    return tuple(parts[0]), tuple(parts[1])


def leave_one_out(corpora: Corpora, folds: Sequence[int]) -> dict[int, Split]:
    """Return the leave-one-fold-out splits, keyed by test fold.

    Raises
    ------
    DataError
        If there are fewer than two folds, or a fold has no clips.
    """
    return {fold: split(corpora, [f for f in folds if f != fold], [fold]) for fold in folds}


def everything(corpora: Corpora, folds: Sequence[int]) -> Part:
    """Return all clips of the folds with their negatives and backgrounds, to train the shipped model."""
    apart = leave_one_out(corpora, folds)
    events: dict[Clip, str] = {}
    others: dict[Clip, None] = {}
    beds: dict[Clip, None] = {}
    for parts in apart.values():
        for part in (parts.train, parts.test):
            events |= dict(part.events)
            others |= dict.fromkeys(part.negatives)
            beds |= dict.fromkeys(part.backgrounds)
    return Part(tuple(events.items()), tuple(others), tuple(beds))


def deal_backgrounds(clips: Iterable[Clip]) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Return (training, test) files; every kind with at least two files is in both."""
    by_kind: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_kind[clip.label].append(clip)
    parts: tuple[list[Clip], list[Clip]] = ([], [])
    for kind in sorted(by_kind):
        for place, clip in enumerate(sorted(by_kind[kind], key=lambda c: rank(c.recording))):
            parts[_TEST_FILES[place % len(_TEST_FILES)]].append(clip)
    return tuple(parts[0]), tuple(parts[1])


def cross_fit(part: Part, count: int) -> list[tuple[Part, Part]]:
    """Return ``count`` pairs (train, held out): every recording is held out exactly once.

    The recordings of each class are assigned, those with most clips first, to the group with the
    fewest clips of that class, so that no group holds out most of a class.
    """
    by_label: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    others = ((c, f"not {c.label}") for c in (*part.negatives, *part.backgrounds))
    for clip, label in (*part.events, *others):
        by_label[label][clip.group] += 1
    groups: list[set[str]] = [set() for _ in range(count)]
    for sizes in by_label.values():
        loads = [sum(sizes[r] for r in group if r in sizes) for group in groups]
        free = [r for r in sizes if not any(r in group for group in groups)]
        for recording in sorted(free, key=lambda r: (-sizes[r], rank(r))):
            least = min(range(count), key=lambda g: (loads[g], len(groups[g])))
            groups[least].add(recording)
            loads[least] += sizes[recording]
    everything = part.recordings()
    return [(part.restricted_to(everything - held), part.restricted_to(held)) for held in groups]


def rank(recording: str) -> str:
    """Return a sort key that depends on the name alone: the same in every run and on every machine."""
    return hashlib.sha256(recording.encode()).hexdigest()
