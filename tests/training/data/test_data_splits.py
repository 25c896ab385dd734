"""No recording stands on both sides, whatever folds are here and whichever are tested."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from corpora import write_corpora

from training.data.corpora import CLASSES, Clip, Corpora, load
from training.data.splits import ESC_UNCLEAR, cross_fit, everything, leave_one_out, split
from training.errors import DataError


def random_corpora(seed: int) -> Corpora:
    """Recordings that often stand in two folds and in both corpora; some folds of the table are absent."""
    rng = np.random.default_rng(seed)
    present = set(rng.choice(np.arange(1, 6), 4, replace=False).tolist())
    urban, esc = [], []
    folds: dict[str, set[int]] = {}
    for number in range(150):
        recording, fold = str(rng.integers(60)), int(rng.integers(1, 6))
        folds.setdefault(recording, set()).add(fold)
        label = CLASSES[int(rng.integers(10))]
        if fold in present:
            urban.append(Clip(Path(f"{recording}-{number}.wav"), "UrbanSound8K", recording, label, fold))
    for number in range(60):
        recording = str(rng.integers(120))
        label = str(rng.choice(["dog", "siren", "rain", "engine", "cat"]))
        esc.append(Clip(Path(f"1-{recording}-{number}.wav"), "ESC", recording, label, 1))
    beds = [Clip(Path(f"{i}.wav"), "background", f"street/{i}", "street", 0) for i in range(7)]
    return Corpora(tuple(urban), tuple(esc), tuple(beds), (), {r: frozenset(f) for r, f in folds.items()})


@pytest.mark.parametrize("seed", range(10))
def test_recordings_never_straddle_training_and_test(seed: int) -> None:
    corpora = random_corpora(seed)
    here = sorted({clip.fold for clip in corpora.urban})
    for tested in itertools.chain(itertools.combinations(here, 1), itertools.combinations(here, 2)):
        parts = split(corpora, [fold for fold in here if fold not in tested], tested)
        assert not parts.train.recordings() & parts.test.recordings()
        assert {clip.fold for clip, _ in parts.test.events} == set(tested)
        assert len(parts.test.events) == sum(clip.fold in tested for clip in corpora.urban), (
            "a test clip was lost"
        )


@pytest.mark.parametrize("seed", range(10))
def test_an_esc_clip_is_used_only_when_all_folds_of_its_recording_train(seed: int) -> None:
    corpora = random_corpora(seed)
    here = sorted({clip.fold for clip in corpora.urban})
    parts = split(corpora, here[1:], here[:1])
    trained = {clip.path for clip, _ in parts.train.events} | {clip.path for clip in parts.train.negatives}
    tested = {clip.path for clip in parts.test.negatives}
    for clip in corpora.esc:
        known = corpora.urban_folds.get(clip.recording, frozenset(here[1:]))
        if clip.label != "engine":
            assert (clip.path in trained | tested) == (known <= set(here[1:]))


@pytest.mark.parametrize("seed", range(5))
def test_every_background_and_sound_of_no_class_is_tested_with_one_fold(seed: int) -> None:
    corpora = random_corpora(seed)
    here = sorted({clip.fold for clip in corpora.urban})
    apart = leave_one_out(corpora, here)
    beds = [clip for parts in apart.values() for clip in parts.test.backgrounds]
    assert sorted(beds, key=str) == sorted(corpora.backgrounds, key=str)
    others = [clip for parts in apart.values() for clip in parts.test.negatives]
    assert len(set(others)) == len(others)
    whole = everything(corpora, here)
    assert {clip for clip, _ in whole.events} >= set(corpora.urban)
    assert set(whole.backgrounds) == set(corpora.backgrounds)


@pytest.mark.parametrize("seed", range(5))
def test_cross_fits_hold_out_every_recording_once(seed: int) -> None:
    corpora = random_corpora(seed)
    here = sorted({clip.fold for clip in corpora.urban})
    part = split(corpora, here[1:], here[:1]).train
    pairs = cross_fit(part, 3)
    for learn, held in pairs:
        assert not learn.recordings() & held.recordings()
        assert learn.recordings() | held.recordings() == part.recordings()
    held_out = [recording for _, held in pairs for recording in held.recordings()]
    assert sorted(held_out) == sorted(part.recordings())


def test_a_sound_that_may_or_may_not_be_ours_is_in_no_set() -> None:
    parts = split(random_corpora(0), [1, 2, 3, 4], [5])
    used = {clip.label for clip in parts.train.negatives} | {clip.label for clip, _ in parts.train.events}
    assert not used & ESC_UNCLEAR


def test_a_fold_cannot_be_trained_on_and_tested(tmp_path: Path) -> None:
    corpora = load(write_corpora(tmp_path, folds=(1, 2)))
    with pytest.raises(DataError, match=r"folds \[2\] are in both training and test"):
        split(corpora, [1, 2], [2])


def test_folds_that_are_not_here_are_named(tmp_path: Path) -> None:
    corpora = load(write_corpora(tmp_path, folds=(1, 2)))
    with pytest.raises(DataError, match=r"no UrbanSound8K clips of folds \[1\] or \[7\]"):
        split(corpora, [1], [7])
