"""Consumers of a live monitor, such as a terminal or a pipe, which may block; the audio path may not."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial

from monitor.listeners import Listener, Listeners
from monitor.records import EventRecord, HopResult

log = logging.getLogger(__name__)

_CAPACITY = 1000


class Audience(Listener):
    """Passes everything on, in order, from its own thread.

    Hops are dropped once the queue is half full; records and status lines only when it is full,
    and these are counted. Dropped records are still in the history.

    Parameters
    ----------
    listeners : sequence of Listener
        Receive hops and records; may block.
    status_sinks : sequence of callable
        Called with a human-readable line when the microphone or broker status changes; may block.
    capacity : int
        Maximum queue length.
    together : callable
        Returns how many hops may wait for each other before they are passed on; a record ends the wait.
        Waking the thread for each costs more than most listeners do.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        status_sinks: Sequence[Callable[[str], None]] = (),
        *,
        capacity: int = _CAPACITY,
        together: Callable[[], int] = lambda: 1,
    ) -> None:
        self._listeners = Listeners(listeners)
        self._status_sinks = tuple(status_sinks)
        self._capacity = capacity
        self._together = together
        self._held: list[tuple[str, HopResult]] = []
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.missed = 0
        """Number of records and status lines dropped because the queue was full."""
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="audience", daemon=True)
        self._thread.start()

    def on_hop(self, file: str, hop: HopResult) -> None:
        together = self._together()
        if self._listeners and self._queue.qsize() < self._capacity // (2 * together):
            self._held.append((file, hop))
            if len(self._held) >= together:
                self._release()

    def on_record(self, record: EventRecord) -> None:
        if self._listeners:
            self._release()
            self._put(partial(self._listeners.on_record, record))

    def on_status(self, text: str) -> None:
        def tell() -> None:
            for sink in self._status_sinks:
                sink(text)

        self._put(tell)

    def check(self) -> None:
        """Raise the exception raised by a listener, if any; after one, nothing more is passed on."""
        if self._error is not None:
            raise self._error

    def close(self, timeout_s: float = 2.0) -> None:
        """Pass on what is queued, within the time limit, and end the thread."""
        self._release()
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _release(self) -> None:
        held, self._held = self._held, []
        if held:
            self._put(partial(self._pass_on, held))

    def _pass_on(self, hops: Sequence[tuple[str, HopResult]]) -> None:
        for file, hop in hops:
            self._listeners.on_hop(file, hop)

    def _put(self, tell: Callable[[], None]) -> None:
        if self._error is not None:
            return
        if self._queue.qsize() < self._capacity:
            self._queue.put(tell)
        else:
            self.missed += 1
            if self.missed == 1 or self.missed % 100 == 0:
                log.warning("the output is not being read: %d records dropped so far", self.missed)

    def _run(self) -> None:
        while (tell := self._queue.get()) is not None:
            try:
                tell()
            except Exception as error:
                self._error = error
                return
