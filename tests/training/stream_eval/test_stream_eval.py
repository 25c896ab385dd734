"""Soundscapes hold what they say, and a perfect listener gets a perfect score."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from recordings import make_part
from stream_parts import told

from training.data.splits import Part
from training.mixing.soundscapes import RATE, ScapePlan, Soundscape, Truth, make_pairs, make_soundscapes
from training.mixing.streams import rms
from training.stream_eval.judge import class_figures, pairs
from training.stream_eval.replayed import Detections, Event

pytest.importorskip("sed_eval")

PLAN = ScapePlan(count=3, seconds=20.0, sounds=4)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Part:
    return make_part(tmp_path_factory.mktemp("recordings"), seconds=1.0)


@pytest.fixture(scope="module")
def scapes(part: Part) -> list[Soundscape]:
    return make_soundscapes(part, PLAN)


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


def test_other_levels_leave_sounds_and_times(part: Part, scapes: list[Soundscape]) -> None:
    level = make_soundscapes(part, PLAN, snr_db=5.0)
    for scape, again in zip(scapes, level, strict=True):
        assert {t.snr_db for t in again.truths} == {5.0}
        assert [replace(t, snr_db=0.0) for t in again.truths] == [
            replace(t, snr_db=0.0) for t in scape.truths
        ]
        assert not np.array_equal(scape.samples, again.samples)


def test_a_perfect_listener_scores_one(scapes: list[Soundscape]) -> None:
    rows, micro = class_figures(scapes, told(scapes, late_s=0.3))
    for row in rows:
        assert (row.heard, row.onset_f1, row.event_f1, row.segment_f1) == (row.sounds, 1.0, 1.0, 1.0)
        assert row.delays_s == pytest.approx([0.3] * row.sounds)
        assert all(heard == sounds for heard, sounds in row.recordings.values())
    assert micro == pytest.approx({"onset_f1": 1.0, "event_f1": 1.0, "segment_f1": 1.0})


def test_a_deaf_listener_scores_nothing(scapes: list[Soundscape]) -> None:
    rows, micro = class_figures(scapes, Detections(((),) * len(scapes), tuple(s.seconds for s in scapes)))
    for row in rows:
        assert (row.heard, row.onset_f1, row.event_f1, row.segment_f1) == (0, 0.0, 0.0, 0.0)
        assert row.delays_s == ()
    assert set(micro.values()) == {0.0}


def test_a_false_alarm_does_not_become_true_by_a_sound_that_sets_in_under_it(
    scapes: list[Soundscape],
) -> None:
    """One that told of an earlier sound goes on for the next, which then has no delay of its own."""
    first, second = (replace(scapes[0].truths[0], onset_s=t, offset_s=t + 2.0) for t in (5.0, 9.0))
    scape = replace(scapes[0], truths=(first, second))
    for decided_s, heard, delays in ((4.0, 0, ()), (5.5, 2, (0.5,)), (9.5, 1, (0.5,))):
        event = Event(first.label, decided_s, 10.0, decided_s)
        (row,), _ = class_figures([scape], Detections(((event,),), (scape.seconds,)))
        assert (row.heard, row.delays_s) == (heard, pytest.approx(delays))


def test_of_a_pair_one_sets_in_while_the_other_is_on(part: Part) -> None:
    over, *under = sorted({label for _, label in part.events})
    for scape in make_pairs(part, PLAN, over, under):
        first, second, *_ = sorted(scape.truths, key=lambda truth: truth.onset_s)
        assert first.label in under
        assert second.label == over
        assert second.onset_s == pytest.approx(first.onset_s + 1.0)
        assert {truth.snr_db for truth in scape.truths} == {15.0}


def test_a_pair_is_heard_if_both_its_sounds_are(scapes: list[Soundscape]) -> None:
    siren, music, late = (
        replace(scapes[0].truths[0], label=label, onset_s=onset_s, offset_s=offset_s)
        for label, onset_s, offset_s in (
            ("siren", 2.0, 6.0), ("street_music", 4.0, 9.0), ("dog_bark", 8.5, 12.0),
        )
    )  # fmt: skip
    scape = replace(scapes[0], truths=(siren, music, late))
    events = tuple(Event(t.label, t.onset_s, t.offset_s, t.onset_s + 0.5) for t in scape.truths)
    for reported, both in ((events, 1), (events[:1], 0), (events[1:], 0)):
        assert pairs([scape], Detections((reported,), (scape.seconds,))) == {"siren+street_music": (1, both)}


def test_onsets_off_by_more_than_half_a_second_do_not_count(scapes: list[Soundscape]) -> None:
    # By more than the collar, and further from every other sound of the class.
    alone = [_thinned(scape) for scape in scapes]
    rows, micro = class_figures(alone, _shifted(told(alone), 0.6))
    assert [row.onset_f1 for row in rows] == [0.0] * len(rows)
    assert micro["onset_f1"] == micro["event_f1"] == 0.0
    assert all(row.heard == row.sounds for row in rows)
    assert all(row.onset_f1 == 1.0 for row in class_figures(alone, _shifted(told(alone), 0.4))[0])


def test_an_end_may_be_off_by_half_the_length_but_not_by_more(scapes: list[Soundscape]) -> None:
    for share, expected in ((0.45, 1.0), (0.8, 0.0)):
        long = [
            replace(scape, truths=(replace(scape.truths[0], offset_s=18.0, onset_s=4.0),)) for scape in scapes
        ]
        events = tuple(
            (Event(t.label, 4.0, 4.0 + 14.0 * (1 - share), 5.0),) for (t,) in (s.truths for s in long)
        )
        rows, _ = class_figures(long, Detections(events, tuple(s.seconds for s in long)))
        assert {row.event_f1 for row in rows} == {expected}
        assert {row.onset_f1 for row in rows} == {1.0}


def test_figures_do_not_depend_on_the_order_of_the_files(scapes: list[Soundscape]) -> None:
    heard = _shifted(told(scapes), 0.3)
    heard = Detections((heard.events[0][1:], *heard.events[1:]), heard.seconds)
    there = class_figures(scapes, heard)
    back = class_figures(scapes[::-1], Detections(heard.events[::-1], heard.seconds[::-1]))
    assert there[1] == pytest.approx(back[1])
    for one, other in zip(there[0], back[0], strict=True):
        assert (one.label, one.heard, one.onset_f1, one.recordings) == (
            other.label, other.heard, other.onset_f1, other.recordings,
        )  # fmt: skip
        assert sorted(one.delays_s) == pytest.approx(sorted(other.delays_s))


def _thinned(scape: Soundscape) -> Soundscape:
    """Without the sounds that follow one of their class within two seconds."""
    kept: list[Truth] = []
    for truth in scape.truths:
        if all(k.label != truth.label or truth.onset_s > k.onset_s + 2 for k in kept):
            kept.append(truth)
    return replace(scape, truths=tuple(kept))


def _shifted(heard: Detections, by_s: float) -> Detections:
    events = tuple(
        tuple(Event(e.label, e.onset_s + by_s, e.offset_s + by_s, e.decided_s + by_s) for e in events)
        for events in heard.events
    )
    return Detections(events, heard.seconds)
