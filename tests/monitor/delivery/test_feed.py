from __future__ import annotations

import json
from contextlib import closing

import pytest
from samples import record

from monitor.delivery.mqtt.feed import LATE_S, Feed
from monitor.delivery.store.outbox import Outbox
from monitor.errors import OutboxError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def outbox(tmp_path):
    with closing(Outbox(tmp_path / "history.db")) as opened:
        yield opened


def taken(feed: Feed) -> list[tuple[int, bool]]:
    return [(seq, json.loads(payload)["delayed"]) for seq, payload in iter(feed.next, None)]


def add(outbox: Outbox, feed: Feed, *seqs: int) -> None:
    for seq in seqs:
        outbox.append(record(seq))
        feed.recorded(seq)


def test_rows_come_once_in_order_and_again_after_a_reconnection_until_acknowledged(outbox):
    feed = Feed(outbox, Clock())
    add(outbox, feed, *range(1, 251))
    assert [seq for seq, _ in taken(feed)] == list(range(1, 251))
    assert feed.empty
    feed.acknowledged([1, 2, 4])
    feed.rewind()
    add(outbox, feed, 251)
    assert [seq for seq, _ in taken(feed)] == [3, *range(5, 252)]


def test_a_prompt_payload_is_the_row_to_the_byte(outbox):
    feed = Feed(outbox, Clock())
    add(outbox, feed, 1)
    assert feed.next() == (1, record(1).to_json())


def test_rows_of_an_earlier_process_are_delayed(outbox):
    outbox.append(record(1))
    feed = Feed(outbox, Clock())
    add(outbox, feed, 2)
    assert taken(feed) == [(1, True), (2, False)]


def test_rows_are_delayed_when_sent_more_than_some_seconds_after_they_were_recorded(outbox):
    clock = Clock()
    feed = Feed(outbox, clock)
    add(outbox, feed, 1)
    clock.now += LATE_S / 2
    add(outbox, feed, 2)
    clock.now += LATE_S / 2 + 0.1
    assert taken(feed) == [(1, True), (2, False)]
    feed.acknowledged([1, 2])
    assert [event.delayed for event in outbox.query()] == [False, True]


def test_a_delayed_payload_differs_in_nothing_else(outbox):
    outbox.append(record(1, label="Hühnerhof"))
    row = Feed(outbox, Clock()).next()
    assert row is not None
    payload = row[1]
    assert json.loads(payload) == json.loads(record(1, label="Hühnerhof").to_json()) | {"delayed": True}
    assert "ü" in payload


class Failing(Outbox):
    """An outbox whose disk can fail."""

    broken = False

    def pending(self, after_seq, limit):
        self._fail()
        return super().pending(after_seq, limit)

    def mark_delivered(self, seqs, *, late=()):
        self._fail()
        super().mark_delivered(seqs, late=late)

    def _fail(self):
        if self.broken:
            raise OutboxError("disk")


def test_a_disk_error_skips_nothing_and_marks_later(tmp_path):
    with closing(Failing(tmp_path / "history.db")) as outbox:
        feed = Feed(outbox, Clock())
        add(outbox, feed, 1, 2, 3)
        outbox.broken = True
        with pytest.raises(OutboxError):
            feed.next()
        assert not feed.empty
        outbox.broken = False
        assert taken(feed) == [(1, False), (2, False), (3, False)]
        outbox.broken = True
        with pytest.raises(OutboxError):
            feed.acknowledged([1, 2])
        outbox.broken = False
        feed.rewind()
        assert taken(feed) == [(3, False)]
        assert feed.acknowledged([]) == 2
        assert outbox.pending_count() == 1


@pytest.mark.parametrize("value", ["x'ff'", "7", "x''"])
def test_a_value_of_another_type_is_given_up(outbox, value):
    feed = Feed(outbox, Clock())
    add(outbox, feed, 1, 2)
    outbox.write([(f"UPDATE events SET record = {value} WHERE seq = 1", ())])
    assert taken(feed) == [(2, False)]
    assert outbox.query()[-1].record.seq == 2


@pytest.mark.parametrize("late", [True, False])
def test_a_row_that_is_no_json_is_given_up_and_the_others_are_sent(outbox, late):
    clock = Clock()
    feed = Feed(outbox, clock)
    add(outbox, feed, 1, 2, 3)
    outbox.write([("UPDATE events SET record = '}' || record WHERE seq IN (1, 3)", ())])
    clock.now += 2 * LATE_S if late else 0
    assert taken(feed) == [(2, late)]
    feed.acknowledged([2])
    feed.rewind()
    assert feed.next() is None
    assert feed.empty
    assert (outbox.pending_count(), outbox.expired_count()) == (0, 2)
