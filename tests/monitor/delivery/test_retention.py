"""The history keeps within its bounds, and what waits for the broker goes last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from samples import ended, record

from monitor.delivery.store.outbox import Outbox
from monitor.delivery.store.retention import Limits, Retention

DAY = 86400.0
NOW = 1_780_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Iterator[Outbox]:
    with closing(Outbox(tmp_path / "history.db", utc=clock)) as opened:
        yield opened


def add(outbox: Outbox, clock: Clock, *seqs: int, days_ago: float, delivered: bool = True) -> None:
    now, clock.now = clock.now, clock.now - days_ago * DAY
    outbox.append_all(record(seq) for seq in seqs)
    if delivered:
        outbox.mark_delivered(seqs)
    clock.now = now


def kept(outbox: Outbox) -> list[int]:
    return [seq for (seq,) in outbox.rows("SELECT seq FROM events ORDER BY seq")]


def one_pass(outbox: Outbox, clock: Clock, *, passes: int = 2, **limits: float | bool) -> Retention:
    values = {"days": 365.0, "waiting_days": 30.0, "size": 10**9, **limits}
    made = Retention(outbox, Limits(**values), utc=clock, monotonic=lambda: NOW)  # type: ignore[arg-type]
    for _ in range(passes):
        list(made.steps())
    return made


def test_what_is_older_than_its_days_goes(outbox: Outbox, clock: Clock) -> None:
    add(outbox, clock, *range(1, 1201), days_ago=400)
    add(outbox, clock, 1201, 1202, days_ago=364)
    one_pass(outbox, clock)
    assert kept(outbox) == [1201, 1202]
    assert outbox.expired_count() == 0
    assert outbox.rows("SELECT sum(events) FROM hours") == [(2,)]


def test_what_waits_too_long_is_given_up_counted_and_kept_for_its_days(outbox: Outbox, clock: Clock) -> None:
    add(outbox, clock, *range(1, 601), days_ago=31, delivered=False)
    add(outbox, clock, 601, days_ago=29, delivered=False)
    one_pass(outbox, clock)
    assert [seq for seq, _ in outbox.pending(0, 10)] == [601]
    assert (outbox.pending_count(), outbox.expired_count(), len(kept(outbox))) == (1, 600, 601)
    clock.now += 335.5 * DAY
    one_pass(outbox, clock)
    assert (kept(outbox), outbox.expired_count()) == ([601], 601)


def test_without_a_broker_nothing_waits_or_is_given_up(outbox: Outbox, clock: Clock) -> None:
    add(outbox, clock, 1, days_ago=400, delivered=False)
    add(outbox, clock, 2, days_ago=100, delivered=False)
    one_pass(outbox, clock, delivers=False)
    assert (kept(outbox), outbox.expired_count()) == ([2], 0)


def test_the_size_takes_the_oldest_first_and_what_waits_last(outbox: Outbox, clock: Clock) -> None:
    add(outbox, clock, *range(1, 501), days_ago=3, delivered=False)
    add(outbox, clock, *range(501, 2001), days_ago=2)
    made = one_pass(outbox, clock)
    full = made._size()
    one_pass(outbox, clock, size=6 * full // 10)
    assert set(range(1, 501)) <= set(kept(outbox))
    assert 500 < len(kept(outbox)) < 1500
    assert outbox.expired_count() == 0
    made = one_pass(outbox, clock, size=full // 10)
    assert made._size() <= full // 10
    assert (kept(outbox), outbox.expired_count()) == ([], 500)


def test_levels_go_by_age_and_last_of_all_by_size(outbox: Outbox, clock: Clock) -> None:
    minute = int(NOW // 60)
    insert = "INSERT INTO levels VALUES (?, 1, 1, 1, 1, 1, 1, 1, 1, NULL, zeroblob(100))"
    outbox.write((insert, (minute - ago,)) for ago in (1, 1440 * 366, *range(2, 2000)))
    one_pass(outbox, clock)
    assert outbox.rows("SELECT count(*), min(minute) FROM levels") == [(1999, minute - 1999)]
    one_pass(outbox, clock, size=1)
    assert outbox.rows("SELECT count(*) FROM levels") == [(0,)]


@pytest.mark.parametrize("wrong_days", [20_000.0, -30_000.0])
def test_rows_of_a_wrong_clock_live_as_long_as_their_neighbours(
    outbox: Outbox, clock: Clock, wrong_days: float
) -> None:
    """Stored in 1971, by a board that has no clock, or in 2108."""
    add(outbox, clock, 1, 2, days_ago=wrong_days)
    add(outbox, clock, 3, days_ago=300)
    one_pass(outbox, clock)
    assert kept(outbox) == [1, 2, 3]
    clock.now += 70 * DAY
    add(outbox, clock, 4, days_ago=1)
    one_pass(outbox, clock)
    assert kept(outbox) == [4]


def test_a_clock_that_was_set_deletes_nothing_at_once(outbox: Outbox, clock: Clock) -> None:
    add(outbox, clock, 1, days_ago=1)
    made = one_pass(outbox, clock)
    clock.now += 1000 * DAY
    list(made.steps())
    assert kept(outbox) == [1]
    clock.now -= 1000 * DAY
    list(made.steps())
    list(made.steps())
    assert kept(outbox) == [1]


def test_a_deleted_start_is_no_longer_open(outbox: Outbox, clock: Clock) -> None:
    start = record(1)
    add(outbox, clock, 1, days_ago=400)
    one_pass(outbox, clock)
    assert outbox.open_starts() == []
    outbox.append(ended(2, start))
    assert outbox.open_starts() == []
