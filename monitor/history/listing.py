"""Lists events one by one, however many there are: pages of a bounded size, found by an index.

No transaction stays open between two pages, as the writer could not reuse its write-ahead log.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from monitor.clock import iso_utc
from monitor.delivery.store.database import Database, open_readonly
from monitor.delivery.store.stored import RecordReader, StoredEvent

Event = list[StoredEvent]
"""The records of an event: a start and, if it is over, an end."""

_PAGE = 1000
_LATEST = "~"
"""Sorts behind every date."""
_ROWS = """SELECT s.start, s.seq,
    s.record, s.recorded_at, s.delivered_at, s.delayed,
    e.seq, e.record, e.recorded_at, e.delivered_at, e.delayed
    FROM events AS s INDEXED BY {index}
    LEFT JOIN events AS e ON e.event_id = s.event_id AND e.type = 'end' AND e.seq > s.seq
    WHERE s.type = 'start' AND (s.start, s.seq) {side} (?, ?) AND {other} {label}
    ORDER BY s.start {order}, s.seq {order} LIMIT ?"""


class EventList:
    """Reads the events of one history in the order of their starts.

    Every method raises OutboxError if the history cannot be read.

    Parameters
    ----------
    path : Path
        The history.
    since, until : float or None
        Select events that began in [since, until), UTC seconds since 1970.
    labels : sequence of str
        Select events with these labels; empty selects all.
    """

    def __init__(
        self,
        path: Path,
        *,
        since: float | None = None,
        until: float | None = None,
        labels: Sequence[str] = (),
    ) -> None:
        self._database = Database(path, open_readonly)
        self._reader = RecordReader(path)
        self._first = "" if since is None else iso_utc(since)
        self._beyond = _LATEST if until is None else iso_utc(until)
        self._labels = tuple(dict.fromkeys(labels))

    def all(self) -> Iterator[Event]:
        """Return all events, oldest first."""
        return self._merged(newest=False)

    def newest(self, limit: int) -> list[Event]:
        """Return the last ``limit`` events, oldest first."""
        return list(itertools.islice(self._merged(newest=True), limit))[::-1]

    def label_width(self) -> int:
        """Return the length of the longest label."""
        rows = self._database.rows("SELECT DISTINCT label FROM hours")
        return max((len(label) for (label,) in rows if not self._labels or label in self._labels), default=0)

    def close(self) -> None:
        self._database.close()

    def _merged(self, *, newest: bool) -> Iterator[Event]:
        # One search per label, so that a rare label is found without reading the others.
        found = [self._rows(label, newest) for label in self._labels or (None,)]
        for row in heapq.merge(*found, key=lambda row: (row[0], row[1]), reverse=newest):
            event = self._event(row)
            if event:
                yield event

    def _rows(self, label: str | None, newest: bool) -> Iterator[tuple[Any, ...]]:
        sql = _ROWS.format(
            index="starts_by_time" if label is None else "starts_by_label",
            side="<" if newest else ">",
            other="s.start >= ?" if newest else "s.start < ?",
            label="" if label is None else "AND s.label = ?",
            order="DESC" if newest else "ASC",
        )
        key: tuple[str, int] = (self._beyond, -1) if newest else (self._first, -1)
        other = self._first if newest else self._beyond
        more = () if label is None else (label,)
        size = _PAGE
        while size == _PAGE:
            rows = self._database.rows(sql, (*key, other, *more, _PAGE))
            yield from rows
            size = len(rows)
            if rows:
                key = rows[-1][0], rows[-1][1]

    def _event(self, row: tuple[Any, ...]) -> Event:
        _, seq, *start = row[:6]
        end_seq, *end = row[6:]
        records = [self._reader.stored(seq, *start)]
        if end_seq is not None:
            records.append(self._reader.stored(end_seq, *end))
        return [record for record in records if record is not None]
