"""The keeper cuts the picture of an event out of the rows around it, and nothing of another stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import ended, record

from monitor.delivery.store.outbox import Outbox
from monitor.history.background import BackgroundSample
from monitor.history.keeper import BEFORE_S, LONGEST_S, MomentKeeper, to_bytes
from monitor.history.notebook import Notebook
from monitor.history.reader import HistoryReader
from monitor.history.sampling import MOST_ROWS, EvenSample
from monitor.records import HopResult, Level
from monitor.settings import ClassSettings

LABELS = ("siren",)
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

    def hop(
        self, *scores: float, level_dbfs: float = LEVEL.rms_dbfs, labels: tuple[str, ...] = LABELS
    ) -> None:
        self.count += 1
        self.clock.now += HOP_S
        number = float(self.count)
        hop = HopResult(
            position=round(self.count * HOP_S * RATE),
            time_s=self.count * HOP_S,
            scores=np.array(scores or [0.0], np.float32),
            level=replace(LEVEL, rms_dbfs=level_dbfs),
            features=np.full((ROWS, BANDS), number, np.float32),
            embedding=np.full(4, number, np.float32),
            labels=labels,
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
        BackgroundSample(outbox.path.with_name("background.db"), "ear 1"),
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


def test_an_event_is_stored_with_the_embeddings_of_its_hops_after_that_of_its_highest_score(
    outbox: Outbox, clock: Clock, path: Path
) -> None:
    keeper = keeper_of(outbox, clock)
    stream = Stream(keeper, clock)
    for _ in range(10):
        stream.hop()
    start = record(1, start_s=5.0, score=0.6)
    keeper.on_record(start)
    for score in (0.7, 0.9, 0.8):
        stream.hop(score)
    keeper.on_record(replace(ended(2, start), end_s=6.5))
    with closing(HistoryReader(path)) as reader:
        stored = reader.moment("event-1")
    assert stored is not None
    assert stored.embedding is not None
    assert stored.embedding.reshape(-1, 4)[:, 0].tolist() == [12.0, 9.0, 10.0, 11.0, 13.0]


@pytest.mark.parametrize("lasts_s", [4.0, 40.0, 400.0])
def test_the_embeddings_of_an_event_are_spread_over_its_whole_length(
    outbox: Outbox, clock: Clock, path: Path, lasts_s: float
) -> None:
    keeper = keeper_of(outbox, clock)
    stream = Stream(keeper, clock)
    stream.hop()
    start = record(1, start_s=0.5, score=0.6)
    keeper.on_record(start)
    for number in range(round(lasts_s / HOP_S)):
        stream.hop(0.9 if number == 3 else 0.7)
    keeper.on_record(replace(ended(2, start), end_s=0.5 + lasts_s))
    with closing(HistoryReader(path)) as reader:
        stored = reader.moment("event-1")
    assert stored is not None
    assert stored.embedding is not None
    best, *others = HOP_S * stored.embedding.reshape(-1, 4)[:, 0]
    assert best == 2.5
    assert len(others) < MOST_ROWS
    gaps = np.diff([0.5, *(at for at in others if at != best), 0.5 + lasts_s])
    assert gaps.max() <= max(2 * HOP_S, 4 * lasts_s / MOST_ROWS)


@given(st.integers(1, 20), st.integers(0, 500))
def test_a_sample_is_even_whatever_the_length(most: int, count: int) -> None:
    sample: EvenSample[int] = EvenSample(most)
    for number in range(count):
        sample.push(number)
    assert min(count, -(-most // 2)) <= len(sample.kept) <= most
    assert sample.kept[:1] == [0][:count]
    assert len(set(np.diff([*sample.kept]))) <= 1
    assert not sample.kept or count - sample.kept[-1] <= 2 * -(-count // most)


def test_a_span_of_the_last_minute_has_the_embeddings_of_its_loudest_hops(
    outbox: Outbox, clock: Clock
) -> None:
    keeper = keeper_of(outbox, clock)
    began = clock.now
    stream = Stream(keeper, clock)
    for number in range(200):
        stream.hop(level_dbfs=-20.0 if number == 189 else -30.0 if number == 190 else -60.0)
    found = keeper.embeddings_of(began + 93.0, began + 97.0)
    assert found is not None
    assert found[:, 0].tolist() == [190.0, 191.0]
    many = keeper.embeddings_of(began + 60.0, began + 90.0)
    assert many is not None
    assert len(many) <= MOST_ROWS
    assert keeper.embeddings_of(began, began + 1.0) is None


def test_stretches_of_the_background_are_sampled(outbox: Outbox, clock: Clock) -> None:
    keeper = keeper_of(outbox, clock)
    stream = Stream(keeper, clock)
    for _ in range(13):
        stream.hop()
    keeper.close()
    sample = BackgroundSample(outbox.path.with_name("background.db"), "ear 1")
    assert sample.seconds == 6.0
    assert [rows[:, 0].tolist() for _, rows in sample.read(4)] == [
        [1.0, 2.0, 3.0, 4.0],
        [5.0, 6.0, 7.0, 8.0],
        [9.0, 10.0, 11.0, 12.0],
    ]
    (first, _), (second, _), _ = sample.read(4)
    assert [at for at, _ in sample.read(4, without=[(first - 1.0, second - 2.5)])] == [second, second + 2.0]
    assert BackgroundSample(outbox.path.with_name("background.db"), "ear 2").seconds == 0.0


def test_a_class_that_was_taught_meanwhile_is_followed(outbox: Outbox, clock: Clock, path: Path) -> None:
    keeper = keeper_of(outbox, clock)
    stream = Stream(keeper, clock)
    stream.hop()
    settings = ClassSettings(enter=0.5, exit=0.3, release_s=0.0)
    keeper.configure({"siren": settings, "bell": settings})
    for score in (0.0, 0.7, 0.0):
        stream.hop(0.0, score, labels=(*LABELS, "bell"))
    keeper.close()
    with closing(HistoryReader(path)) as reader:
        assert reader.peaks("bell", 0.0) == [0.7]


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


@pytest.mark.parametrize("set_by_s", [0.0, -100.0, 100.0])
def test_hops_that_come_late_and_together_are_dated_by_those_that_came_at_once(
    outbox: Outbox, clock: Clock, set_by_s: float
) -> None:
    keeper = keeper_of(outbox, clock)
    stream = Stream(keeper, clock)
    stream.hop()
    clock.now += set_by_s
    stream.hop()
    began = clock.now
    for number in range(8):
        # The first of four comes when the last has ended.
        clock.now = began + (2.0 if number < 4 else 4.0) - HOP_S
        stream.hop()
    for number in range(8):
        found = keeper.embeddings_of(began + (number + 1) * HOP_S, began + (number + 1) * HOP_S)
        assert found is not None
        assert found[0][0] == number + 3
