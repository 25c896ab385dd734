"""Tells when two clients with one id throw each other out; pure."""

from __future__ import annotations

from monitor.delivery.connection import CutError

STABLE_S = 10.0
"""A connection that lasted this long was a good one."""
_TELLING = 2
"""Connections in a row that the broker cut before they were stable."""


class ShortConnections:
    """Counts the connections that the broker accepted and soon closed.

    MQTT 3.1.1 does not say why it closes one; MQTT 5 says that the session was taken over.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._count = 0
        self.clash = False
        """Whether another client seems to use our id."""

    def connected(self, now: float) -> None:
        """Note that the broker has accepted us, at monotonic seconds."""
        self._since = now

    def lost(self, now: float, error: Exception) -> None:
        """Note why the connection, or the attempt, failed."""
        since, self._since = self._since, None
        cut = isinstance(error, CutError) and since is not None and now - since < STABLE_S
        self._count = self._count + 1 if cut else 0
        told = isinstance(error, CutError) and error.taken_over
        self.clash = told or self._count >= _TELLING

    def over(self, now: float) -> bool:
        """Return whether a clash has just ended: the connection is a good one by now."""
        if not self.clash or self._since is None or now - self._since < STABLE_S:
            return False
        self.clash, self._count = False, 0
        return True
