"""Records join an end to its start, and say the same in two runs."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import Clock, FileClock, parse_utc
from monitor.config.notice_sections import Notices
from monitor.config.notices import make_notices, utc_time
from monitor.records import Decision, EventRecord
from monitor.stream.recorder import Origin, Recorder, counted_ids, cut_off, random_ids, uuid7

START = Decision(
    type="start", key=1, label="siren", decided_pos=20000, start_pos=12000, end_pos=None, score=0.91239,
    score_mean=0.85, threshold=0.6, level_dbfs=-23.44, over_background_db=18.26, overlapping=("dog",),
)  # fmt: skip
END = replace(START, type="end", decided_pos=50000, end_pos=44000, score=0.95, reason="released")


def recorder(start_utc: float = 1_780_000_000.0, clock: Clock | None = None) -> Recorder:
    origin = Origin(node="balcony", model="m", model_version="1.2", rate=16000, file="street.wav")
    return Recorder(
        origin,
        clock=clock or FileClock(start_utc),
        numbers=count(7),
        new_id=counted_ids(),
        notices=make_notices(Notices(), utc_time),
    )


def test_a_start_carries_what_is_known_and_an_end_repeats_its_id_and_delay() -> None:
    made = recorder()
    start, end = made.record(START), made.record(END)
    assert (start.seq, start.type, start.label, start.node, start.file) == (
        7,
        "start",
        "siren",
        "balcony",
        "street.wav",
    )
    assert (start.start_s, start.end_s, start.duration_s, start.end) == (0.75, None, None, None)
    assert (start.score, start.level_dbfs, start.over_background_db) == (0.9124, -23.4, 18.3)
    assert start.delay_s == 0.5
    assert (end.seq, end.event_id, end.delay_s) == (8, start.event_id, start.delay_s)
    assert (end.start, end.start_s, end.end_s, end.duration_s) == (start.start, 0.75, 2.75, 2.0)
    assert (end.reason, end.score, end.model, end.model_version) == ("released", 0.95, "m", "1.2")


def test_wall_times_are_the_clocks_at_start_and_end() -> None:
    made = recorder(start_utc=parse_utc("2026-05-01T22:00:00Z"))
    start, end = made.record(START), made.record(END)
    assert (start.start, end.end) == ("2026-05-01T22:00:00.750Z", "2026-05-01T22:00:02.750Z")
    assert start.clock == "file"


def test_an_end_repeats_its_starts_time_though_the_clock_was_set_meanwhile() -> None:
    clock = FileClock(parse_utc("2026-05-01T22:00:00Z"))
    made = recorder(clock=clock)
    start = made.record(START)
    clock._start += 86400.0
    end = made.record(END)
    assert (end.start, end.end) == (start.start, "2026-05-01T22:00:02.750Z")
    assert made.record(START).start == "2026-05-02T22:00:00.750Z"


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
def test_an_event_of_an_impossible_time_that_a_kill_cut_off_is_ended(start: str) -> None:
    end = cut_off(replace(recorder().record(START), start=start), seq=40)
    assert (end.start, end.end, end.duration_s) == (start, start, 0.5)


def test_events_that_overlap_keep_their_own_ids() -> None:
    made = recorder()
    other = replace(START, key=2, label="dog")
    first, second = made.record(START), made.record(other)
    assert first.event_id != second.event_id
    assert made.record(replace(END, key=2, label="dog")).event_id == second.event_id
    assert made.record(END).event_id == first.event_id


def test_an_event_that_a_kill_cut_off_ends_where_it_was_decided() -> None:
    start = recorder().record(START)
    end = cut_off(start, seq=40)
    assert (end.type, end.reason, end.seq, end.event_id) == ("end", "stopped", 40, start.event_id)
    assert (end.start, end.start_s, end.end_s, end.duration_s) == (start.start, 0.75, 1.25, 0.5)
    assert end.end is not None
    assert parse_utc(end.end) - parse_utc(start.start) == pytest.approx(0.5)
    assert EventRecord.from_json(end.to_json()) == end


def test_an_end_without_its_start_is_a_bug_that_shows() -> None:
    with pytest.raises(KeyError):
        recorder().record(END)


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_ids_are_uuids_of_version_7_that_carry_their_time(unix_ms: int, random: bytes) -> None:
    text = uuid7(unix_ms, random)
    groups = text.split("-")
    assert [len(group) for group in groups] == [8, 4, 4, 4, 12]
    assert int(groups[0] + groups[1], 16) == unix_ms
    assert groups[2][0] == "7"
    assert groups[3][0] in "89ab"


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_a_later_id_sorts_after_an_earlier_one(unix_ms: int, one: bytes, other: bytes) -> None:
    assert uuid7(unix_ms, one) < uuid7(unix_ms + 1, other)


def test_counted_ids_are_the_same_in_every_run_and_random_ones_never() -> None:
    first, second = counted_ids(), counted_ids()
    assert [first() for _ in range(300)] == [second() for _ in range(300)]
    ids = [make() for make in (counted_ids(), random_ids(), random_ids()) for _ in range(300)]
    made = counted_ids()
    assert len({made() for _ in range(300)}) == 300
    assert len(set(ids)) == len(ids)
