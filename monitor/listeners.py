"""The interface of everything that follows a stream: viewers, files of scores, delivery."""

from __future__ import annotations

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
