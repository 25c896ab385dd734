"""Tests across corpora: what is learned from, and what is tested on."""

from __future__ import annotations

from pathlib import Path

from training.data.corpora import Clip, Corpora
from training.recipes.transfer.beside.cross_corpus import directions


def _clip(corpus: str, recording: str, label: str, fold: int, salience: int = 1) -> Clip:
    return Clip(Path(f"{corpus}-{recording}-{label}-{fold}.wav"), corpus, recording, label, fold, salience)


def _corpora() -> Corpora:
    urban = (
        _clip("UrbanSound8K", "1", "siren", 1),
        _clip("UrbanSound8K", "2", "drilling", 2),
        _clip("UrbanSound8K", "3", "dog_bark", 2, salience=2),
        _clip("UrbanSound8K", "4", "dog_bark", 1),
        _clip("UrbanSound8K", "5", "siren", 9),
    )
    esc = (
        _clip("ESC", "4", "dog_bark", 1),  # both corpora have it
        _clip("ESC", "20", "siren", 2),
        _clip("ESC", "21", "engine", 2),
        _clip("ESC", "22", "rooster", 3),
        _clip("ESC", "20", "wind", 3),  # of a recording with a siren
        _clip("ESC", "23", "helicopter", 3),  # neither ours nor clearly not
    )
    beds = tuple(_clip("background", f"street/{number}", "street", 0) for number in range(4))
    return Corpora(urban, esc, beds, (), {clip.recording: frozenset({clip.fold}) for clip in urban})


def test_no_recording_is_trained_and_tested_in_either_direction() -> None:
    for one in directions(_corpora(), (1, 2)):
        assert one.tested
        assert not one.trained.recordings() & {clip.group for clip in one.tested}
        assert not {clip.corpus for clip, _ in one.trained.events} & {clip.corpus for clip in one.tested}
        assert len(one.trained.backgrounds) == 4


def test_a_network_reports_only_what_it_learned() -> None:
    esc, urban = directions(_corpora(), (1, 2))
    assert {clip.label for clip in esc.tested} == {"siren", "engine", "rooster", "wind"}
    assert {clip.label for clip in urban.tested} == {"siren", "drilling"}
    assert {label for _, label in urban.trained.events} <= set(urban.reporting)
    assert {clip.label for clip in urban.trained.negatives} == {"rooster"}
    assert set(urban.reporting) == {"siren", "dog_bark", "car_horn", "engine_idling"}
