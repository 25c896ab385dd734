"""Publishes to the broker: events at least once and in order, and retained topics that stay current."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from monitor.delivery.mqtt.board import Board, Message
from monitor.delivery.mqtt.connection import Connect, Connection, CutError, Inbox, OversizedError
from monitor.delivery.mqtt.cuts import STABLE_S, ShortConnections
from monitor.delivery.mqtt.feed import Feed
from monitor.delivery.mqtt.session import STEP_S, Leave, Session, Unacknowledged
from monitor.delivery.payloads import Health, level_payload, near_payload
from monitor.delivery.repeats import Repeats
from monitor.delivery.store.outbox import Outbox
from monitor.delivery.topics import Topics
from monitor.errors import OutboxError, PublishError
from monitor.health.liveness import Backoff
from monitor.records import EventRecord, Level, Near

log = logging.getLogger(__name__)

_ROWS_SHARE = 0.6
"""Fraction of the closing time in which events may still be sent; the rest is for states and status."""

_RETRY_FIRST_S = 1.0
_RETRY_CAP_S = 30.0


_LINGER_S = 0.3
"""Before a clean disconnect: amqtt drops what it has acknowledged when its client leaves at once."""


@dataclass(frozen=True)
class Retained:
    """What is published besides events.

    Parameters
    ----------
    lwt : bool
        Whether the broker publishes ``offline`` on our behalf if we disappear.
    states : bool
        Whether ON/OFF states and attributes per label, and the status, are published.
    """

    lwt: bool = True
    states: bool = True


class MqttPublisher:
    """Publishes from its own thread; only ``wait_*`` and :meth:`close` block.

    Parameters
    ----------
    connect : Connect
        Creates connections; see :func:`monitor.delivery.mqtt.link.connector`.
    topics : Topics
        Topics of the node, with the labels that have a state.
    outbox : Outbox
        Its undelivered rows are sent in order and marked as delivered once acknowledged.
    retained : Retained
        What is published besides events.
    """

    def __init__(self, connect: Connect, topics: Topics, outbox: Outbox, retained: Retained) -> None:
        self._inbox: Inbox | None = None
        self._connect = connect
        self._will = Message(topics.status, "offline", 1, True) if retained.lwt else None
        self._board = Board(
            topics,
            states=retained.states,
            status=retained.lwt or retained.states,
        )
        self._outbox = outbox
        self._feed = Feed(outbox, time.monotonic)
        self._changed = threading.Condition()  # connected, or rows were acknowledged
        self._closing = threading.Event()
        self._leave: Leave | None = None
        self._waker, self._wake = socket.socketpair()
        self._waker.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._unanswered = False  # the broker accepts us but acknowledges nothing
        self._cuts = ShortConnections()
        self._failures = Repeats(every=20)
        self._was_connected = False
        self.connected = False
        self.last_error: str | None = None
        """One-line reason why there is no working connection; None while there is one."""

    def start(self) -> None:
        """Connect, and keep reconnecting until closed."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs, once started."""
        return self._thread.ident is None or self._thread.is_alive()

    def on_recorded(self, record: EventRecord) -> None:
        """Send a record that has been committed to the outbox."""
        self._feed.recorded(record.seq)
        self._wake_up()

    def set_state(self, label: str, on: bool, record: EventRecord | None = None) -> None:
        """Set whether a label is active, with its newest event; labels without a state are ignored."""
        self._board.set_state(label, on, record)
        self._wake_up()

    def set_labels(self, labels: Collection[str]) -> None:
        """Set which labels have a state; the retained topics of all others are cleared."""
        self._board.set_labels(labels)
        self._wake_up()

    def set_groups(self, groups: Mapping[str, Collection[str]]) -> None:
        """Set which groups of labels have a state of their own."""
        self._board.set_groups(groups)
        self._wake_up()

    def set_retained(self, message: Message) -> None:
        """Publish a retained message now and on each connection; an empty payload clears the topic."""
        self._board.set_retained(message)
        self._wake_up()

    def clear(self, topic: str) -> None:
        """Clear a retained topic that an earlier run left behind."""
        self._board.clear(topic)
        self._wake_up()

    def subscribe(self, inbox: Inbox) -> None:
        """Receive messages from the next connection onwards; call before :meth:`start`."""
        self._inbox = inbox

    def say_again(self) -> None:
        """Publish all retained messages again, for a subscriber that has lost them."""
        self._board.repeat()
        self._wake_up()

    def set_online(self, online: bool) -> None:
        """Set whether the status is ``online``, that is, the monitor is up and running."""
        self._board.set_online(online)
        self._wake_up()

    def publish_level(self, level: Level) -> None:
        """Send a level at once, or drop it if that is not possible."""
        self._board.set_level(level_payload(level))
        self._wake_up()

    def publish_near(self, near: Iterable[Near]) -> None:
        """Send near misses at once, or drop them if that is not possible."""
        self._board.set_near(near_payload(near))
        self._wake_up()

    def publish_noise(self, payload: str) -> None:
        """Send the noise of a minute now and on each connection until there is a newer one."""
        self._board.set_noise(payload)
        self._wake_up()

    def publish_health(self, health: Health) -> None:
        """Send the health now and on each connection until there is a newer one."""
        if self._cuts.over(time.monotonic()):
            self.last_error = None
        self._board.set_health(health.to_json())
        self._wake_up()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until connected; return False if that takes longer than ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: self.connected, timeout_s)

    def wait_delivered(self, timeout_s: float) -> bool:
        """Wait until all rows are acknowledged; return False after ``timeout_s`` without progress."""
        with self._changed:
            while left := self._outbox.pending_count():
                if not self._changed.wait_for(partial(self._fewer_than, left), timeout_s):
                    return False
        return True

    def close(self, timeout_s: float = 5.0) -> bool:
        """Send what is left, set all states to OFF and the status to offline, and disconnect.

        Parameters
        ----------
        timeout_s : float
            Approximate upper limit for the whole operation, seconds.

        Returns
        -------
        bool
            Whether the broker acknowledged everything.
        """
        now = time.monotonic()
        self._leave = Leave(now + _ROWS_SHARE * timeout_s, now + timeout_s)
        self._closing.set()
        self._wake_up()
        if self._thread.ident is not None:
            self._thread.join(timeout_s + STEP_S)
        # A thread stuck in name resolution may still use the sockets.
        if not self._thread.is_alive():
            self._waker.close()
            self._wake.close()
        with suppress(OutboxError):
            return self.last_error is None and self._outbox.pending_count() == 0
        return False

    def _wake_up(self) -> None:
        # If the buffer is full, the thread wakes anyway; if the socket is closed, nothing is left to wake.
        with suppress(OSError):
            self._waker.send(b"\0")

    def _run(self) -> None:
        backoff = Backoff(first_s=_RETRY_FIRST_S, cap_s=_RETRY_CAP_S)
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                self._connect_once()
            except PublishError as error:
                self._on_failure(error)
            except Exception as error:
                # A bug: what it cost must be seen, but events and states must go on.
                self.last_error = f"mqtt: {type(error).__name__}: {error}"
                if self._failures.due(self.last_error):
                    log.exception("mqtt: unexpected error; connecting again")
            if time.monotonic() - began > STABLE_S:
                backoff.reset()
            self._closing.wait(backoff.next_s())

    def _connect_once(self) -> None:
        """Serve one connection, from its making to its end."""
        link = self._connect(self._will, self._wake)
        try:
            link.connect()
            self._cuts.connected(time.monotonic())
            if not self._in_doubt and (self._failures.over() or not self._was_connected):
                log.info("%s: connected", link.name)
            self._was_connected = True
            self._serve(link)
            time.sleep(_LINGER_S)
            link.disconnect()
        finally:
            self.connected = False
            self._board.disconnect()
            link.close()

    def _on_failure(self, error: PublishError) -> None:
        self._unanswered |= isinstance(error, Unacknowledged)
        if isinstance(error, OversizedError):
            # A retained message would arrive again on each connection.
            log.error("%s; no messages are taken any more until sound-monitor starts again", error)
            self._inbox = None
        self._cuts.lost(time.monotonic(), error)
        self.last_error = str(error)
        if self._cuts.clash and isinstance(error, CutError):
            self.last_error = f"{error}: another client is called {error.client_id}; set node"
        if self._failures.due(self.last_error):
            log.warning("%s; trying again (attempt %d)", self.last_error, self._failures.count)

    def _serve(self, link: Connection) -> None:
        """Serve a new connection until it breaks or the publisher closes."""
        self._board.connect()
        self._feed.rewind()
        self.connected = True
        if not self._in_doubt:
            self.last_error = None
        self._notify()
        inbox = self._inbox or Inbox((), lambda message: None)
        link.subscribe(inbox.filters)
        session = Session(link, self._board, self._feed, self._on_acknowledged, inbox.receive)
        session.run(lambda: self._leave)

    @property
    def _in_doubt(self) -> bool:
        """Whether being connected does not yet mean that the broker is working for us."""
        return self._unanswered or self._cuts.clash

    def _fewer_than(self, rows: int) -> bool:
        return self._outbox.pending_count() < rows

    def _on_acknowledged(self) -> None:
        if self._unanswered:
            self._unanswered, self.last_error = False, None
            log.info("mqtt: the broker acknowledges again")
        self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
