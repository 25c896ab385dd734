"""Laws of universal sounds: they are as loud as said, at any moment and in any room, and beat noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from training.data.audio import RATE
from training.data.corpora import CLASSES
from training.robustness.attacks import universal
from training.robustness.attacks.methods import snr_db
from training.robustness.attacks.universal import (
    PERIOD,
    SIREN,
    SNRS_DB,
    Universal,
    UniversalEffort,
    added,
    folded_rooms,
    is_detected,
    judged,
    learn,
    no_rooms,
    played,
    search,
    stretches,
)
from training.robustness.page import pictures, tables_played
from training.robustness.page.gather import Findings
from training.robustness.targets.front_end import SAMPLES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

_TIME = np.arange(SAMPLES) / RATE
_BAND = (1800, 2200)


def hisses(count: int, seed: int = 0) -> Any:
    noise = np.random.default_rng(seed).standard_normal((count, SAMPLES))
    return (0.05 * noise).astype(np.float32)


def by_whistle(sounds: Any) -> Any:
    """A network that takes for a siren what holds a tenth of its power within 1.8 to 2.2 kHz."""
    power = tf.abs(tf.signal.rfft(sounds)) ** 2
    low, high = (hertz * SAMPLES // RATE for hertz in _BAND)
    portion = tf.reduce_sum(power[:, low:high], axis=1) / (tf.reduce_sum(power, axis=1) + 1e-9)
    columns = [tf.fill(tf.shape(portion), -5.0)] * len(CLASSES)
    columns[SIREN] = 50.0 * (portion - 0.1)
    return tf.stack(columns, axis=1)


def wave(seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(PERIOD).astype(np.float32)


@pytest.mark.parametrize("rooms", [False, True])
def test_the_sound_lies_so_far_under_every_other(rooms: bool) -> None:
    sounds = hisses(3) * np.array([[1.0], [0.1], [0.5]], np.float32)
    for level in (20.0, 0.0):
        np.testing.assert_allclose(snr_db(sounds, added(wave(), sounds, level, rooms, 1)), level, atol=0.1)


def test_without_a_room_the_sound_is_itself_shifted_and_repeated() -> None:
    sounds, shifts = hisses(2), np.array([0, 12_345])
    heard = np.asarray(played(tf.constant(wave()), no_rooms(2), shifts, tf.constant(sounds), 0.0))
    for row, shift in zip(heard, shifts, strict=True):
        expected = np.tile(np.roll(wave(), shift), SAMPLES // PERIOD)
        np.testing.assert_allclose(row / row.std(), expected / expected.std(), atol=2e-3)


def test_a_room_answers_a_repeating_sound_as_it_would_if_it_had_played_for_ever() -> None:
    response = folded_rooms(1, np.random.default_rng(3))
    heard = np.asarray(played(tf.constant(wave()), response, np.array([0]), tf.constant(hisses(1)), 0.0))[0]
    expected = np.fft.irfft(np.fft.rfft(wave()) * np.fft.rfft(response[0]), PERIOD)
    np.testing.assert_allclose(heard[:PERIOD] / heard.std(), expected / expected.std(), atol=2e-3)
    assert not np.allclose(expected / expected.std(), wave(), atol=0.1)


def test_a_sound_that_was_learnt_raises_a_siren_where_noise_as_loud_does_not() -> None:
    learning, judging = hisses(8), hisses(6, seed=1)
    assert not is_detected(by_whistle, judging).any()
    found = learn(by_whistle, learning, "raise", 5.0, wave(), steps=40)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(1.0, abs=1e-3)
    assert is_detected(by_whistle, added(found, judging, 5.0, True, 2)).all()
    assert not is_detected(by_whistle, added(wave(1), judging, 5.0, True, 2)).any()


def test_a_sound_that_was_learnt_hides_sirens() -> None:
    whistle = (0.03 * np.sin(2 * np.pi * 2000 * _TIME)).astype(np.float32)
    sirens = hisses(6, seed=2) + whistle
    assert is_detected(by_whistle, sirens).all()
    found = learn(by_whistle, sirens[:3], "hide", -5.0, wave(), steps=20)
    assert not is_detected(by_whistle, added(found, sirens[3:], -5.0, False, 2)).any()


def test_every_level_is_searched_from_the_loudest_on_and_judged() -> None:
    said: list[str] = []
    waves = search(by_whistle, hisses(2), "raise", UniversalEffort(steps=1), said.append)
    assert [*waves] == sorted(SNRS_DB)
    assert len(said) == len(SNRS_DB)
    for by_snr in judged(by_whistle, waves, hisses(2, seed=1)):
        assert [*by_snr] == [f"{snr:g} dB" for snr in SNRS_DB]
        assert {len(kept) for kept in by_snr.values()} == {2}


def test_noise_is_judged_at_the_same_moments_in_the_same_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    played_in = []

    def listen(wave: Any, sounds: Any, snr: float, rooms: bool, seed: int) -> Any:
        played_in.append((rooms, seed))
        return sounds

    monkeypatch.setattr(universal, "added", listen)
    judged(by_whistle, dict.fromkeys(SNRS_DB, wave()), hisses(2))
    shifted, in_rooms, noise = (played_in[kind * len(SNRS_DB)] for kind in range(3))
    assert (shifted[0], in_rooms[0]) == (False, True)
    assert noise == in_rooms


def test_fooled_are_sirens_that_were_heard_and_streets_that_had_none() -> None:
    before = (True, True, True, False)
    kept = {f"{snr:g} dB": (True, snr > 10, snr > 5, False) for snr in SNRS_DB}
    hide = Universal("net", 1, 0, "hide", tuple("abcd"), before, kept, kept, kept, {})
    assert [round(hide.fooled(kept[name]), 3) for name in ("15 dB", "10 dB", "5 dB")] == [0.0, 0.333, 0.667]
    assert hide.smallest_db == 5.0
    raised = replace(hide, goal="raise", before=(False, False, True, True))
    assert raised.fooled((True, False, False, True)) == 0.5
    never = dict.fromkeys(kept, before)
    assert replace(hide, in_rooms=never).smallest_db is None
    always = dict.fromkeys(kept, (False,) * 4)
    shown = (hide, replace(hide, in_rooms=never), replace(hide, in_rooms=always))
    rows = tables_played.smallest(Findings((), (), universal=shown)).rows
    assert [row[-1] for row in rows] == [
        "5", "none: not even at -10", "30, the edge of the search: quieter ones may do"
    ]  # fmt: skip


def test_the_picture_counts_the_sounds_of_all_folds_alike() -> None:
    before, levels = (True,) * 3, [f"{snr:g} dB" for snr in SNRS_DB]
    none, all_of_it = dict.fromkeys(levels, before), dict.fromkeys(levels, (False,))
    of_three = Universal("net", 1, 0, "hide", tuple("abc"), before, none, none, none, {})
    of_one = Universal("net", 2, 0, "hide", ("d",), (True,), all_of_it, all_of_it, all_of_it, {})
    found = Findings((), (), universal=(of_three, of_one))
    lines = pictures.universal(found).axes[0].get_lines()
    assert len(lines) == 3
    assert {value for line in lines for value in np.asarray(line.get_ydata())} == {0.25}
    rows = tables_played.universal(found).rows
    assert {(row[1], row[-1]) for row in rows} == {(1, 0.0), (2, 1.0)}


def test_stretches_are_of_the_recordings_in_turn_and_of_one_length() -> None:
    short, long = np.full(100, 0.25, np.float32), np.full(3 * SAMPLES, 0.5, np.float32)
    rows = stretches([short, long], 4, 0)
    assert rows.shape == (4, SAMPLES)
    np.testing.assert_allclose(rows[:, 0], (0.25, 0.5, 0.25, 0.5), atol=1e-4)
