"""Minutes reach the history and the broker; a failing disk stops neither the next ones nor publishing."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from monitor.delivery.store.outbox import Outbox
from monitor.errors import OutboxError
from monitor.history.levels import LevelHistory
from monitor.level.minutes import Minute, distribution
from monitor.records import ClockState
from monitor.service.noise import NoiseKeeper


def minute(
    number: int, level: float, *, offset_db: float | None = None, clock: ClockState = "file"
) -> Minute:
    packed = distribution([level] * 240)
    return Minute(number, 60.0, level, level, level, level, level, level, 0.0, offset_db, packed, clock)


def published(history: LevelHistory, *minutes: Minute) -> list[dict[str, object]]:
    """What the noise topic says after each of these minutes."""
    payloads: list[str] = []
    with closing(NoiseKeeper(history, payloads.append, wait=True)) as keeper:
        for one in minutes:
            keeper.on_minute(one)
    return [json.loads(payload) for payload in payloads]


@pytest.fixture
def history(tmp_path: Path) -> LevelHistory:
    return LevelHistory(Outbox(tmp_path / "history.db"))


def test_every_minute_is_kept_before_it_is_published(history: LevelHistory) -> None:
    found = published(history, minute(1000, -50.0), minute(1001, -40.0))
    assert [one.laeq_dbfs for one in history.minutes(0.0, 1e6)] == [-50.0, -40.0]
    assert [one["start"] for one in found] == ["1970-01-01T16:40:00.000Z", "1970-01-01T16:41:00.000Z"]
    assert [one["laeq_dbfs"] for one in found] == [-50.0, -40.0]
    assert found[1]["laeq_1h_dbfs"] == pytest.approx(-42.6)


def test_the_hour_and_the_day_end_with_the_minute(history: LevelHistory) -> None:
    for number in (10_000, 10_000 + 1380):
        history.add(minute(number, -20.0))
    (found,) = published(history, minute(10_000 + 1440, -60.0))
    assert found["laeq_1h_dbfs"] == pytest.approx(-60.0)
    assert found["laeq_24h_dbfs"] == pytest.approx(-23.0)


def test_decibels_are_said_only_when_calibrated(history: LevelHistory) -> None:
    plain, first = published(history, minute(1000, -50.0), minute(1001, -50.0, offset_db=120.0))
    assert not [key for key in plain if key.endswith("_db")]
    assert plain["calibrated"] is False
    assert (first["laeq_db"], first["l90_db"], first["calibrated"]) == (70.0, 70.0, True)
    assert "laeq_1h_db" not in first
    assert first["laeq_1h_dbfs"] == -50.0
    (later,) = published(history, minute(1061, -50.0, offset_db=120.0))
    assert later["laeq_1h_db"] == 70.0


def test_a_minute_of_unknown_time_is_published_and_not_kept(history: LevelHistory) -> None:
    (found,) = published(history, minute(1000, -50.0, clock="unsynced"))
    assert found["clock"] == "unsynced"
    assert history.minutes(0.0, 1e6) == []


def test_a_disk_that_fails_is_named_once_and_publishing_goes_on(
    history: LevelHistory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Minute) -> None:
        raise OutboxError("history x: disk full")

    monkeypatch.setattr(history, "add", fail)
    assert len(published(history, minute(1000, -50.0), minute(1001, -50.0))) == 2
    assert [record.message for record in caplog.records] == ["history x: disk full; levels are not kept"]
