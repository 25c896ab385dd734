"""What is kept beside events comes back, and a large history stays fast."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import ended, record

from monitor.clock import iso_utc, parse_utc
from monitor.delivery.store.outbox import Outbox
from monitor.errors import OutboxError
from monitor.history.notebook import Judgement, Moment, Notebook, Peak
from monitor.history.reader import HistoryReader

NOON = parse_utc("2026-05-01T12:00:00Z")
HOUR = 3600.0


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with closing(Outbox(tmp_path / "history.db")) as outbox:
        yield outbox


@pytest.fixture
def reader(outbox: Outbox, tmp_path: Path) -> Iterator[HistoryReader]:
    with closing(HistoryReader(tmp_path / "history.db")) as reader:
        yield reader


def fill(outbox: Outbox, times: list[tuple[float, str]]) -> None:
    outbox.append_all(record(n, start=iso_utc(at), label=label) for n, (at, label) in enumerate(times, 1))


def pages(reader: HistoryReader, limit: int, **wanted: object) -> list[str]:
    """Ids of all pages one after the other."""
    found, after = [], None
    while True:
        page = reader.events(after=after, limit=limit, **wanted)  # type: ignore[arg-type]
        assert len(page.events) <= limit
        found += [event["event_id"] for event in page.events]
        after = page.following
        if after is None:
            return found


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["siren", "dog", "horn"])), max_size=30),
    st.integers(1, 7),
    st.lists(st.sampled_from(["siren", "dog"]), max_size=2, unique=True),
)
def test_pages_hold_every_event_once_newest_first(
    times: list[tuple[int, str]], limit: int, labels: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        with closing(Outbox(path)) as outbox:
            fill(outbox, [(NOON + 60 * at, label) for at, label in times])
            with closing(HistoryReader(path)) as reader:
                found = pages(reader, limit, labels=labels, since=NOON + 120, until=NOON + 900)
    wanted = [
        (at, n)
        for n, (at, label) in enumerate(times, 1)
        if 2 <= at < 15 and label in (labels or "siren dog horn")
    ]
    assert found == [f"event-{n}" for _, n in sorted(wanted, reverse=True)]


def test_an_event_is_its_end_once_there_is_one(outbox: Outbox, reader: HistoryReader) -> None:
    start = record(1)
    outbox.append(start)
    assert reader.event("event-1")["type"] == "start"  # type: ignore[index]
    outbox.append(ended(2, start))
    event = reader.event("event-1")
    assert event == {**json.loads(ended(2, start).to_json()), "verdict": None, "picture": False}
    assert [one["type"] for one in reader.events().events] == ["end"]
    assert reader.event("event-2") is None


@given(st.lists(st.tuples(st.integers(0, 24 * 20), st.sampled_from(["siren", "dog"])), max_size=30))
@settings(deadline=None, max_examples=20)
def test_counts_equal_those_of_the_events(times: list[tuple[int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        with closing(Outbox(path)) as outbox:
            fill(outbox, [(NOON + HOUR * at, label) for at, label in times])
            with closing(HistoryReader(path)) as reader:
                month = {"since": NOON - HOUR, "until": NOON + 600 * HOUR}
                by_hour = {(a, b): n for a, b, n in reader.counts("hour", **month, offset_min=120)}
                by_week = {(a, b): n for a, b, n in reader.counts("week", **month)}
    local = [(label, iso_utc(NOON + HOUR * (at + 2))[:13]) for at, label in times]
    assert by_hour == Counter(local)
    week = [(label, time.strftime("%w %H", time.gmtime(NOON + HOUR * at))) for at, label in times]
    assert by_week == Counter(week)


def test_events_that_are_deleted_are_counted_no_more(
    outbox: Outbox, reader: HistoryReader, tmp_path: Path
) -> None:
    fill(outbox, [(NOON, "siren"), (NOON + 60, "siren")])
    with closing(sqlite3.connect(tmp_path / "history.db")) as other, other:
        other.execute("DELETE FROM events WHERE seq = 1")
    assert reader.counts("day", since=NOON - HOUR, until=NOON + HOUR) == [("siren", "2026-05-01", 1)]


def test_a_moment_comes_back_as_it_was_kept(outbox: Outbox, reader: HistoryReader) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 16), np.uint8)
    embedding = np.linspace(-2, 2, 384, dtype=np.float32)
    notebook = Notebook(outbox)
    notebook.keep_moment(Moment("event-1", 3.5, 0.02, picture, embedding, "ear 1"))
    notebook.keep_moment(Moment("event-2", 3.5, 0.02, None, None, "ear 1"))
    stored = reader.moment("event-1")
    assert stored is not None
    assert stored.picture is not None
    assert np.array_equal(stored.picture, picture)
    np.testing.assert_allclose(stored.embedding, embedding, atol=2e-3)
    without = reader.moment("event-2")
    assert without is not None
    assert (without.picture, without.embedding) == (None, None)
    assert reader.moment("event-3") is None


def test_a_second_verdict_replaces_the_first_and_precision_counts_by_week(
    outbox: Outbox, reader: HistoryReader
) -> None:
    fill(outbox, [(NOON, "siren"), (NOON + 60, "siren")])
    notebook = Notebook(outbox)
    notebook.judge(Judgement("siren", "right", NOON, "ear 1", "event-1"))
    notebook.judge(Judgement("siren", "false_alarm", NOON, "ear 1", "event-1"))
    notebook.judge(Judgement("siren", "right", NOON + 60, "ear 1", "event-2"))
    notebook.judge(Judgement("dog", "missed", NOON + 7 * 24 * HOUR, "ear 1"))
    assert [event["verdict"] for event in reader.events().events] == ["right", "false_alarm"]
    assert reader.precision(NOON - HOUR) == [
        ("dog", "2026-05-04", 0, 0, 1),
        ("siren", "2026-04-27", 1, 1, 0),
    ]
    notebook.withdraw("event-1")
    assert [event["verdict"] for event in reader.events().events] == ["right", None]


def test_marked_moments_carry_the_embedding_of_the_verdict_or_of_the_event(
    outbox: Outbox, reader: HistoryReader
) -> None:
    notebook = Notebook(outbox)
    ones, twos = np.ones(4, np.float32), np.full(4, 2, np.float32)
    notebook.keep_moment(Moment("event-1", 0.0, 0.02, None, ones, "ear 1"))
    notebook.judge(Judgement("bell", "right", NOON, "ear 1", "event-1"))
    notebook.judge(Judgement("bell", "missed", NOON + 1, "ear 1", embedding=np.stack([twos, ones])))
    notebook.judge(Judgement("bell", "missed", NOON + 2, "ear 1"))
    notebook.judge(Judgement("bell", "missed", NOON + 3, "ear 2", embedding=twos))
    found = reader.marked("ear 1", 4)
    assert [(one.verdict, one.rows[0, 0], len(one.rows)) for one in found] == [
        ("right", 1.0, 1),
        ("missed", 2.0, 2),
    ]


def test_old_peaks_are_dropped(outbox: Outbox, reader: HistoryReader) -> None:
    notebook = Notebook(outbox, utc=lambda: NOON)
    notebook.keep_peaks([Peak("siren", NOON - 20 * 86400, 0.9), Peak("siren", NOON - 60, 0.4)])
    assert reader.peaks("siren", 0.0) == [0.4]


def test_a_history_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    reader = HistoryReader(tmp_path / "none.db")
    with pytest.raises(OutboxError, match="there is none yet"):
        reader.events()


def test_a_history_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(HistoryReader(path)) as reader:
        for seq in (1, 2):
            with closing(Outbox(path)) as outbox:
                outbox.append(record(seq))
                assert [event["seq"] for event in reader.events().events] == [seq]
            path.rename(path.with_name(f"old-{seq}.db"))


def test_a_key_that_is_none_is_refused(reader: HistoryReader) -> None:
    for key in ("", "2026", "2026,x", "2026," + "9" * 40):
        with pytest.raises(ValueError, match="no key"):
            reader.events(after=key)
