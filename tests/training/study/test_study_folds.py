"""Laws of who trains, validates and tests in the study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from training.data.corpora import CLASSES, Clip, Corpora
from training.errors import DataError
from training.records.jobs import Job
from training.study.folds import Labelled, Parts, check, check_folds, divide, labelled
from training.study.task import BATCH, Options, Task
from training.study.trainers import augmented


def corpus(folds: int, twice: Mapping[str, int] | None = None) -> Labelled:
    """Ten recordings of each of two classes in every fold, three clips each.

    ``twice`` names recordings of fold 1 that stand in another fold too.
    """
    clips = []
    for fold in range(1, folds + 1):
        for label in CLASSES[:2]:
            for number in range(10):
                recording = f"{fold}{number}{CLASSES.index(label)}"
                clips += [
                    Clip(Path(f"{recording}-{take}.wav"), "UrbanSound8K", recording, label, fold)
                    for take in range(3)
                ]
    for recording, fold in (twice or {}).items():
        clips.append(Clip(Path(f"{recording}-9.wav"), "UrbanSound8K", recording, CLASSES[2], fold))
    folds_of: dict[str, frozenset[int]] = {}
    for clip in clips:
        folds_of[clip.recording] = folds_of.get(clip.recording, frozenset()) | {clip.fold}
    return labelled(Corpora(tuple(clips), (), (), (), folds_of), "urbansound8k")


def recordings(of: Labelled, rows: tuple[int, ...]) -> set[str]:
    return {of.clips[row].recording for row in rows}


def test_with_ten_folds_the_next_one_validates_and_the_last_is_followed_by_the_first() -> None:
    ten = corpus(10)
    for test_fold, following in ((3, 4), (10, 1)):
        parts = divide(ten, test_fold)
        assert {ten.clips[i].fold for i in parts.test} == {test_fold}
        assert {ten.clips[i].fold for i in parts.validation} == {following}
        assert set(parts.train_folds) == set(range(1, 11)) - {test_fold, following}
        assert {ten.clips[i].fold for i in parts.train} == set(parts.train_folds)


def test_with_few_folds_fifteen_percent_of_each_class_s_recordings_validate() -> None:
    three = corpus(3)
    parts = divide(three, 2)
    for label in CLASSES[:2]:
        held = {three.clips[i].recording for i in parts.validation if three.clips[i].label == label}
        assert len(held) == 3  # of twenty
    assert len(parts.train) + len(parts.validation) == 2 * 60
    assert not recordings(three, parts.train) & recordings(three, parts.validation)


def test_a_division_is_the_same_in_every_run() -> None:
    assert divide(corpus(3), 1) == divide(corpus(3), 1)


@pytest.mark.parametrize("validation", ["recordings", "test fold", "first rows"])
def test_a_recording_of_two_folds_trains_nothing_when_either_is_tested(validation: str) -> None:
    three = corpus(3, twice={"100": 2})
    for test_fold in (1, 2):
        parts = divide(three, test_fold, validation)
        assert "100" in recordings(three, parts.test)
        assert "100" not in recordings(three, parts.train)
    assert "100" in recordings(
        three, divide(three, 3, validation).train + divide(three, 3, validation).validation
    )


def test_the_seed_validates_its_recurrent_nets_on_the_test_fold_and_its_cnn_on_the_first_rows() -> None:
    three = corpus(3)
    recurrent = divide(three, 1, "test fold")
    assert recurrent.validation == recurrent.test
    assert len(recurrent.train) == 120
    convolutional = divide(three, 1, "first rows")
    assert convolutional.validation == (recurrent.train)[:12]
    assert convolutional.train == recurrent.train[12:]


def test_parts_that_share_a_recording_are_refused() -> None:
    three = corpus(3)
    good = divide(three, 1)
    spilled = replace(good, train=(*good.train, good.test[0]))
    with pytest.raises(DataError, match="is in training and test"):
        check(three, spilled, strict=False)
    mixed = replace(good, train=(*good.train, good.validation[0]))
    check(three, mixed, strict=False)
    with pytest.raises(DataError, match="is in training and validation"):
        check(three, mixed, strict=True)


def test_an_absent_fold_and_an_empty_part_are_named() -> None:
    with pytest.raises(DataError, match=r"fold 7 of urbansound8k is not here; there are \[1, 2, 3\]"):
        divide(corpus(3), 7)
    empty = Parts((2, 3), (), (0,), (1,), "none")
    with pytest.raises(DataError, match="no clips for training"):
        check(corpus(3), empty, strict=True)
    with pytest.raises(DataError, match="two folds"):
        corpus(1)


def test_esc10_has_ten_labels_under_either_of_its_names() -> None:
    names = ("dog", "dog_bark", "crackling_fire", "fire_crackling", "siren")
    clips = tuple(
        Clip(Path(f"{fold}-{i}-A.ogg"), "ESC", str(100 * fold + i), name, fold)
        for fold in range(1, 6)
        for i, name in enumerate(names)
    )
    esc = labelled(Corpora((), clips, (), (), {}), "esc10")
    assert len(esc.labels) == 10
    assert len(esc.clips) == 20  # siren is ESC-50's alone
    assert [esc.labels[truth] for truth in esc.truth[:4]] == [
        "dog",
        "dog",
        "crackling_fire",
        "crackling_fire",
    ]


@pytest.mark.parametrize(("folds", "train_folds"), [(3, 2), (10, 8)])
def test_an_epoch_of_windows_grows_with_the_corpus(folds: int, train_folds: int) -> None:
    """Two windows for each training clip, whatever the number of folds."""
    whole = corpus(folds)
    parts = divide(whole, 1)
    job = Job("honest", "compact", 1, 0)
    task = Task(job, whole, parts, (), Options(None), Path("nowhere"), lambda text: None)
    assert set(parts.train_folds) == {clip.fold for clip in (whole.clips[row] for row in parts.train)}
    assert len(parts.train_folds) == train_folds
    assert augmented._run(task).steps == math.ceil(2 * len(parts.train) / BATCH)


def test_a_fold_that_is_not_there_is_named_with_those_that_are() -> None:
    check_folds((1, 3), corpus(3))
    with pytest.raises(DataError, match=r"--folds 4, 9: .* there are \[1, 2, 3\]"):
        check_folds((1, 4, 9), corpus(3))
