"""Split a corpus into the training, validation and test clips of a job.

Rules
-----
- ``honest``, with five folds or more: test on fold k, validate on fold k+1 (the first follows the
  last), train on the rest. With fewer: test on fold k, validate on 15 % of the recordings of each
  class in the other folds, train on the rest. Every model and baseline gets the same split.
- ``seed``, as in the student study: its recurrent networks validated on the test fold, its CNN on
  the first tenth of the training rows in the order of the table.
- Both exclude a recording of the test fold from training (five ids of the official release are in
  two folds); ``honest`` treats validation the same way. The split is checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from training.data.corpora import CLASSES, Clip, Corpora
from training.data.splits import rank
from training.errors import DataError

Corpus = Literal["urbansound8k", "esc10"]
Validation = Literal["recordings", "test fold", "first rows"]

VALIDATION_SHARE = 0.15
FIRST_ROWS_SHARE = 0.1
FOLDS_FOR_A_WHOLE_ONE = 5

_ESC10 = {
    "chainsaw": "chainsaw", "clock_tick": "clock_tick", "crackling_fire": "crackling_fire",
    "crying_baby": "crying_baby", "dog": "dog", "helicopter": "helicopter", "rain": "rain",
    "rooster": "rooster", "sea_waves": "sea_waves", "sneezing": "sneezing",
    "baby_cry": "crying_baby", "dog_bark": "dog", "fire_crackling": "crackling_fire",
    "person_sneeze": "sneezing",
}  # fmt: skip
"""ESC-10's classes; the first release of the corpus named four of them differently."""

LABELS: Mapping[Corpus, tuple[str, ...]] = MappingProxyType(
    {"urbansound8k": CLASSES, "esc10": tuple(sorted(set(_ESC10.values())))}
)
"""The ten classes of each corpus, in the order of their numbers."""


@dataclass(frozen=True)
class Labelled:
    """A corpus for cross-validation: clips, their class numbers and the folds of their recordings."""

    name: Corpus
    labels: tuple[str, ...]
    clips: tuple[Clip, ...]
    truth: tuple[int, ...]
    folds_of: Mapping[str, frozenset[int]]

    @property
    def folds(self) -> tuple[int, ...]:
        return tuple(sorted({clip.fold for clip in self.clips}))


@dataclass(frozen=True)
class Parts:
    """Row numbers of the corpus's clips; ``rule`` names the choice of the validation rows."""

    train_folds: tuple[int, ...]
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    rule: str


def labelled(corpora: Corpora, name: Corpus) -> Labelled:
    """Return one corpus with its ten labels.

    Raises
    ------
    DataError
        If fewer than two of its folds are present.
    """
    labels = LABELS[name]
    if name == "urbansound8k":
        names = {label: label for label in CLASSES}
        clips = corpora.urban
        folds_of = corpora.urban_folds
    else:
        names = _ESC10
        clips = tuple(clip for clip in corpora.esc if clip.label in _ESC10)
        folds_of = _folds_of(clips)
    truth = tuple(labels.index(names[clip.label]) for clip in clips)
    found = Labelled(name, labels, clips, truth, folds_of)
    if len(found.folds) < 2:
        raise DataError(f"cross validation needs two folds of {name} at least; found {list(found.folds)}")
    return found


def check_folds(asked: Sequence[int], corpus: Labelled) -> None:
    """Refuse folds that are not there, before any job of theirs or of others begins.

    Raises
    ------
    DataError : names them and those that are there
    """
    if absent := [fold for fold in asked if fold not in corpus.folds]:
        folds = ", ".join(map(str, absent))
        raise DataError(
            f"--folds {folds}: {corpus.name} has no clips of that here; there are {list(corpus.folds)}"
        )


