"""Writes records to disk without making the audio path wait."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from monitor.delivery.repeats import Repeats
from monitor.delivery.store.outbox import Outbox
from monitor.errors import OutboxError
from monitor.health.liveness import Backoff
from monitor.records import EventRecord

log = logging.getLogger(__name__)

_RETRY_FIRST_S = 0.25
_RETRY_CAP_S = 10.0


class EventWriter:
    """A thread between the audio path and the outbox.

    Records are committed in order, with all waiting records in one transaction, and then passed to
    the listeners. Live, a full queue rejects and counts the newest record, and disk errors are
    retried for as long as they last. In a replay the reader waits instead, and a disk error is
    raised to it, as there is no point in continuing.

    Parameters
    ----------
    outbox : Outbox
        Receives the records.
    listeners : sequence of callable
        Called with each record in the writer's thread after the commit; must not block.
    wait : bool
        Use the replay policy instead of the live one.
    capacity : int
        Maximum number of queued records.
    """

    def __init__(
        self,
        outbox: Outbox,
        listeners: Sequence[Callable[[EventRecord], None]] = (),
        *,
        wait: bool = False,
        capacity: int = 1000,
    ) -> None:
        self._outbox = outbox
        self._listeners = tuple(listeners)
        self._wait = wait
        self._capacity = capacity
        self._queue: deque[EventRecord] = deque()
        self._unwritten = 0
        self._changed = threading.Condition()
        self._closing = False
        self._error: OutboxError | None = None
        self.dropped = 0
        """Number of records rejected because the queue was full."""
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def failed(self) -> str | None:
        """Why records cannot be written at the moment; None if they can."""
        return None if self._error is None else str(self._error)

    def put(self, record: EventRecord) -> None:
        """Queue a record.

        Raises
        ------
        OutboxError
            In a replay, if records cannot be written.
        """
        with self._changed:
            if self._wait:
                self._changed.wait_for(lambda: self._error or self._unwritten < self._capacity)
                if self._error:
                    raise self._error
            if self._unwritten >= self._capacity or self._closing:
                self._refuse(record)
                return
            self._queue.append(record)
            self._unwritten += 1
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all queued records are on disk and have been passed to the listeners.

        Parameters
        ----------
        timeout_s : float
            Maximum wait, seconds.

        Returns
        -------
        bool
            Whether this happened in time.

        Raises
        ------
        OutboxError
            In a replay, if records cannot be written.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._unwritten or (self._wait and self._error), timeout_s)
            if self._wait and self._error:
                raise self._error
            return not self._unwritten

    def close(self, timeout_s: float = 5.0) -> bool:
        """Write queued records within the time limit and end the thread; False if records were lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._unwritten or (self._wait and self._error), timeout_s)
            lost = self._unwritten
            self._queue.clear()
            self._unwritten = 0
            self._changed.notify_all()
        self._thread.join(timeout_s)
        if lost:
            log.error("%d events could not be written: %s", lost, self.failed or "the disk was too slow")
        return not lost

    def _refuse(self, record: EventRecord) -> None:
        self.dropped += 1
        if self.dropped == 1 or self.dropped % 100 == 0:
            log.error(
                "history: the disk is too slow, event not kept (%s; %d so far)", record.label, self.dropped
            )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
                batch = list(self._queue)
                self._queue.clear()
            if not self._write(batch):
                return
            for record in batch:
                for listener in self._listeners:
                    listener(record)
            with self._changed:
                self._unwritten = max(0, self._unwritten - len(batch))
                self._changed.notify_all()

    def _write(self, batch: list[EventRecord]) -> bool:
        """Commit the batch, retrying as needed; return False after giving up."""
        repeats = Repeats(every=100)
        backoff = Backoff(first_s=_RETRY_FIRST_S, cap_s=_RETRY_CAP_S)
        while True:
            try:
                self._outbox.append_all(batch)
            except OutboxError as error:
                if repeats.due(str(error)):
                    log.error("%s (attempt %d)", error, repeats.count)
                if not self._give_up(error, backoff):
                    continue
                return False
            if repeats.over():
                log.info("history: written again")
            self._error = None
            return True

    def _give_up(self, error: OutboxError, backoff: Backoff) -> bool:
        """Record the error and wait before the next attempt; return True if there should be none."""
        with self._changed:
            self._error = error
            self._changed.notify_all()
            if self._wait:
                return True
            # close() sets the count to zero when its timeout expires.
            return self._changed.wait_for(lambda: not self._unwritten, backoff.next_s())
