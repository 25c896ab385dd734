"""Keeps each minute's noise and publishes it, in a thread of its own: the disk may be slow."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from monitor.delivery.payloads import noise_payload
from monitor.errors import OutboxError
from monitor.history.levels import LevelHistory
from monitor.level.minutes import MINUTE_S, Minute
from monitor.listeners import Listener

log = logging.getLogger(__name__)

_CAPACITY = 60
_CLOSE_S = 5.0
_DAY = 1440
_HOUR = 60


class NoiseKeeper(Listener):
    """Takes minutes; the history gets them, and whoever publishes.

    A minute whose time is not known (``clock: unsynced``) is published and not kept. When the disk
    fails, minutes are lost, named once.

    Parameters
    ----------
    history : LevelHistory
        Also the source of the last hour and the last 24 hours.
    publish : callable or None
        Takes the payload of the noise topic.
    wait : bool
        The replay's policy: when the disk is slow the reader waits. Live, the newest minute goes, counted.
    """

    def __init__(
        self, history: LevelHistory, publish: Callable[[str], None] | None = None, *, wait: bool
    ) -> None:
        self._history = history
        self._publish = publish
        self._wait = wait
        self._queue: queue.Queue[Minute | None] = queue.Queue(_CAPACITY)
        self._failed = False
        self.dropped = 0
        """Minutes that were lost because the disk was too slow."""
        self._thread = threading.Thread(target=self._run, name="noise", daemon=True)
        self._thread.start()

    def on_minute(self, minute: Minute) -> None:
        try:
            self._queue.put(minute, block=self._wait)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Keep and publish what waits, within some seconds."""
        try:
            self._queue.put(None, timeout=_CLOSE_S)
        except queue.Full:
            log.warning("history: the disk is too slow; the levels of the last minutes are lost")
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while (minute := self._queue.get()) is not None:
            past: list[Minute] = []
            try:
                if minute.clock != "unsynced":
                    self._history.add(minute)
                if self._publish is not None:
                    begin = (minute.minute - _DAY + 1) * MINUTE_S
                    past = self._history.minutes(begin, minute.minute * MINUTE_S)
                self._failed = False
            except OutboxError as error:
                if not self._failed:
                    log.error("%s; levels are not kept", error)
                self._failed = True
            if self._publish is not None:
                hour = [one for one in past if one.minute > minute.minute - _HOUR]
                self._publish(noise_payload(minute, [*hour, minute], [*past, minute]))
