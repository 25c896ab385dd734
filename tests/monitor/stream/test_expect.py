"""Records match one to one by label and type; what is missing, extra or shifted is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from samples import record

from monitor.errors import UsageError
from monitor.records import EventRecord
from monitor.stream.expect import Tolerance, differences, read_expected

TOLERANCE = Tolerance(time_s=0.5, score=0.02)


def start(label: str, at_s: float, **changes: object) -> EventRecord:
    return record(1, label=label, start_s=at_s, **{"score": 0.9, "file": "a/street.wav", **changes})


def test_ids_numbers_nodes_and_wall_time_do_not_count():
    wanted = start("siren", 3.0)
    found = replace(wanted, event_id="other", seq=9, node="attic", start="1970-01-01T00:00:03.000Z")
    assert differences([wanted], [found], TOLERANCE) == []


def test_what_is_missing_extra_or_shifted_is_named():
    wanted = [start("siren", 3.0), start("dog_bark", 8.0), start("drilling", 20.0)]
    found = [start("siren", 3.75), start("dog_bark", 8.0, score=0.85), start("car_horn", 8.0)]
    assert differences(wanted, found, TOLERANCE) == [
        "shifted  start siren at 3.000 s in street.wav: start_s 3 → 3.75",
        "shifted  start dog_bark at 8.000 s in street.wav: score 0.9 → 0.85",
        "missing  start drilling at 20.000 s in street.wav",
        "extra    start car_horn at 8.000 s in street.wav",
    ]


def test_limits_are_inclusive():
    wanted = [start("siren", 3.0)]
    assert differences(wanted, [start("siren", 3.5, score=0.92)], TOLERANCE) == []
    assert differences(wanted, [start("siren", 3.502)], TOLERANCE) != []


def test_one_record_stands_for_one_expected_record():
    wanted = [start("siren", 3.0), start("siren", 3.2)]
    assert len(differences(wanted, wanted[:1], TOLERANCE)) == 1
    assert len(differences(wanted[:1], wanted, TOLERANCE)) == 1


def test_the_nearest_pairs_match_first():
    # Taken in order of the list, the bark at 10 s would claim the one at 12 s.
    wanted = [start("dog_bark", 10.0), start("dog_bark", 12.0)]
    lines = differences(wanted, [start("dog_bark", 12.0)], TOLERANCE)
    assert lines == ["missing  start dog_bark at 10.000 s in street.wav"]


def test_a_record_far_away_is_another_one():
    lines = differences([start("siren", 3.0)], [start("siren", 60.0)], TOLERANCE)
    assert [line.split()[0] for line in lines] == ["missing", "extra"]


def test_files_match_by_name_wherever_the_folder_is_and_by_path_where_names_repeat():
    wanted = [start("siren", 3.0, file="x/1.wav"), start("siren", 3.1, file="y/1.wav")]
    moved = [replace(record, file=f"elsewhere/{record.file}") for record in wanted]
    assert differences(wanted, moved, TOLERANCE) == []
    assert differences(wanted, list(reversed(moved)), TOLERANCE) == []
    other = [replace(wanted[0], score=0.5), wanted[1]]
    assert differences(wanted, other, TOLERANCE) == [
        "shifted  start siren at 3.000 s in 1.wav: score 0.9 → 0.5"
    ]


def test_a_list_that_is_none_is_named_by_line(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text(start("siren", 3.0).to_json() + "\n\n{}\n")
    with pytest.raises(UsageError, match=r"list\.jsonl:3: not an event record"):
        read_expected(path)
    with pytest.raises(UsageError, match="cannot read the list"):
        read_expected(tmp_path / "absent.jsonl")
