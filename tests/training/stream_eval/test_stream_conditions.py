"""Each condition changes what it names and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recordings import make_part

from training.data.splits import Part
from training.errors import DataError
from training.mixing.soundscapes import RATE, ScapePlan, make_soundscapes
from training.mixing.streams import rms
from training.stream_eval.conditions import (
    CONDITIONS,
    OVERLAP,
    PLAIN,
    chosen,
    gain,
    low_pass,
    microphone,
    room,
)

PLAN = ScapePlan(count=2, seconds=10.0, sounds=3)
SAME = [condition for condition in CONDITIONS if condition.family != OVERLAP]
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Part:
    return make_part(tmp_path_factory.mktemp("recordings"), seconds=1.0)


def _tone(hertz: float) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize("condition", SAME, ids=lambda condition: condition.name)
def test_a_condition_leaves_times_and_lengths_and_stays_in_range(part: Part, condition) -> None:
    plain, heard = make_soundscapes(part, PLAN), condition.soundscapes(part, PLAN)
    for one, other in zip(plain, heard, strict=True):
        assert len(one.samples) == len(other.samples)
        assert np.abs(other.samples).max() <= 1.0
        same = [replace(t, snr_db=0.0) for t in one.truths] == [replace(t, snr_db=0.0) for t in other.truths]
        assert same
    changed = any(not np.array_equal(a.samples, b.samples) for a, b in zip(plain, heard, strict=True))
    assert changed == (condition.name != PLAIN)


def test_a_condition_is_the_same_in_every_run(part: Part) -> None:
    for condition in SAME:
        first, second = (condition.soundscapes(part, PLAN) for _ in range(2))
        assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first, second, strict=True))


def test_pairs_of_classes_that_are_not_there_are_refused(part: Part) -> None:
    with pytest.raises(DataError, match=r"no foreground clip of .*; leave out the sweep `overlap`"):
        next(c for c in CONDITIONS if c.family == OVERLAP).soundscapes(part, PLAN)


def test_gain_cuts_off_at_full_scale() -> None:
    assert np.abs(gain(-20)(_tone(440), RNG)).max() == pytest.approx(0.02, rel=1e-3)
    loud = gain(20)(_tone(440), RNG)
    assert loud.max() == 1.0
    assert (np.abs(loud) == 1.0).mean() > 0.5


def test_a_low_pass_keeps_what_lies_below_and_takes_what_lies_above() -> None:
    for hertz, kept in ((1000, 1.0), (6000, 0.01)):
        heard = low_pass(4000)(_tone(hertz), RNG)[RATE // 4 :]
        assert rms(heard) == pytest.approx(kept * rms(_tone(hertz)), abs=0.02 * rms(_tone(hertz)))


def test_a_room_lets_the_sound_set_in_when_it_does_and_go_on_longer() -> None:
    click = np.zeros(RATE, np.float32)
    click[1000:1100] = 0.5
    heard = room(0.5, 0.0)(click, RNG)
    assert np.flatnonzero(np.abs(heard) > 0.05)[0] == pytest.approx(1000, abs=2)
    assert np.abs(heard[2000:4000]).max() > 0.005


def test_a_microphone_has_the_gains_it_was_given() -> None:
    heard = microphone((100, 1000, 4000, 8000), (0.0, 0.0, -20.0, -20.0), -90.0)
    for hertz, gain_db in ((500, 0.0), (6000, -20.0)):
        middle = heard(_tone(hertz), RNG)[RATE // 4 : -RATE // 4]
        assert 20 * np.log10(rms(middle) / rms(_tone(hertz))) == pytest.approx(gain_db, abs=0.7)


def test_no_family_is_the_soundscapes_as_drawn() -> None:
    assert [condition.name for condition in chosen(())] == [PLAIN]
    assert {condition.family for condition in chosen(("snr",))} == {PLAIN, "snr"}
