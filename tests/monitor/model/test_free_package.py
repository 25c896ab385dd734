"""The package for any purpose holds what its page says of it, and its network is mn04."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from monitor.model.card import MultiHeadCard
from monitor.model.load import LoadedModel, ThirdParty, load_model
from monitor.settings import silent

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model(ROOT / "models" / "urban-sounds-free.tflite", ThirdParty())


@pytest.fixture(scope="module")
def card(model: LoadedModel) -> MultiHeadCard:
    assert isinstance(model.card, MultiHeadCard)
    return model.card


def test_its_licence_and_all_it_was_made_of_allow_any_purpose(card: MultiHeadCard) -> None:
    assert card.licence.startswith("MIT")
    assert not [text for text in card.data_licences if "NC" in text or "non-commercial" in text.lower()]
    notice = (ROOT / "notices" / "urban-sounds-free.txt").read_text(encoding="utf-8")
    assert "Florian Schmid" in notice


def test_no_class_and_no_sound_of_it_is_silent(card: MultiHeadCard) -> None:
    for entries in (card.classes, card.sounds):
        for profile in ("quiet", "sensitive"):
            assert silent({name: one.profiles[profile] for name, one in entries.items()}) == []


def test_sensitive_asks_for_no_more_than_quiet(card: MultiHeadCard) -> None:
    for one in (*card.classes.values(), *card.sounds.values()):
        assert one.profiles["sensitive"].enter <= one.profiles["quiet"].enter


@pytest.mark.accuracy
def test_through_the_whole_route_it_says_of_mn04s_reference_what_mn04_says(model: LoadedModel) -> None:
    folder = os.environ.get("SOUND_DATA")
    if not folder:
        pytest.skip("SOUND_DATA names no data")
    with np.load(Path(folder) / "mn04" / "reference.npz") as stored:
        samples, theirs = stored["audio2"], stored["logits2"]
    classifier = model.classifier()
    found = [classifier.push(hop) for hop in samples.reshape(-1, model.card.hop)][-1].sounds
    assert found is not None
    # Frames are not centred, and edges not reflected; weights have 16 bits.
    assert np.abs(found - theirs).max() < 1.0
    assert np.abs(found - theirs).mean() < 0.2
    assert set(np.argsort(-found)[:3]) == set(np.argsort(-theirs)[:3])
