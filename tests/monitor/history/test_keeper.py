"""The keeper cuts the picture of an event out of the rows around it, and nothing of another stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from samples import ended, record

from monitor.delivery.outbox import Outbox
from monitor.history.keeper import BEFORE_S, LONGEST_S, MomentKeeper, to_bytes
from monitor.history.notebook import Notebook
from monitor.history.reader import HistoryReader
from monitor.records import HopResult, Level
from monitor.settings import ClassSettings

HOP_S, RATE, ROWS, BANDS = 0.5, 16000, 5, 8
LEVEL = Level(-40.0, -30.0, -60.0, 0)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Stream:
    """Feeds hops whose rows and embedding hold the hop's number."""

    def __init__(self, keeper: MomentKeeper, clock: Clock) -> None:
        self.keeper, self.clock, self.count = keeper, clock, 0

    def hop(self, score: float = 0.0) -> None:
        self.count += 1
        self.clock.now += HOP_S
        number = float(self.count)
        hop = HopResult(
            position=round(self.count * HOP_S * RATE),
            time_s=self.count * HOP_S,
            scores=np.array([score], np.float32),
            level=LEVEL,
            features=np.full((ROWS, BANDS), number, np.float32),
            embedding=np.full(4, number, np.float32),
        )
        self.keeper.on_hop("mic", hop)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    with closing(Outbox(path)) as outbox:
        yield outbox


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keeper_of(outbox: Outbox, clock: Clock, *, pictures: bool = True) -> MomentKeeper:
    settings = ClassSettings(enter=0.5, exit=0.3, release_s=0.0)
    return MomentKeeper(
        Notebook(outbox, clock),
        ["siren"],
        {"siren": settings},
        rate=RATE,
        hop_s=HOP_S,
        pictures=pictures,
        model="ear 1",
        utc=clock,
    )


@pytest.mark.parametrize("lasts_s", [1.0, 30.0])
def test_the_picture_holds_the_event_and_a_little_before_it(
    outbox: Outbox, clock: Clock, path: Path, lasts_s: float
) -> None:
    keeper = keeper_of(outbox, clock)
    stream = Stream(keeper, clock)
    for _ in range(20):
        stream.hop()
    start = record(1, start_s=9.0)
    keeper.on_record(start)
    for _ in range(round(lasts_s / HOP_S)):
        stream.hop(0.6)
    keeper.on_record(replace(ended(2, start), end_s=9.0 + lasts_s))
    with closing(HistoryReader(path)) as reader:
        stored = reader.moment("event-1")
    assert stored is not None
    assert stored.picture is not None
    assert stored.start_s == 9.0 - BEFORE_S
    seconds = len(stored.picture) * stored.hop_s
    assert seconds == pytest.approx(min(lasts_s + BEFORE_S + HOP_S, LONGEST_S), abs=HOP_S)
    assert (np.diff(stored.picture[:, 0].astype(int)) >= 0).all()


def test_the_embedding_is_that_of_the_highest_score(outbox: Outbox, clock: Clock, path: Path) -> None:
    keeper = keeper_of(outbox, clock)
    stream = Stream(keeper, clock)
    stream.hop()
    start = record(1, start_s=0.5, score=0.6)
    keeper.on_record(start)
    for score in (0.7, 0.9, 0.8):
        stream.hop(score)
    keeper.on_record(ended(2, start))
    with closing(HistoryReader(path)) as reader:
        stored = reader.moment("event-1")
    assert stored is not None
    assert stored.embedding is not None
    assert stored.embedding[0] == 3.0


def test_pictures_can_be_switched_off(outbox: Outbox, clock: Clock, path: Path) -> None:
    keeper = keeper_of(outbox, clock, pictures=False)
    stream = Stream(keeper, clock)
    stream.hop()
    start = record(1, start_s=0.5)
    keeper.on_record(start)
    keeper.on_record(ended(2, start))
    with closing(HistoryReader(path)) as reader:
        stored = reader.moment("event-1")
    assert stored is not None
    assert stored.picture is None
    assert stored.embedding is not None


def test_a_moment_of_the_last_minute_has_an_embedding(outbox: Outbox, clock: Clock) -> None:
    keeper = keeper_of(outbox, clock)
    began = clock.now
    stream = Stream(keeper, clock)
    for _ in range(200):
        stream.hop()
    found = keeper.embedding_at(began + 95 * 1.0)
    assert found is not None
    assert found[0] == 190.0
    assert keeper.embedding_at(began) is None


def test_peaks_are_written_once_a_minute_and_at_the_end(outbox: Outbox, clock: Clock, path: Path) -> None:
    keeper = keeper_of(outbox, clock)
    stream = Stream(keeper, clock)
    with closing(HistoryReader(path)) as reader:
        for score in (0.0, 0.4, 0.0, 0.0):
            stream.hop(score)
        assert reader.peaks("siren", 0.0) == []
        for _ in range(120):
            stream.hop()
        assert reader.peaks("siren", 0.0) == [0.4]
        stream.hop(0.8)
        stream.hop()
        keeper.close()
        assert reader.peaks("siren", 0.0) == [0.4, 0.8]


def test_a_new_stream_forgets_the_rows_of_the_one_before(outbox: Outbox, clock: Clock, path: Path) -> None:
    keeper = keeper_of(outbox, clock)
    first = Stream(keeper, clock)
    for _ in range(10):
        first.hop()
    second = Stream(keeper, clock)
    second.hop()
    start = record(1, start_s=0.5)
    keeper.on_record(start)
    keeper.on_record(ended(2, start))
    with closing(HistoryReader(path)) as reader:
        stored = reader.moment("event-1")
    assert stored is not None
    assert stored.picture is not None
    assert len(stored.picture) == ROWS


def test_bytes_stretch_from_low_to_high() -> None:
    rows = np.array([[-1.0, 0.0, 0.5, 1.0, 9.0]], np.float32)
    assert to_bytes(rows, 0.0, 1.0).tolist() == [[0, 0, 128, 255, 255]]
