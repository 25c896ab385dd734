from __future__ import annotations

import threading
from contextlib import closing

import pytest
from samples import record

from monitor.delivery.store.outbox import Outbox
from monitor.delivery.store.writer import EventWriter
from monitor.errors import OutboxError

PATIENCE_S = 20.0


class Gated(Outbox):
    """An outbox that writes only while its gate is open, and can be broken."""

    def __init__(self, path):
        super().__init__(path)
        self.gate = threading.Event()
        self.gate.set()
        self.tried = threading.Semaphore(0)
        self.broken = False

    def append_all(self, records):
        self.tried.release()
        self.gate.wait(PATIENCE_S)
        if self.broken:
            raise OutboxError("history: disk full")
        super().append_all(records)


@pytest.fixture
def outbox(tmp_path):
    with closing(Gated(tmp_path / "history.db")) as opened:
        yield opened


def test_listeners_hear_in_order_what_is_already_on_the_disk(outbox):
    heard: list[tuple[int, int]] = []
    writer = EventWriter(outbox, [lambda record: heard.append((record.seq, outbox.last_seq()))])
    for seq in range(1, 51):
        writer.put(record(seq))
    assert writer.flush(PATIENCE_S)
    assert writer.close()
    assert [seq for seq, _ in heard] == list(range(1, 51))
    assert all(seq <= on_disk for seq, on_disk in heard)


def test_live_a_stuck_disk_never_blocks_and_what_is_refused_is_counted(outbox):
    outbox.gate.clear()
    writer = EventWriter(outbox, capacity=5)
    for seq in range(1, 9):
        writer.put(record(seq))
    assert writer.dropped == 3
    assert not writer.flush(0.01)
    outbox.gate.set()
    assert writer.flush(PATIENCE_S)
    writer.put(record(9))
    assert writer.close()
    assert [seq for seq, _ in outbox.pending(0, 10)] == [1, 2, 3, 4, 5, 9]


def test_in_a_replay_the_reader_waits_for_the_disk(outbox):
    outbox.gate.clear()
    writer = EventWriter(outbox, wait=True, capacity=2)
    reader = threading.Thread(target=lambda: [writer.put(record(seq)) for seq in range(1, 6)])
    reader.start()
    assert outbox.tried.acquire(timeout=PATIENCE_S)
    assert reader.is_alive()
    outbox.gate.set()
    reader.join(PATIENCE_S)
    assert writer.close()
    assert writer.dropped == 0
    assert outbox.last_seq() == 5


def test_live_a_disk_error_is_shown_and_retried_until_it_is_over(outbox, monkeypatch):
    monkeypatch.setattr("monitor.delivery.store.writer._RETRY_FIRST_S", 0.001)
    outbox.broken = True
    writer = EventWriter(outbox)
    writer.put(record(1))
    for _ in range(3):
        assert outbox.tried.acquire(timeout=PATIENCE_S)
    assert writer.failed == "history: disk full"
    writer.put(record(2))
    outbox.broken = False
    assert writer.flush(PATIENCE_S)
    assert writer.failed is None
    assert writer.close()
    assert outbox.last_seq() == 2


def test_in_a_replay_a_disk_error_is_raised_to_the_reader(outbox):
    outbox.broken = True
    writer = EventWriter(outbox, wait=True)
    writer.put(record(1))
    with pytest.raises(OutboxError, match="disk full"):
        writer.flush(PATIENCE_S)
    with pytest.raises(OutboxError, match="disk full"):
        writer.put(record(2))
    assert not writer.close()


def test_closing_on_a_broken_disk_ends_in_time_and_says_what_is_lost(outbox, caplog):
    outbox.broken = True
    writer = EventWriter(outbox)
    writer.put(record(1))
    assert not writer.close(timeout_s=0.05)
    assert "1 events could not be written: history: disk full" in caplog.text
