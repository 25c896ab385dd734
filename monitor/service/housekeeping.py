"""Keeps the history within its bounds, in its own thread because the disk may be slow."""

from __future__ import annotations

import logging
import threading

from monitor.config.load import Config
from monitor.delivery.repeats import Repeats
from monitor.delivery.store.retention import Limits, Retention
from monitor.errors import OutboxError

log = logging.getLogger(__name__)

_EVERY_S = 600.0
_PAUSE_S = 0.02
"""Pause after each transaction, in which events are stored."""
_CLOSE_S = 5.0


def limits(config: Config, *, delivers: bool) -> Limits:
    """Return the bounds of the history; ``delivers`` says whether its events are published."""
    history = config.settings.history
    size = round(1e6 * history.max_mb)
    return Limits(days=history.days, waiting_days=history.waiting_days, size=size, delivers=delivers)


class Housekeeper:
    """Does a pass at the start and every ten minutes, until closed; a full disk is tried again.

    Parameters
    ----------
    retention : Retention
        Does the work.
    every_s : float
        Time between two passes, seconds.
    """

    def __init__(self, retention: Retention, every_s: float = _EVERY_S) -> None:
        self._retention = retention
        self._every_s = every_s
        self._closing = threading.Event()
        self._failures = Repeats(every=100)
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        self._closing.set()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while True:
            try:
                for _ in self._retention.steps():
                    if self._closing.wait(_PAUSE_S):
                        return
                self._failures.over()
            except OutboxError as error:
                if self._failures.due(str(error)):
                    log.warning("%s; old events are not deleted", error)
            if self._closing.wait(self._every_s):
                return
