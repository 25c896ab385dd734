"""False alarms are counted once, where they belong."""

from __future__ import annotations

import pytest

from training.stream_eval.alarms import URGENT, BackgroundFigures, alarm_table, counted
from training.stream_eval.judge import MOVES
from training.stream_eval.replayed import Event


def _bed(name: str, kind: str, seconds: float, alarms: dict[str, int]) -> BackgroundFigures:
    return BackgroundFigures(name, kind, seconds, 0.0, alarms, (0,) * len(MOVES))


BEDS = (
    _bed("rain/tent", "rain", 1800.0, {"siren": 1}),
    _bed("street/road", "street", 3600.0, {}),
    _bed("rain/roof", "rain", 1800.0, {"siren": 2, "dog_bark": 1}),
    _bed("indoor/old_cafe", "indoor", 1800.0, {"street_music": 3}),
    _bed("speech/words", "speech", 1800.0, {"car_horn": 1}),
)


def _counts(beds: tuple[BackgroundFigures, ...]) -> dict[tuple[str, str], tuple[int, float]]:
    return {(row.background, row.label): (row.count, row.hours) for row in alarm_table(beds)}


def test_alarms_are_counted_by_kind_by_class_and_together() -> None:
    counts = _counts(BEDS)
    assert counts["kind rain", "all"] == (4, 1.0)
    assert counts["kind rain", "siren"] == (3, 1.0)
    assert counts["kind street", "all"] == (0, 1.0)
    assert counts["all", "all"] == (8, 3.0)
    assert counts["all", "urgent"] == (sum(counts["all", label][0] for label in URGENT), 3.0)


def test_voices_and_music_are_told_by_the_kind_and_by_words_of_the_name() -> None:
    assert [bed.group for bed in BEDS] == ["plain", "plain", "plain", "voices or music", "speech"]
    # Part of a word is no word: a barn is no bar.
    assert _bed("outdoor/barn-owl", "outdoor", 1.0, {}).group == "plain"


def test_groups_share_out_all_backgrounds() -> None:
    counts = _counts(BEDS)
    groups = [counts[group, "all"] for group in ("plain", "voices or music", "speech")]
    assert tuple(map(sum, zip(*groups, strict=True))) == counts["all", "all"]


def test_counts_do_not_depend_on_the_order_of_the_files() -> None:
    assert _counts(BEDS) == _counts(BEDS[::-1])


def test_the_rate_has_its_exact_interval() -> None:
    row = next(r for r in alarm_table(BEDS) if (r.background, r.label) == ("kind rain", "siren"))
    assert row.per_hour == pytest.approx((3.0, 0.619, 8.767), abs=1e-3)


def test_an_alarm_in_a_repeated_stretch_does_not_count_again() -> None:
    events = [Event("siren", onset, onset + 1, onset + 1) for onset in (1.0, 11.0, 25.0)]
    assert counted(events, [(10.0, 20.0)]) == [events[0], events[2]]
