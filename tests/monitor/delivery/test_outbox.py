"""The outbox behaves as a list that survives its process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import samples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from samples import record

from monitor.delivery.store.lock import ProcessLock
from monitor.delivery.store.outbox import Outbox
from monitor.errors import OutboxError, UsageError
from monitor.records import EventRecord


class OutboxModel(RuleBasedStateMachine):
    """Appending, marking, reopening: the same as a dict of seq → delivered."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "history.db"
        self.outbox = Outbox(self.path)
        self.delivered: dict[int, bool] = {}

    @rule(sizes=st.integers(1, 4))
    def append(self, sizes: int) -> None:
        first = max(self.delivered, default=0) + 1
        self.outbox.append_all([record(seq) for seq in range(first, first + sizes)])
        self.delivered |= dict.fromkeys(range(first, first + sizes), False)

    @rule(data=st.data())
    def mark(self, data: st.DataObject) -> None:
        if self.delivered:
            seqs = data.draw(st.sets(st.sampled_from(sorted(self.delivered))))
            self.outbox.mark_delivered(seqs)
            self.delivered |= dict.fromkeys(seqs, True)

    @rule()
    def append_twice_changes_nothing(self) -> None:
        if self.delivered:
            last = max(self.delivered)
            with pytest.raises(OutboxError):
                self.outbox.append_all([record(last + 1), record(last)])

    @rule()
    def reopen(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(self.path)

    @invariant()
    def equals_the_model(self) -> None:
        wanted = [seq for seq, done in sorted(self.delivered.items()) if not done]
        assert [seq for seq, _ in self.outbox.pending(0, 10_000)] == wanted
        assert self.outbox.pending_count() == len(wanted)
        assert self.outbox.last_seq() == max(self.delivered, default=0)
        middle = len(self.delivered) // 2
        assert [seq for seq, _ in self.outbox.pending(middle, 2)] == [s for s in wanted if s > middle][:2]
        assert [e.record.seq for e in self.outbox.query(limit=10_000)] == sorted(self.delivered, reverse=True)

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
            self.folder.cleanup()


OutboxModel.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
TestOutboxModel = OutboxModel.TestCase


@pytest.fixture
def outbox(tmp_path):
    with closing(Outbox(tmp_path / "state" / "history.db")) as opened:
        yield opened


def test_a_row_is_the_record_to_the_byte(outbox):
    sent = record(7, label="Hund über Straße", overlapping=("a", "b"))
    outbox.append(sent)
    assert outbox.pending(0, 1) == [(7, sent.to_json())]
    assert outbox.query()[0].record == sent


def test_open_starts_are_those_without_a_later_end(outbox):
    outbox.append_all(
        [
            record(1, event_id="a"),
            record(2, event_id="b"),
            replace(record(3, event_id="a"), type="end"),
            record(4, event_id="a"),
        ]
    )
    assert [start.seq for start in outbox.open_starts()] == [2, 4]


def test_query_filters_by_time_and_label_newest_first(outbox):
    outbox.append_all(
        [
            record(1, start="2026-01-01T00:00:00.000Z", label="siren"),
            record(2, start="2026-01-02T00:00:00.000Z", label="siren"),
            record(3, start="2026-01-02T00:00:00.001Z", label="horn"),
            record(4, start="2026-01-03T00:00:00.000Z", label="siren"),
        ]
    )
    day2, day3 = 1767312000.0, 1767398400.0
    assert [e.record.seq for e in outbox.query(since=day2, until=day3)] == [3, 2]
    assert [e.record.seq for e in outbox.query(label="siren", limit=2)] == [4, 2]


def test_history_says_when_a_row_was_delivered_and_whether_late(tmp_path):
    now = [1000.0]
    with closing(Outbox(tmp_path / "h.db", utc=lambda: now[0])) as outbox:
        outbox.append_all([record(1), record(2), record(3)])
        now[0] = 2000.5
        outbox.mark_delivered([1, 2], late={2})
        newest, late, prompt = outbox.query()
    assert (newest.delivered_at, newest.delayed) == (None, False)
    assert (late.recorded_at, late.delivered_at) == ("1970-01-01T00:16:40.000Z", "1970-01-01T00:33:20.500Z")
    assert (late.delayed, prompt.delayed) == (True, False)


def test_many_threads_append_and_mark_without_loss(outbox):
    def work(first: int) -> None:
        for seq in range(first, first + 10):
            outbox.append(record(seq))
            outbox.mark_delivered([seq])

    threads = [threading.Thread(target=work, args=(first,)) for first in (1, 11, 21, 31)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outbox.last_seq() == 40
    assert outbox.pending_count() == 0


@pytest.mark.parametrize("what", ["directory", "under a file", "not a database", "other program", "newer"])
def test_a_history_that_cannot_be_used_is_named_in_one_line(tmp_path, what):
    path = tmp_path / "history.db"
    if what == "directory":
        path.mkdir()
    elif what == "under a file":
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "history.db"
    elif what == "not a database":
        path.write_bytes(b"RIFF" * 1000)
    elif what == "other program":
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE songs (title)")
    else:
        Outbox(path).close()
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA user_version = 99")
    with pytest.raises(OutboxError, match=str(path)) as caught:
        Outbox(path)
    assert "\n" not in str(caught.value)


def test_a_locked_database_is_an_error_that_passes(tmp_path, monkeypatch):
    monkeypatch.setattr("monitor.delivery.store.database._BUSY_TIMEOUT_S", 0.01)
    path = tmp_path / "history.db"
    with (
        closing(Outbox(path)) as outbox,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutboxError, match="locked"):
            outbox.append(record(1))
        with pytest.raises(OutboxError, match="locked"):
            Outbox(path)
        other.execute("ROLLBACK")
        outbox.append(record(1))


def test_readonly_reads_beside_the_writer_and_needs_a_history(tmp_path):
    path = tmp_path / "his tory?.db"
    with pytest.raises(OutboxError, match="none yet"):
        Outbox(path, readonly=True)
    with closing(Outbox(path)) as writer:
        writer.append(record(1))
        with closing(Outbox(path, readonly=True)) as reader:
            writer.append(record(2))
            assert reader.last_seq() == 2
            with pytest.raises(OutboxError, match="readonly"):
                reader.append(record(3))


_KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from monitor.delivery.store.outbox import Outbox
from samples import record
outbox = Outbox(Path(sys.argv[1]))
for seq in range(1, 1_000_000):
    outbox.append(record(seq))
    print(seq, flush=True)
"""


def test_what_was_appended_survives_kill_9(tmp_path):
    path = tmp_path / "history.db"
    command = [sys.executable, "-c", _KILLED, str(path), os.path.dirname(samples.__file__)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [child.stdout.readline() for _ in range(20)]
    child.send_signal(signal.SIGKILL)
    said += child.stdout.readlines()
    child.stdout.close()
    child.wait(10)
    told = int([line for line in said if line.endswith("\n")][-1])
    with closing(Outbox(path)) as outbox:
        assert outbox.last_seq() in (told, told + 1)
        assert [seq for seq, _ in outbox.pending(0, 10_000_000)] == list(range(1, outbox.last_seq() + 1))


def test_a_second_process_is_told_who_holds_the_history(tmp_path):
    history = tmp_path / "new" / "history.db"
    message = rf"{history}\.lock.*pid {os.getpid()}\)"
    with ProcessLock(history), pytest.raises(UsageError, match=message):
        ProcessLock(history)
    ProcessLock(history).release()


def test_a_lock_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError, match="lock file"):
        ProcessLock(tmp_path / "file" / "history.db")


def broken(text: bytes, how: str) -> bytes:
    """A record as a damaged disk, or a later version, leaves it."""
    return {
        "no JSON": b"}" + text[1:],
        "no UTF-8": text.replace(b"siren", b"sir\xffn"),
        "no object": b"[1, 2]",
        "another type": text.replace(b'"score": 0.91', b'"score": {}'),
        "no time": text.replace(b'"start": "2026', b'"start": "20x6'),
        "a key is missing": text.replace(b'"label"', b'"lebal"'),
        "another schema": text.replace(b'"schema": 1', b'"schema": 2'),
    }[how]


def damage(path: Path, seq: int, how: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.text_factory = bytes
        (text,) = connection.execute("SELECT record FROM events WHERE seq = ?", (seq,)).fetchone()
        changed = broken(text, how)
        assert changed != text
        connection.execute("UPDATE events SET record = CAST(? AS TEXT) WHERE seq = ?", (changed, seq))


@pytest.mark.parametrize(
    "how",
    ["no JSON", "no UTF-8", "no object", "another type", "no time", "a key is missing", "another schema"],
)
def test_a_row_that_cannot_be_read_is_named_and_passed_over(tmp_path: Path, how: str) -> None:
    path = tmp_path / "history.db"
    with closing(Outbox(path)) as outbox:
        outbox.append_all(record(seq) for seq in (1, 2, 3))
    damage(path, 2, how)
    with closing(Outbox(path)) as outbox:
        assert outbox.damage is None
        assert [start.seq for start in outbox.open_starts()] == [1, 3]
        assert [stored.record.seq for stored in outbox.query()] == [3, 1]
        assert outbox.damage == f"history {path}: passed over what cannot be read (seq 2)"


def test_a_record_of_a_later_version_with_more_keys_is_read() -> None:
    text = record(1).to_json().replace('"clip"', '"colour": "red", "clip"')
    assert EventRecord.from_json(text) == record(1)
