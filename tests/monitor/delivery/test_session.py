"""A broker that lets us in and acknowledges nothing is noticed in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from samples import record

from monitor.delivery.mqtt.board import Board, Message
from monitor.delivery.mqtt.feed import Feed
from monitor.delivery.mqtt.session import STEP_S, UNACKNOWLEDGED_S, Session, Unacknowledged
from monitor.delivery.store.outbox import Outbox
from monitor.delivery.topics import Topics


class Broker:
    """A link to a broker that acknowledges one message every ``pause_s``, or none; time is its steps.

    It never acknowledges the message of the number ``skips``.
    """

    congested = False

    def __init__(self, pause_s: float | None, acknowledged: int = 10**9, skips: int = 0) -> None:
        self.now = 0.0
        self.sent: list[int] = []
        self._numbers = count(1)
        self._skips = skips
        self._pause_s = pause_s
        self._left = acknowledged
        self._last = 0.0

    @property
    def room(self) -> int:
        return 20 - len(self.sent)

    @property
    def in_flight(self) -> int:
        return len(self.sent)

    def publish(self, message: Message) -> int:
        number = next(self._numbers)
        if message.qos:
            self.sent.append(number)
        return number

    def received(self) -> list[object]:
        return []

    def step(self, timeout_s: float) -> list[int]:
        self.now += timeout_s
        due = [number for number in self.sent if number != self._skips]
        if self._pause_s is None or not self._left or self.now - self._last < self._pause_s or not due:
            return []
        self._last, self._left = self.now, self._left - 1
        self.sent.remove(due[0])
        return due[:1]


class Enough(Exception):  # noqa: N818 — no error
    pass


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with closing(Outbox(tmp_path / "history.db")) as opened:
        opened.append_all(record(seq) for seq in range(1, 6))
        yield opened


def run(broker: Broker, outbox: Outbox, for_s: float, *, busy: bool = False) -> int:
    """Serve a connection for some time; returns how often anything was acknowledged.

    If ``busy``, there is always something more to send.
    """
    board = Board(Topics("base", "node", ("siren",)), states=True, status=True)
    board.connect()
    times: list[None] = []

    def leave() -> None:
        if broker.now > for_s:
            raise Enough
        if busy:
            board.set_online(True)

    feed = Feed(outbox, lambda: broker.now)
    session = Session(broker, board, feed, lambda: times.append(None), print, lambda: broker.now)
    with pytest.raises(Enough):
        session.run(leave)
    return len(times)


def test_health_is_sent_though_nothing_is_acknowledged(outbox: Outbox) -> None:
    broker, board = Broker(None), Board(Topics("base", "node", ("siren",)), states=True, status=True)
    board.connect()
    sent: list[Message] = []
    broker.publish = lambda message: sent.append(message) or len(sent)  # type: ignore[method-assign]
    broker.sent = [0] * 20  # no room

    def leave() -> None:
        board.set_health(str(broker.now))
        if broker.now > 5:
            raise Enough

    session = Session(broker, board, Feed(outbox, lambda: 0.0), print, print, lambda: broker.now)  # type: ignore[arg-type]
    with pytest.raises(Enough):
        session.run(leave)
    assert len(sent) > 3
    assert {message.topic for message in sent} == {"base/node/health"}


def test_a_broker_that_never_acknowledges_is_given_up(outbox: Outbox) -> None:
    broker = Broker(None)
    with pytest.raises(Unacknowledged, match="has not acknowledged a message for 30 s"):
        run(broker, outbox, 1000)
    assert broker.now <= UNACKNOWLEDGED_S + 2 * STEP_S


def test_a_broker_that_stops_acknowledging_is_given_up(outbox: Outbox) -> None:
    with pytest.raises(Unacknowledged):
        run(Broker(2.0, acknowledged=3), outbox, 1000)


@pytest.mark.parametrize("skips", [1, 4, 8, 30])
def test_a_broker_that_leaves_out_one_message_is_given_up(outbox: Outbox, skips: int) -> None:
    """Else that row would wait for the next connection, while all others go out."""
    broker = Broker(1.0, skips=skips)
    with pytest.raises(Unacknowledged):
        run(broker, outbox, 1000, busy=True)
    assert skips in broker.sent
    assert broker.now <= skips + UNACKNOWLEDGED_S + 2 * STEP_S


@pytest.mark.parametrize("busy", [True, False])
def test_a_slow_broker_and_one_with_nothing_to_acknowledge_are_kept(outbox: Outbox, busy: bool) -> None:
    broker = Broker(0.9 * UNACKNOWLEDGED_S)
    assert run(broker, outbox, 40 * UNACKNOWLEDGED_S, busy=busy) == (44 if busy else 8)
    assert outbox.pending_count() == 0
