"""The printed output of a replay: records as JSON or text, and a summary.

Uses print, not click.echo: click.echo looks up the terminal itself and would write across the
progress bar and the live view, which replace the standard streams.
"""

from __future__ import annotations

import sys
import time

from monitor.cli.show.text import clock_text, count_text, describe
from monitor.events.why import near_text
from monitor.listeners import Listener
from monitor.records import EventRecord, HopResult, Near, held_back


class JsonLines(Listener):
    """Prints each record as a line of JSON and flushes it, so that a pipe receives it at once."""

    def on_record(self, record: EventRecord) -> None:
        print(record.to_json(), flush=True)


class Talk(Listener):
    """Prints a readable line for each start and end of an event, under the name of its file."""

    def __init__(self) -> None:
        self._file: str | None = None

    def on_record(self, record: EventRecord) -> None:
        if record.file is not None and record.file != self._file:
            self._file = record.file
            print(record.file)
        print(describe(record), flush=True)


class WhyLines(Listener):
    """Prints a line for each class that came near at a hop and was not reported, with the reason.

    Also for each event that leads to no notice.

    Parameters
    ----------
    aside : bool
        To stderr, because stdout carries data.
    """

    def __init__(self, *, aside: bool) -> None:
        self._aside = aside

    def on_hop(self, file: str, hop: HopResult) -> None:
        for near in hop.near:
            self._print(hop.time_s, near)

    def on_record(self, record: EventRecord) -> None:
        if (near := held_back(record)) is not None:
            self._print(record.start_s, near)

    def _print(self, time_s: float, near: Near) -> None:
        line = f"{clock_text(time_s, 1):>9}  {near_text(near)}"
        print(line, file=sys.stderr if self._aside else sys.stdout)


class RecordList(Listener):
    """Keeps the records, for ``--expect``."""

    def __init__(self) -> None:
        self.records: list[EventRecord] = []

    def on_record(self, record: EventRecord) -> None:
        self.records.append(record)


class LastWord(Listener):
    """Counts files, events and audio; its text is a summary in one line."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._files = 0
        self._events = 0
        self._audio_s = 0.0
        self._file_s = 0.0

    def on_file(self, file: str, duration_s: float | None) -> None:
        self._files += 1
        self._audio_s += self._file_s
        self._file_s = 0.0

    def on_hop(self, file: str, hop: HopResult) -> None:
        self._file_s = hop.time_s

    def on_record(self, record: EventRecord) -> None:
        self._events += record.type == "start"

    def __str__(self) -> str:
        audio_s = self._audio_s + self._file_s
        took_s = time.monotonic() - self._began
        return (
            f"{count_text(self._events, 'event')} in {count_text(self._files, 'file')}, {clock_text(audio_s)}"
            f" of audio, in {took_s:.1f} s ({audio_s / max(took_s, 1e-3):.3g} times real time)"
        )
