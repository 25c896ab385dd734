"""Soundscapes hold what they say, and a perfect listener gets a perfect score."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from recordings import make_part

from training.data import Clip
from training.prepare import RATE
from training.soundscapes import ScapePlan, Soundscape, Truth, make_soundscapes
from training.splits import Part
from training.stream_eval import Event, Heard, alarm_figures, scene_figures
from training.streams import rms

pytest.importorskip("sed_eval")

PLAN = ScapePlan(count=3, seconds=20.0, sounds=4)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Part:
    return make_part(tmp_path_factory.mktemp("recordings"), seconds=1.0)


@pytest.fixture(scope="module")
def scapes(part: Part) -> list[Soundscape]:
    return make_soundscapes(part, PLAN)


def perfect(scapes: list[Soundscape], late_s: float = 0.0) -> Heard:
    """Report every sound at its true times, decided ``late_s`` after its onset."""
    events = tuple(
        tuple(Event(t.label, t.onset_s, t.offset_s, t.onset_s + late_s) for t in scape.truths)
        for scape in scapes
    )
    return Heard(events, tuple(scape.seconds for scape in scapes))


def test_soundscapes_depend_on_the_seed_alone(part: Part, scapes: list[Soundscape]) -> None:
    again = make_soundscapes(part, PLAN)
    other = make_soundscapes(part, ScapePlan(count=3, seconds=20.0, sounds=4, seed=1))
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(scapes, again, strict=True))
    assert [s.truths for s in scapes] == [s.truths for s in again]
    assert [s.truths for s in scapes] != [s.truths for s in other]


def test_a_soundscape_has_its_length_and_never_clips(scapes: list[Soundscape]) -> None:
    for scape in scapes:
        assert len(scape.samples) == 20 * RATE
        assert np.abs(scape.samples).max() <= 0.95


def test_the_level_rises_where_a_sound_begins(part: Part) -> None:
    loud = make_soundscapes(part, ScapePlan(count=2, seconds=20.0, sounds=2, snr_db=(20.0, 20.0)))
    for scape in loud:
        for truth in scape.truths:
            at = round(truth.onset_s * RATE)
            if at > RATE and not _others_on(scape, truth):
                before, after = scape.samples[at - RATE // 4 : at], scape.samples[at : at + RATE // 2]
                assert rms(after) > 3 * rms(before)


def _others_on(scape: Soundscape, truth: Truth) -> bool:
    others = [t for t in scape.truths if t is not truth]
    return any(t.onset_s < truth.onset_s + 0.5 and t.offset_s > truth.onset_s - 0.25 for t in others)


def test_sounds_of_a_class_never_overlap_in_the_truth(scapes: list[Soundscape]) -> None:
    for scape in scapes:
        for label in {truth.label for truth in scape.truths}:
            mine = [truth for truth in scape.truths if truth.label == label]
            assert all(a.offset_s < b.onset_s for a, b in pairwise(mine))


def test_a_perfect_listener_scores_one(scapes: list[Soundscape]) -> None:
    for row in scene_figures(scapes, perfect(scapes, late_s=0.3)):
        assert (row.heard, row.onset_f1, row.segment_f1) == (row.sounds, 1.0, 1.0)
        assert row.delays_s == pytest.approx([0.3] * row.sounds)


def test_a_deaf_listener_scores_nothing(scapes: list[Soundscape]) -> None:
    deaf = Heard(((),) * len(scapes), tuple(scape.seconds for scape in scapes))
    for row in scene_figures(scapes, deaf):
        assert (row.heard, row.onset_f1, row.segment_f1, row.delays_s) == (0, 0.0, 0.0, ())


def test_onsets_off_by_more_than_half_a_second_do_not_count(scapes: list[Soundscape]) -> None:
    late = tuple(
        tuple(Event(e.label, e.onset_s + 0.6, e.offset_s + 0.6, e.decided_s + 0.6) for e in events)
        for events in perfect(scapes).events
    )
    figures = scene_figures(scapes, Heard(late, perfect(scapes).seconds))
    assert sum(row.onset_f1 for row in figures) < 0.5 * len(figures)
    assert all(row.heard == row.sounds for row in figures)


def test_alarms_are_counted_by_kind_and_together() -> None:
    clips = [Clip(Path(), "background", kind, kind, 0) for kind in ("rain", "street", "rain")]
    alarm = Event("siren", 1.0, 2.0, 1.5)
    rows = alarm_figures(clips, Heard(((alarm,), (), (alarm, alarm)), (1800.0, 3600.0, 1800.0)))
    assert [(row.kind, row.count, row.hours) for row in rows] == [
        ("rain", 3, 1.0),
        ("street", 0, 1.0),
        ("all", 3, 2.0),
    ]
    assert rows[0].by_label == {"siren": 3}
    assert rows[0].per_hour == pytest.approx((3.0, 0.619, 8.767), abs=1e-3)
