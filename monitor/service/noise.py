"""Stores and publishes the noise of each minute, in its own thread because the disk may be slow."""

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
    """Writes minutes to the history and publishes them.

    A minute whose time is unknown (``clock: unsynced``) is published but not stored. If the disk
    fails, minutes are lost; the failure is logged once.

    Parameters
    ----------
    history : LevelHistory
        Stores the minutes and provides those of the last hour and the last 24 hours.
    publish : callable or None
        Called with the payload for the noise topic.
    wait : bool
        Replay policy: the reader waits if the disk is slow. Live, the newest minute is dropped and counted.
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
        """Number of minutes lost because the disk was too slow."""
        self._thread = threading.Thread(target=self._run, name="noise", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def on_minute(self, minute: Minute) -> None:
        try:
            self._queue.put(minute, block=self._wait)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Store and publish the queued minutes, within a few seconds."""
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
