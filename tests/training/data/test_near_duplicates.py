"""Near-duplicates are one group, and no group is in training and test."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from corpora import write_corpora
from numpy.typing import NDArray

from training.data.corpora import NEAR_DUPLICATES, Clip, Corpora, load, unlabelled_sounds
from training.data.splits import cross_fit, leave_one_out

RATE = 4000
TAKE_S = 2.0
LEAST = 0.4
"""Correlation of two seconds of waveform."""


def with_duplicates(corpora: Corpora) -> Corpora:
    """Return the corpora with near-duplicates: recordings of two folds, and backgrounds of two kinds."""
    one, other = (next(clip.recording for clip in corpora.urban if clip.fold == fold) for fold in (1, 2))
    names = {one: "102305", other: "37236"}

    def renamed(clip: Clip) -> Clip:
        return replace(clip, recording=names.get(clip.recording, clip.recording))

    beds = list(corpora.backgrounds)
    beds[0] = replace(beds[0], label="rain", recording="rain/moodist_thunder")
    beds[1] = replace(beds[1], label="noice", recording="noice/noice_distant-thunder")
    folds = {names.get(recording, recording): of for recording, of in corpora.urban_folds.items()}
    return replace(
        corpora, urban=tuple(map(renamed, corpora.urban)), backgrounds=tuple(beds), urban_folds=folds
    )


@pytest.fixture
def corpora(tmp_path: Path) -> Corpora:
    write_corpora(tmp_path)
    return with_duplicates(load(tmp_path))


def test_no_group_is_in_training_and_test(corpora: Corpora) -> None:
    for fold, parts in leave_one_out(corpora, sorted({clip.fold for clip in corpora.urban})).items():
        assert not parts.train.recordings() & parts.test.recordings()
        names = {clip.recording for clip, _ in parts.train.events}
        assert not {"102305", "37236"} & names or fold not in (1, 2)


def test_a_group_is_held_out_whole(corpora: Corpora) -> None:
    parts = leave_one_out(corpora, sorted({clip.fold for clip in corpora.urban}))
    whole = next(iter(parts.values())).test
    for train, held in cross_fit(whole, 3):
        assert not train.recordings() & held.recordings()


def test_every_name_is_in_one_group() -> None:
    assert not set(NEAR_DUPLICATES) & set(NEAR_DUPLICATES.values())


@pytest.mark.accuracy
@pytest.mark.parametrize("name", sorted(NEAR_DUPLICATES))
def test_near_duplicates_hold_the_same_take(name: str) -> None:
    root = os.environ.get("SOUND_DATA")
    if not root:
        pytest.skip("SOUND_DATA names no data")
    corpora = load(Path(root))
    clips = (*corpora.urban, *corpora.esc, *corpora.backgrounds, *unlabelled_sounds(Path(root) / "effects"))
    group = NEAR_DUPLICATES[name]
    ones = [clip.path for clip in clips if clip.recording == name]
    others = [clip.path for clip in clips if clip.group == group and clip.recording != name]
    assert max(likeness(one, other) for one, other in itertools.product(ones, others)) >= LEAST


def likeness(first: Path, second: Path) -> float:
    """Return the highest correlation of two seconds of the shorter recording with the longer one."""
    one, other = sorted((differences(first), differences(second)), key=len)
    size = min(round(TAKE_S * RATE), len(one), len(other))
    length = 1 << (len(other) + size).bit_length()
    spectrum = np.fft.rfft(other, length)
    energy = np.cumsum(np.pad(np.square(other), (1, 0)))
    energies = energy[size:] - energy[: len(energy) - size]
    best = 0.0
    for at in range(0, len(one) - size + 1, size):
        take = one[at : at + size]
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(take, length)), length)[: len(energies)]
        scale = np.sqrt(np.maximum(energies * np.square(take).sum(), 1e-9))
        best = max(best, float((np.abs(product) / scale).max()))
    return best


def differences(path: Path) -> NDArray[np.float64]:
    """Return the differences of a recording's samples, which take out its rumble."""
    samples, rate = soundfile.read(path, always_2d=True)
    resampled: NDArray[np.float64] = np.diff(soxr.resample(samples.mean(axis=1), rate, RATE))
    return resampled
