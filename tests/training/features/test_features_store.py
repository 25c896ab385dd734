"""What is computed once is never computed again, whatever list it is asked in, and survives a stop."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import write_urbansound8k

from monitor.records import Samples
from training.data.audio import read
from training.data.corpora import Clip, load
from training.errors import DataError
from training.features.alterations import add_room, change_pitch, change_tempo, room_response, shift
from training.features.altered import BankRecipe, draw, load_bank, recipes
from training.features.extract import extract
from training.features.spec import presets
from training.features.store import load_features, load_items

SPEC = replace(presets["log-mel"], seconds=1.0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    root = tmp_path_factory.mktemp("corpus")
    write_urbansound8k(root, folds=(1, 2, 3))
    return list(load(root).urban)


class Count:
    def __init__(self) -> None:
        self.steps: list[int] = []

    def __call__(self, done: int) -> None:
        self.steps.append(done)

    @property
    def total(self) -> int:
        return sum(self.steps)


class Marked:
    """Counts how often it is applied; a store must know it by its repr alone."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.applied = 0
        self._stop_after = stop_after

    def __call__(self, samples: Samples, rate: int) -> Samples:
        self.applied += 1
        if self.applied > self._stop_after:
            raise KeyboardInterrupt
        return samples

    def __repr__(self) -> str:
        return "Marked"


def test_values_are_the_features_of_each_clip_in_order(clips: list[Clip], tmp_path: Path) -> None:
    stored = load_features(clips, SPEC, tmp_path, workers=1)
    assert stored.values.shape == (len(clips), *SPEC.shape)
    for clip, values in zip(clips, stored.values, strict=True):
        np.testing.assert_array_equal(values, extract(read(clip.path, SPEC.rate), SPEC).astype(np.float16))


def test_two_processes_give_what_one_gives(clips: list[Clip], tmp_path: Path) -> None:
    one = load_features(clips, SPEC, tmp_path / "one", workers=1)
    count = Count()
    two = load_features(clips, SPEC, tmp_path / "two", count, workers=2)
    np.testing.assert_array_equal(one.values, two.values)
    assert count.total == len(clips)


def test_a_second_call_computes_nothing_and_maps_the_file(clips: list[Clip], tmp_path: Path) -> None:
    mark = Marked()
    items = [(clip.path, mark) for clip in clips]
    load_items(items, SPEC, tmp_path, lambda done: None, workers=1)
    again = load_items(items, SPEC, tmp_path, lambda done: None, workers=1)
    assert mark.applied == len(clips)
    assert isinstance(again.values, np.memmap)


def test_another_order_or_part_of_the_clips_is_served_from_what_is_there(
    clips: list[Clip], tmp_path: Path
) -> None:
    mark = Marked()
    everything = load_items([(c.path, mark) for c in clips], SPEC, tmp_path, lambda done: None, workers=1)
    rows = np.arange(len(clips))[::-2]
    part = load_items([(clips[r].path, mark) for r in rows], SPEC, tmp_path, lambda done: None, workers=1)
    np.testing.assert_array_equal(part.values, everything.values[rows])
    assert mark.applied == len(clips)


def test_values_cannot_be_overwritten(clips: list[Clip], tmp_path: Path) -> None:
    for chosen in (clips, clips[::-1]):
        stored = load_features(chosen, SPEC, tmp_path, workers=1)
        with pytest.raises(ValueError, match="read-only"):
            stored.values[0, 0, 0] = 1.0


def test_an_interrupted_run_resumes(clips: list[Clip], tmp_path: Path) -> None:
    stopped = Marked(stop_after=20)
    with pytest.raises(KeyboardInterrupt):
        load_items([(c.path, stopped) for c in clips], SPEC, tmp_path, lambda done: None, workers=1)
    resumed = Marked()
    load_items([(c.path, resumed) for c in clips], SPEC, tmp_path, lambda done: None, workers=1)
    assert resumed.applied == len(clips) - 16, "the first whole shard was computed again or a broken one kept"


def half_a_row(folder: Path) -> None:
    with (folder / "values.f16").open("ab") as file:
        file.write(b"\x01" * 1000)


def half_a_name(folder: Path) -> None:
    text = (folder / "rows.txt").read_text()
    (folder / "rows.txt").write_text(text[:-5])


def names_without_rows(folder: Path) -> None:
    with (folder / "values.f16").open("rb+") as file:
        file.truncate(10_000)


def rows_without_names(folder: Path) -> None:
    (folder / "rows.txt").unlink()


def no_rows(folder: Path) -> None:
    (folder / "values.f16").unlink()


@pytest.mark.parametrize("damage", [half_a_row, half_a_name, names_without_rows, rows_without_names, no_rows])
def test_a_cache_cut_at_any_byte_heals(
    damage: Callable[[Path], None], clips: list[Clip], tmp_path: Path
) -> None:
    whole = np.array(load_features(clips[:5], SPEC, tmp_path, workers=1).values)
    damage(next(tmp_path.iterdir()))
    healed = load_features(clips[:9], SPEC, tmp_path, workers=1)
    np.testing.assert_array_equal(healed.values[:5], whole)
    again = load_features(clips[:9], SPEC, tmp_path, workers=1)
    np.testing.assert_array_equal(again.values, healed.values)


