"""Minutes in the history: what is read is what was written, parts join, a year is small."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from monitor.delivery.store.outbox import Outbox
from monitor.history.levels import LevelHistory
from monitor.level.minutes import Minute, distribution


def minute(number: int, level: float = -50.0, *, offset_db: float | None = None) -> Minute:
    levels = np.random.default_rng(number).normal(level, 6.0, 238).tolist()
    return Minute(
        minute=number,
        duration_s=60.0,
        laeq_dbfs=level,
        lafmax_dbfs=level + 12.3,
        lcpeak_dbfs=level + 25.4,
        l10_dbfs=level + 4.1,
        l50_dbfs=level - 1.2,
        l90_dbfs=level - 6.3,
        overload_s=0.2,
        offset_db=offset_db,
        distribution=distribution(levels),
    )


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with closing(Outbox(tmp_path / "history.db")) as opened:
        yield opened


def test_minutes_come_back_as_they_were_in_order_and_range(outbox: Outbox) -> None:
    history = LevelHistory(outbox)
    kept = [minute(number, offset_db=119.87) for number in (102, 100, 101, 103)]
    for one in kept:
        history.add(one)
    assert history.minutes(6000.0, 6120.0) == [kept[1], kept[2]]
    assert history.minutes(6000.1, 7000.0) == [kept[2], kept[0], kept[3]]


def test_parts_of_a_minute_around_a_restart_join(outbox: Outbox) -> None:
    history = LevelHistory(outbox)
    history.add(minute(100, -50.0))
    history.add(minute(100, -40.0))
    (found,) = history.minutes(6000.0, 6060.0)
    assert found.duration_s == 120.0
    assert found.laeq_dbfs == pytest.approx(10 * np.log10((1e-5 + 1e-4) / 2), abs=0.06)
    assert found.lafmax_dbfs == pytest.approx(-27.7)


def test_a_year_of_minutes_takes_less_than_50_mb(outbox: Outbox, tmp_path: Path) -> None:
    history = LevelHistory(outbox)
    with sqlite3.connect(":memory:") as memory:
        (table,) = outbox.rows("SELECT sql FROM sqlite_master WHERE name = 'levels'")[0]
        memory.execute(table)
        pages = memory.execute("PRAGMA page_count").fetchone()[0]
        history.add(minute(29_000_000))
        (row,) = outbox.rows("SELECT * FROM levels")
        marks = ", ".join("?" * len(row))
        for number in range(5000):
            memory.execute(f"INSERT INTO levels VALUES ({marks})", (29_000_000 + number, *row[1:]))
        added = memory.execute("PRAGMA page_count").fetchone()[0] - pages
    assert added * 4096 / 5000 * 365 * 1440 < 50e6
