"""Detects two clients with the same id repeatedly disconnecting each other; pure."""

from __future__ import annotations

from monitor.delivery.mqtt.connection import CutError

STABLE_S = 90.0
"""Seconds after which a connection counts as stable; more than two clients take to cut each other in turn."""
_CLASH_COUNT = 2
"""Number of consecutive connections closed by the broker before becoming stable that indicates a clash."""


class ShortConnections:
    """Counts connections that the broker accepted but soon closed.

    An MQTT 3.1.1 broker gives no reason for closing; MQTT 5 reports that the session was taken over.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._count = 0
        self.clash = False
        """Whether another client seems to use our id."""

    def connected(self, now: float) -> None:
        """Record that the broker accepted us at ``now``, in monotonic seconds."""
        self._since = now

    def lost(self, now: float, error: Exception) -> None:
        """Record why the connection or the connection attempt failed."""
        since, self._since = self._since, None
        cut = isinstance(error, CutError) and since is not None and now - since < STABLE_S
        self._count = self._count + 1 if cut else 0
        taken_over = isinstance(error, CutError) and error.taken_over
        self.clash = taken_over or self._count >= _CLASH_COUNT

    def over(self, now: float) -> bool:
        """Return whether a clash has just ended because the connection is now stable."""
        if not self.clash or self._since is None or now - self._since < STABLE_S:
            return False
        self.clash, self._count = False, 0
        return True
