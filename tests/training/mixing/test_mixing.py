"""Batches are what the recipe says: powers add, labels follow, chance comes from the seed alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recordings import make_part

from training.data.corpora import BACKGROUND, LABELS
from training.data.splits import Part
from training.features.front_end import FrontEnd, default_front_end
from training.mixing.mixer import PLAIN, Mixer, Recipe, in_rooms, pair_targets
from training.mixing.prepare import make_mixer

BARK, SIREN, NOTHING = LABELS.index("dog_bark"), LABELS.index("siren"), LABELS.index(BACKGROUND)
BARE = replace(PLAIN, negatives=0.0, noise_db=(200.0, 200.0), smoothing=0.0)
"""One clip a window and nothing else, to be reckoned by hand."""


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Part:
    return make_part(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> FrontEnd:
    return default_front_end(tmp_path_factory.mktemp("cache"))


def mixer(part: Part, front_end: FrontEnd, recipe: Recipe) -> Mixer:
    return make_mixer(part, front_end, recipe, lambda done: None)


def batch(part: Part, front_end: FrontEnd, recipe: Recipe, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return mixer(part, front_end, recipe).batch(32, np.random.default_rng(seed))


def test_a_bare_window_is_a_stretch_of_its_clip(part: Part, front_end: FrontEnd) -> None:
    windows, targets = batch(part, front_end, BARE)
    clips = [clip for clip, _ in part.events]
    bank = front_end.bank([*clips, *part.negatives, *part.backgrounds], lambda done: None)
    labels = np.array([LABELS.index(label) for _, label in part.events])
    for window, target in zip(windows, targets, strict=True):
        power = 10 ** (window / 10)
        candidates = np.flatnonzero(labels == target.argmax())
        assert any(_holds(bank.power[bank.first[c] :][: bank.frames[c]], power) for c in candidates)


def _holds(clip: np.ndarray, window: np.ndarray) -> bool:
    starts = range(len(clip) - len(window) + 1)
    return any(np.allclose(clip[s : s + len(window)], window, rtol=1e-3, atol=1e-10) for s in starts)


def test_mixed_sounds_add_in_power(part: Part, front_end: FrontEnd) -> None:
    # The same draws follow: only the second event, at equal level, is on top.
    alone, _ = batch(part, front_end, BARE)
    both, _ = batch(part, front_end, replace(BARE, second=1.0, second_db=0.0))
    added = 10 ** (both / 10) - 10 ** (alone / 10)
    assert (added >= -1e-9).all()
    assert (added.mean(axis=(1, 2)) > 0).all()


def test_the_second_of_a_pair_is_labelled_too(part: Part, front_end: FrontEnd) -> None:
    _, targets = batch(part, front_end, replace(BARE, second=1.0, second_db=0.0))
    assert (targets[:, [BARK, SIREN]] == 1.0).all(axis=1).any()
    assert (targets[:, NOTHING] == 0.0).all()


def test_a_second_far_below_loses_its_target_and_the_louder_keeps_it() -> None:
    bark, siren = np.eye(len(LABELS), dtype=np.float32)[[BARK, SIREN]]
    mixed = pair_targets(np.stack([bark] * 3), np.stack([siren] * 3), np.array([0.0, -20.0, 20.0]))
    assert mixed[0, BARK] == mixed[0, SIREN] == 1.0
    assert mixed[1, BARK] == 1.0
    assert mixed[1, SIREN] == pytest.approx(2 / 11)
    assert mixed[2, BARK] == pytest.approx(2 / 11)
    assert mixed[2, SIREN] == 1.0


def test_windows_without_an_event_are_background_alone(part: Part, front_end: FrontEnd) -> None:
    _, targets = batch(part, front_end, replace(BARE, negatives=1.0))
    assert (targets[:, NOTHING] == 1.0).all()
    assert targets.sum() == len(targets)


def test_smoothing_draws_all_targets_inwards(part: Part, front_end: FrontEnd) -> None:
    _, targets = batch(part, front_end, replace(BARE, smoothing=0.1))
    assert np.unique(targets) == pytest.approx([0.05, 0.95])


def test_batches_depend_on_the_seed_alone(part: Part, front_end: FrontEnd) -> None:
    for recipe in (Recipe(), PLAIN):
        first, again = batch(part, front_end, recipe, 3), batch(part, front_end, recipe, 3)
        other = batch(part, front_end, recipe, 4)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not np.array_equal(first[0], other[0])


def test_an_augmented_batch_is_finite_and_its_targets_are_shares(part: Part, front_end: FrontEnd) -> None:
    windows, targets = batch(part, front_end, Recipe())
    assert np.isfinite(windows).all()
    assert ((targets >= 0.0) & (targets <= 1.0)).all()


def test_a_room_keeps_the_power_and_dies_away_by_sixty_decibels_in_its_time() -> None:
    power = np.zeros((3, 120, 2), np.float32)
    power[:, 10] = 1.0
    rooms = replace(Recipe(), room=1.0, room_frames=(30.0, 30.0), room_db=(3.0, 3.0))
    in_rooms(power, rooms, np.random.default_rng(0))
    assert power.sum(axis=1) == pytest.approx(np.ones((3, 2)), rel=1e-3)
    direct, tail = power[0, 10], power[0, 11:]
    assert 10 * np.log10(direct / tail.sum(axis=0)) == pytest.approx([3.0, 3.0], abs=0.01)
    low, high = (10 * np.log10(tail[0, band] / tail[time, band]) for band, time in ((0, 30), (1, 15)))
    assert (low, high) == pytest.approx((60.0, 60.0), abs=0.1)


def test_a_window_in_a_room_is_as_long_and_holds_the_same(part: Part, front_end: FrontEnd) -> None:
    windows, targets = batch(part, front_end, replace(BARE, room=1.0))
    dry, same = batch(part, front_end, BARE)
    assert windows.shape == dry.shape
    assert np.isfinite(windows).all()
    np.testing.assert_array_equal(targets, same)