def test_a_file_that_changed_is_computed_anew(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    write_urbansound8k(root, folds=(1,))
    clip = load(root).urban[0]
    before = np.array(load_features([clip], SPEC, tmp_path / "cache", workers=1).values)
    soundfile.write(clip.path, read(clip.path, 22_050)[::-1], 22_050)
    after = load_features([clip], SPEC, tmp_path / "cache", workers=1).values
    assert not np.array_equal(before, after)


def test_other_settings_have_their_own_cache(clips: list[Clip], tmp_path: Path) -> None:
    repeated = load_features(clips, SPEC, tmp_path, workers=1).values
    padded = load_features(clips, replace(SPEC, fill="pad"), tmp_path, workers=1).values
    assert not np.array_equal(repeated, padded)


@pytest.mark.parametrize("workers", [1, 2])
def test_undecodable_audio_is_named_and_all_the_rest_is_kept(workers: int, tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    write_urbansound8k(root, folds=(1, 2))
    urban = load(root).urban
    urban[-1].path.write_bytes(b"no audio")
    with pytest.raises(DataError, match=f"{urban[-1].path.name}: cannot be decoded"):
        load_features(urban, SPEC, tmp_path / "cache", workers=workers)
    count = Count()
    load_features(urban[:-1], SPEC, tmp_path / "cache", count, workers=1)
    assert count.steps == [len(urban) - 1]


def test_a_second_process_says_that_it_waits_and_then_finds_the_rows(
    clips: list[Clip], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_features(clips, SPEC, tmp_path, workers=1)
    with (next(tmp_path.iterdir()) / "lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)

        class Release(logging.Handler):
            """The first process ends as soon as the second says that it waits."""

            def emit(self, record: logging.LogRecord) -> None:
                fcntl.flock(first, fcntl.LOCK_UN)

        logger, release = logging.getLogger("training.features.store"), Release()
        logger.addHandler(release)
        try:
            found = load_features(clips, SPEC, tmp_path, workers=1)
        finally:
            logger.removeHandler(release)
    assert len(found.values) == len(clips)
    assert "waiting for another process that is filling this cache" in caplog.text


def test_no_clips_give_no_rows(tmp_path: Path) -> None:
    assert load_features([], SPEC, tmp_path).values.shape == (0, *SPEC.shape)


# --- the bank of altered clips


def test_a_bank_holds_every_copy_of_every_clip(clips: list[Clip], tmp_path: Path) -> None:
    plain = load_features(clips[:4], SPEC, tmp_path, workers=1).values
    bank = load_bank(clips[:4], SPEC, recipes["all"], 2, tmp_path, workers=1).values
    assert bank.shape == (8, *SPEC.shape)
    for row in range(8):
        assert not np.array_equal(bank[row], plain[row % 4]), "a copy is the clip itself"
    assert not np.array_equal(bank[:4], bank[4:]), "two copies are alike"
    again = load_bank(clips[:4], SPEC, recipes["all"], 2, tmp_path / "other", workers=1).values
    np.testing.assert_array_equal(bank, again)


def test_a_factor_left_out_leaves_the_draws_of_the_others(clips: list[Clip]) -> None:
    for clip in clips:
        together = draw(BankRecipe(shift=0.5, semitones=2.5), clip, 0)
        assert draw(BankRecipe(shift=0.5), clip, 0).shift == together.shift
        assert draw(BankRecipe(semitones=2.5), clip, 0).semitones == together.semitones


def test_draws_stay_within_the_recipe(clips: list[Clip]) -> None:
    changes = [draw(recipes["all"], clip, copy) for clip in clips for copy in range(20)]
    assert all(abs(c.shift) <= 0.5 and abs(c.semitones) <= 2.5 for c in changes)
    assert all(1 / 1.231 <= c.tempo <= 1.231 for c in changes)
    assert 0.4 < np.mean([c.rt60_s > 0 for c in changes]) < 0.6


def tone(hz: float, seconds: float, rate: int = 16_000) -> Samples:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def peak_hz(samples: Samples, rate: int = 16_000) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def test_shift_rotates_and_loses_nothing() -> None:
    samples = np.arange(10, dtype=np.float32)
    assert shift(samples, 0.3).tolist() == [7, 8, 9, 0, 1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(shift(shift(samples, 0.3), -0.3), samples)


def test_pitch_moves_the_tone_and_not_the_length() -> None:
    raised = change_pitch(tone(500, 2.0), 16_000, 12.0)
    assert len(raised) == 32_000
    assert peak_hz(raised) == pytest.approx(1000, rel=0.01)


def test_tempo_moves_the_length_and_not_the_tone() -> None:
    faster = change_tempo(tone(500, 2.0), 1.25)
    assert len(faster) == pytest.approx(32_000 / 1.25, rel=0.01)
    assert peak_hz(faster) == pytest.approx(500, rel=0.01)


def test_a_room_decays_by_sixty_decibels_in_its_time() -> None:
    rate, rt60_s = 16_000, 0.5
    response = room_response(rate, rt60_s, 0.0, np.random.default_rng(1))
    assert response[0] == 1.0
    tail = response[1:].astype(np.float64)
    assert np.sum(tail**2) == pytest.approx(1.0, rel=1e-3)
    # Schroeder's backward integral, fitted between −5 and −25 dB
    decay_db = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1] / np.sum(tail**2))
    at = np.flatnonzero((decay_db < -5) & (decay_db > -25))
    slope = np.polyfit(at / rate, decay_db[at], 1)[0]
    assert 0.4 < -60 / slope / rt60_s < 1.1


def test_a_room_lengthens_a_sound_and_keeps_its_energy() -> None:
    samples = tone(500, 0.2)
    response = room_response(16_000, 0.3, 0.0, np.random.default_rng(1))
    wet = add_room(samples, response)
    assert len(wet) == len(samples) + len(response) - 1
    assert np.sum(wet.astype(np.float64) ** 2) == pytest.approx(
        np.sum(samples.astype(np.float64) ** 2), rel=1e-3
    )
