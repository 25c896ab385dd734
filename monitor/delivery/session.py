"""One connection at work: what the retained topics say first, then the rows of the outbox."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.delivery.board import Board, Message
from monitor.delivery.connection import Connection, Incoming
from monitor.delivery.feed import Feed
from monitor.delivery.repeats import Repeats
from monitor.errors import OutboxError, PublishError

log = logging.getLogger(__name__)

STEP_S = 1.0
UNACKNOWLEDGED_S = 30.0
"""A broker that answers pings, but nothing else for so long, does not work."""


class Unacknowledged(PublishError):  # noqa: N818 — a state of the broker
    """Messages are under way, and the broker acknowledges none."""


@dataclass(frozen=True)
class Leave:
    """Until when, in monotonic seconds, rows are sent, and until when anything is."""

    rows_until: float
    end: float


class Session:
    """Sends through one connection: what the board says first, then rows, as far as there is room."""

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
        self._waits_since: float | None = None
        self._rows: dict[int, int] = {}  # number of the message → seq
        self._disk = Repeats(every=100)

    def run(self, leave: Callable[[], Leave | None]) -> None:
        """Return when told to leave and all is acknowledged.

        Raises
        ------
        PublishError : the connection broke, or time ran out
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
            self._watch(numbers)
            self._acknowledge(numbers)

    @property
    def _rows_done(self) -> bool:
        return self._feed.empty and not self._rows

    def _send(self, *, rows: bool) -> None:
        link = self._link
        while link.room > 0:
            message = self._board.next()
            if message is not None:
                link.publish(message)
                continue
            row = self._next_row() if rows else None
            if row is None:
                break
            seq, payload = row
            self._rows[link.publish(Message(self._board.event_topic, payload, 1, False))] = seq
        while not link.congested and (passing := self._board.next_passing()) is not None:
            link.publish(passing)

    def _next_row(self) -> tuple[int, str] | None:
        try:
            return self._feed.next()
        except OutboxError as error:
            self._complain(error)
            return None

    def _watch(self, numbers: Sequence[int]) -> None:
        """Raise when nothing was acknowledged for too long while something is under way."""
        now = self._monotonic()
        if numbers or not self._link.in_flight:
            self._waits_since = None
        if self._link.in_flight and self._waits_since is None:
            self._waits_since = now
        if self._waits_since is not None and now - self._waits_since >= UNACKNOWLEDGED_S:
            raise Unacknowledged(
                f"mqtt: the broker acknowledged nothing for {UNACKNOWLEDGED_S:.0f} s;"
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
