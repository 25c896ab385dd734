"""The active phase of one connection: sends the retained topics first, then the outbox rows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.delivery.mqtt.board import Board, Message
from monitor.delivery.mqtt.connection import Connection, Incoming
from monitor.delivery.mqtt.feed import Feed
from monitor.delivery.repeats import Repeats
from monitor.errors import OutboxError, PublishError

log = logging.getLogger(__name__)

STEP_S = 1.0
UNACKNOWLEDGED_S = 30.0
"""Seconds for which the oldest message may wait for its acknowledgement while it is the oldest.

Brokers acknowledge in order (MQTT-4.6.0-2). After that the broker counts as faulty, even if it answers pings
or acknowledges later messages: the row would stay undelivered until the next connection.
"""


class Unacknowledged(PublishError):  # noqa: N818 — a state of the broker
    """The broker does not acknowledge the oldest message in flight."""


@dataclass(frozen=True)
class Leave:
    """Deadlines for leaving, in monotonic seconds.

    Parameters
    ----------
    rows_until : float
        Until when rows are sent.
    end : float
        Until when anything is sent.
    """

    rows_until: float
    end: float


class Session:
    """Sends over one connection: first the board's messages, then rows, as long as there is room.

    Parameters
    ----------
    link : Connection
        An open connection.
    board : Board
        Source of the retained, level and near messages.
    feed : Feed
        Source of the outbox rows.
    on_acknowledged : callable
        Called after messages were acknowledged or rows marked as delivered.
    receive : callable
        Called with each incoming message.
    monotonic : callable
        Monotonic clock, seconds.
    """

    def __init__(
        self,
        link: Connection,
        board: Board,
        feed: Feed,
        on_acknowledged: Callable[[], None],
        receive: Callable[[Incoming], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._board = board
        self._feed = feed
        self._on_acknowledged = on_acknowledged
        self._receive = receive
        self._monotonic = monotonic
        self._waiting: dict[int, None] = {}  # message ids in the order of sending
        self._oldest: tuple[int, float] | None = None  # the first of them, and since when it is
        self._rows: dict[int, int] = {}  # message id → seq
        self._disk = Repeats(every=100)

    def run(self, leave: Callable[[], Leave | None]) -> None:
        """Send until asked to leave and everything is acknowledged.

        Parameters
        ----------
        leave : callable
            Returns the deadlines for leaving, or None to continue.

        Raises
        ------
        PublishError
            The connection broke, or time ran out.
        """
        last_words = False
        while True:
            leaving, now = leave(), self._monotonic()
            if leaving and not last_words and (self._rows_done or now > leaving.rows_until):
                last_words = True
                self._board.all_off()
            self._send(rows=not last_words)
            if last_words and self._board.empty and not self._link.in_flight:
                return
            left_s = leaving.end - now if leaving else STEP_S
            if left_s <= 0:
                raise PublishError(
                    f"mqtt: {self._link.in_flight} messages were not acknowledged before the end"
                )
            numbers = self._link.step(min(left_s, STEP_S))
            for message in self._link.received():
                self._receive(message)
            self._acknowledge(numbers)
            self._watch(numbers)

    @property
    def _rows_done(self) -> bool:
        return self._feed.empty and not self._rows

    def _send(self, *, rows: bool) -> None:
        link = self._link
        while link.room > 0:
            message = self._board.next()
            if message is not None:
                self._publish(message)
                continue
            row = self._next_row() if rows else None
            if row is None:
                break
            seq, payload = row
            self._rows[self._publish(Message(self._board.event_topic, payload, 1, False))] = seq
        while not link.congested and (passing := self._board.next_passing()) is not None:
            link.publish(passing)

    def _publish(self, message: Message) -> int:
        number = self._link.publish(message)
        if message.qos:
            self._waiting[number] = None
        return number

    def _next_row(self) -> tuple[int, str] | None:
        try:
            return self._feed.next()
        except OutboxError as error:
            self._complain(error)
            return None

    def _watch(self, numbers: Sequence[int]) -> None:
        """Raise if the oldest message in flight has waited for its acknowledgement for too long."""
        now = self._monotonic()
        for number in numbers:
            self._waiting.pop(number, None)
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            self._oldest = None
        elif self._oldest is None or self._oldest[0] != oldest:
            self._oldest = (oldest, now)
        elif now - self._oldest[1] >= UNACKNOWLEDGED_S:
            raise Unacknowledged(
                f"mqtt: the broker has not acknowledged a message for {UNACKNOWLEDGED_S:.0f} s;"
                " look at its log and its disk, or start it again"
            )

    def _acknowledge(self, numbers: Sequence[int]) -> None:
        seqs = [self._rows.pop(number) for number in numbers if number in self._rows]
        marked = 0
        try:
            marked = self._feed.acknowledged(seqs)
        except OutboxError as error:
            self._complain(error)
        if marked:
            self._disk.over()
        if numbers or marked:
            self._on_acknowledged()

    def _complain(self, error: OutboxError) -> None:
        if self._disk.due(str(error)):
            log.error("%s", error)
