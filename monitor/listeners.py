"""The interface of everything that follows a stream: viewers, files of scores, delivery."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.level.minutes import Minute
from monitor.records import EventRecord, HopResult


class Listener:
    """Receives what a stream yields; must not block for long.

    A method that is not overridden does nothing.
    """

    def on_file(self, file: str, duration_s: float | None) -> None:
        """Called when a recording begins; ``duration_s`` is None if its length is unknown."""

    def on_hop(self, file: str, hop: HopResult) -> None:
        """Called after each analysed hop, before the records of its decisions."""

    def on_record(self, record: EventRecord) -> None:
        """Called when an event has started or ended."""

    def on_minute(self, minute: Minute) -> None:
        """Called with the noise levels of a minute of UTC, when the minute or the stream ends."""

    def on_off(self) -> None:
        """Called when listening is deliberately switched off."""


class Listeners(Listener):
    """Passes everything on to several listeners, in their order."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = tuple(listeners)

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def on_file(self, file: str, duration_s: float | None) -> None:
        for listener in self._listeners:
            listener.on_file(file, duration_s)

    def on_hop(self, file: str, hop: HopResult) -> None:
        for listener in self._listeners:
            listener.on_hop(file, hop)

    def on_record(self, record: EventRecord) -> None:
        for listener in self._listeners:
            listener.on_record(record)

    def on_minute(self, minute: Minute) -> None:
        for listener in self._listeners:
            listener.on_minute(minute)

    def on_off(self) -> None:
        for listener in self._listeners:
            listener.on_off()