def divide(corpus: Labelled, test_fold: int, validation: Validation = "recordings") -> Parts:
    """Return the split for one test fold, by the rules above.

    Raises
    ------
    DataError
        If the fold is absent, or a part would be empty or share a recording with another.
    """
    if test_fold not in corpus.folds:
        raise DataError(f"fold {test_fold} of {corpus.name} is not here; there are {list(corpus.folds)}")
    test = tuple(i for i, clip in enumerate(corpus.clips) if clip.fold == test_fold)
    others = tuple(fold for fold in corpus.folds if fold != test_fold)
    learn = tuple(_outside(corpus, others, {test_fold}))
    if validation == "recordings":
        parts = _honest(corpus, test_fold, others, learn, test)
    elif validation == "test fold":
        parts = Parts(others, learn, test, test, "the test fold itself, as the seed did")
    else:
        count = round(FIRST_ROWS_SHARE * len(learn))
        rule = "the first tenth of the training rows, as the seed did"
        parts = Parts(others, learn[count:], learn[:count], test, rule)
    check(corpus, parts, strict=validation == "recordings")
    return parts


def check(corpus: Labelled, parts: Parts, *, strict: bool) -> None:
    """Refuse parts that are empty or share a recording; not ``strict``: training against test only.

    Raises
    ------
    DataError : names the parts and a recording
    """
    rows = {"training": parts.train, "validation": parts.validation, "test": parts.test}
    for name, part in rows.items():
        if not part:
            raise DataError(
                f"{corpus.name} has no clips for {name} here; more recordings or folds are needed"
            )
    pairs = [("training", "test")]
    if strict:
        pairs += [("training", "validation"), ("validation", "test")]
    for one, other in pairs:
        shared = _recordings(corpus, rows[one]) & _recordings(corpus, rows[other])
        if shared:
            raise DataError(f"recording {min(shared)} of {corpus.name} is in {one} and {other}")


def _honest(
    corpus: Labelled, test_fold: int, others: tuple[int, ...], learn: tuple[int, ...], test: tuple[int, ...]
) -> Parts:
    if len(corpus.folds) >= FOLDS_FOR_A_WHOLE_ONE:
        following = corpus.folds[(corpus.folds.index(test_fold) + 1) % len(corpus.folds)]
        train_folds = tuple(fold for fold in others if fold != following)
        validation = tuple(_outside(corpus, (following,), {test_fold}))
        train = tuple(_outside(corpus, train_folds, {test_fold, following}))
        return Parts(train_folds, train, validation, test, f"fold {following}")
    held = _held_recordings(corpus, learn)
    validation = tuple(i for i in learn if corpus.clips[i].recording in held)
    train = tuple(i for i in learn if corpus.clips[i].recording not in held)
    rule = f"{VALIDATION_SHARE:.0%} of the training recordings of each class"
    return Parts(others, train, validation, test, rule)


def _held_recordings(corpus: Labelled, rows: Sequence[int]) -> set[str]:
    """15 % of each class's recordings, at least one where it has two, the same in every run."""
    by_class: dict[int, set[str]] = defaultdict(set)
    for i in rows:
        by_class[corpus.truth[i]].add(corpus.clips[i].recording)
    held: set[str] = set()
    for recordings in by_class.values():
        count = max(round(VALIDATION_SHARE * len(recordings)), int(len(recordings) > 1))
        held |= set(sorted(recordings, key=rank)[:count])
    return held


def _outside(corpus: Labelled, folds: Sequence[int], kept_from: set[int]) -> list[int]:
    """Rows of ``folds`` whose recordings are in none of ``kept_from``."""
    return [
        i
        for i, clip in enumerate(corpus.clips)
        if clip.fold in folds and not corpus.folds_of[clip.recording] & kept_from
    ]


def _recordings(corpus: Labelled, rows: Sequence[int]) -> set[str]:
    return {corpus.clips[i].recording for i in rows}


def _folds_of(clips: Sequence[Clip]) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for clip in clips:
        found[clip.recording].add(clip.fold)
    return {recording: frozenset(folds) for recording, folds in found.items()}
