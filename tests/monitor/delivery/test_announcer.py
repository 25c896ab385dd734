"""States follow events that are on the disk in time; late events tell nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from samples import record

from monitor.delivery.mqtt.announcer import Announcer
from monitor.delivery.mqtt.feed import LATE_S
from monitor.records import EventRecord, HopResult, Level, Near


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Board:
    def __init__(self) -> None:
        self.told: list[object] = []

    def set_state(self, label: str, on: bool, record: EventRecord | None = None) -> None:
        self.told.append((label, on, None if record is None else record.seq))

    def set_online(self, online: bool) -> None:
        self.told.append(online)

    def publish_level(self, level: Level) -> None:
        self.told.append(level.rms_dbfs)

    def publish_near(self, near: Iterable[Near]) -> None:
        self.told.append({one.label: one.score for one in near})


def hop(rms_dbfs: float, **near: float) -> HopResult:
    reasons = tuple(Near(label, score, "below_threshold", score, 0.9) for label, score in near.items())
    return HopResult(0, 0.0, np.zeros(1, np.float32), Level(rms_dbfs, 0.0, -60.0, 0), near=reasons)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def announcer(board: Board, clock: Clock) -> Announcer:
    return Announcer(board, 1.0, clock)


def test_a_state_is_told_when_its_record_is_on_the_disk(announcer: Announcer, board: Board) -> None:
    for seq, kind in enumerate(("start", "end"), 1):
        announcer.on_record(record(seq, type=kind))
        assert len(board.told) == seq - 1
        announcer.on_committed(record(seq, type=kind))
    assert board.told == [("siren", True, 1), ("siren", False, 2)]


def test_a_short_event_is_seen_though_it_ended_before_its_start_was_written(
    announcer: Announcer, board: Board
) -> None:
    announcer.on_record(record(1, type="start"))
    announcer.on_record(record(2, type="end"))
    announcer.on_committed(record(1, type="start"))
    announcer.on_committed(record(2, type="end"))
    assert board.told == [("siren", True, 1), ("siren", False, 2)]


def test_a_record_that_is_written_late_tells_nothing(
    announcer: Announcer, board: Board, clock: Clock
) -> None:
    announcer.on_record(record(1, type="start"))
    clock.now += LATE_S + 0.1
    announcer.on_record(record(2, type="start", label="dog_bark"))
    announcer.on_committed(record(1, type="start"))
    announcer.on_committed(record(2, type="start", label="dog_bark"))
    assert board.told == [("dog_bark", True, 2)]


def test_states_follow_what_is_heard_while_the_disk_takes_nothing(
    announcer: Announcer, board: Board, clock: Clock
) -> None:
    announcer.on_record(record(1, type="start"))
    announcer.catch_up()
    assert board.told == []
    clock.now += LATE_S + 0.1
    for _ in range(2):
        announcer.catch_up()
    assert board.told == [("siren", True, None)]
    announcer.on_record(record(2, type="end"))
    clock.now += LATE_S + 0.1
    announcer.catch_up()
    announcer.on_committed(record(1, type="start"))
    announcer.on_committed(record(2, type="end"))
    assert board.told == [("siren", True, None), ("siren", False, None)]


def test_there_is_nothing_to_catch_up_with_when_the_disk_is_in_time(
    announcer: Announcer, board: Board, clock: Clock
) -> None:
    announcer.on_record(record(1, type="start"))
    announcer.on_committed(record(1, type="start"))
    clock.now += LATE_S + 0.1
    announcer.catch_up()
    assert board.told == [("siren", True, 1)]


def test_online_is_said_at_the_first_hop_and_the_mean_level_once_an_interval(
    announcer: Announcer, board: Board, clock: Clock
) -> None:
    for rms_dbfs in (-10.0, -20.0, -20.0, -10.0, -14.0):
        announcer.on_hop("", hop(rms_dbfs))
        clock.now += 0.4
    mean = 10 * math.log10((0.01 + 0.01 + 0.1) / 3)
    assert board.told == [True, -10.0, pytest.approx(mean)]


def test_no_level_is_told_where_none_is_wanted(board: Board, clock: Clock) -> None:
    Announcer(board, 0.0, clock).on_hop("", hop(-10.0))
    assert board.told == [True]


def test_what_came_near_is_told_at_a_low_rate_with_the_best_row_of_each_label(
    board: Board, clock: Clock
) -> None:
    announcer = Announcer(board, 1e6, clock)
    announcer.on_hop("mic", hop(-40.0, siren=0.4))
    board.told.clear()
    for siren in (0.5, 0.7, 0.6):
        clock.now += 1.0
        announcer.on_hop("mic", hop(-40.0, siren=siren, dog=0.3))
    assert board.told == []
    clock.now += 2.0
    announcer.on_hop("mic", hop(-40.0))
    announcer.on_hop("mic", hop(-40.0))
    assert board.told == [{"siren": 0.7, "dog": 0.3}]


def test_a_label_whose_event_began_is_not_told_as_near(board: Board, clock: Clock) -> None:
    announcer = Announcer(board, 1e6, clock)
    announcer.on_hop("mic", hop(-40.0, dog=0.3))
    announcer.on_hop("mic", hop(-40.0, siren=0.7))
    announcer.on_record(record(1, type="start"))
    board.told.clear()
    clock.now += 10.0
    announcer.on_hop("mic", hop(-40.0, dog=0.4))
    assert board.told == [{"dog": 0.4}]


def test_without_levels_nothing_near_is_told_either(board: Board, clock: Clock) -> None:
    Announcer(board, 0.0, clock).on_hop("mic", hop(-40.0, siren=0.4))
    assert board.told == [True]
