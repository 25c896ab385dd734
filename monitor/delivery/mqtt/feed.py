"""Reads outbox rows for the broker, in order, and marks late ones as delayed."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable

from monitor.delivery.store.outbox import Outbox
from monitor.errors import OutboxError

LATE_S = 5.0
"""An event sent more than this many seconds after it was recorded carries ``delayed: true``."""

_ROWS = 100
"""Number of rows read from the outbox at a time."""


class Feed:
    """Returns each undelivered row once per connection.

    For use by a single thread; only :meth:`recorded` may be called from another.

    Parameters
    ----------
    outbox : Outbox
        Source of the rows.
    monotonic : callable
        Monotonic clock, seconds.
    """

    def __init__(self, outbox: Outbox, monotonic: Callable[[], float]) -> None:
        self._outbox = outbox
        self._monotonic = monotonic
        self._age_lock = threading.Lock()
        self._recent: deque[tuple[float, int]] = deque()  # within the last LATE_S seconds
        self._late_seq = outbox.next_seq() - 1  # recorded by an earlier process
        self._sent_late: set[int] = set()
        self._acknowledged: list[int] = []
        self._rows: deque[tuple[int, str]] = deque()
        self._cursor = 0
        self._more = True

    def recorded(self, seq: int) -> None:
        """Record that a row has just been committed."""
        with self._age_lock:
            self._recent.append((self._monotonic(), seq))
            self._forget_old()
        self._more = True

    def rewind(self) -> None:
        """Restart at the first unacknowledged row, for a new connection."""
        self._rows.clear()
        self._cursor = 0
        self._more = True

    @property
    def empty(self) -> bool:
        """Whether all rows have been returned."""
        return not (self._rows or self._more)

    def next(self) -> tuple[int, str] | None:
        """Return seq and payload of the next row to send, or None.

        Raises
        ------
        OutboxError
            The outbox cannot be read at the moment; no row is skipped.
        """
        while True:
            while not self._rows and self._more:
                self._fetch()
            if not self._rows:
                return None
            seq, record = self._rows[0]
            values = _object(record)
            if values is not None:
                break
            self._outbox.expire_unreadable(seq)
            self._rows.popleft()
        self._rows.popleft()
        if self._is_late(seq):
            self._sent_late.add(seq)
            record = json.dumps(values | {"delayed": True}, sort_keys=True, ensure_ascii=False)
        return seq, record

    def acknowledged(self, seqs: Iterable[int]) -> int:
        """Mark acknowledged rows as delivered, including any that could not be marked earlier.

        Parameters
        ----------
        seqs : iterable of int
            Rows that the broker has acknowledged.

        Returns
        -------
        int
            Number of rows marked.

        Raises
        ------
        OutboxError
            Marking failed; the rows are remembered and not sent again by this process.
        """
        self._acknowledged += seqs
        if not self._acknowledged:
            return 0
        self._outbox.mark_delivered(self._acknowledged, late=self._sent_late)
        count = len(self._acknowledged)
        self._sent_late.difference_update(self._acknowledged)
        self._acknowledged.clear()
        return count

    def _fetch(self) -> None:
        self._more = False  # before reading, as a row recorded in the meantime sets it again
        try:
            rows = self._outbox.pending(self._cursor, _ROWS)
        except OutboxError:
            self._more = True
            raise
        if rows:
            self._cursor = rows[-1][0]
        if len(rows) == _ROWS:
            self._more = True
        self._rows.extend(row for row in rows if row[0] not in self._acknowledged)

    def _is_late(self, seq: int) -> bool:
        with self._age_lock:
            self._forget_old()
            return seq <= self._late_seq

    def _forget_old(self) -> None:
        limit = self._monotonic() - LATE_S
        while self._recent and self._recent[0][0] < limit:
            self._late_seq = self._recent.popleft()[1]


def _object(text: str) -> dict[str, object] | None:
    """Parse a row as a JSON object; None if it is corrupt."""
    if not isinstance(text, str):  # SQLite stores a type with each value, and that may be damaged too
        return None
    try:
        text.encode()  # bytes that were not UTF-8 appear here as lone surrogates
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
