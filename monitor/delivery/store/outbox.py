"""History and outbox in a single SQLite table: an event is on disk before it is published."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from monitor.clock import iso_utc
from monitor.delivery.store.database import Database, open_readonly, open_writable
from monitor.delivery.store.stored import RecordReader, StoredEvent
from monitor.errors import OutboxError
from monitor.records import EventRecord

_UNREAD_FROM = 1 << 32
"""Sequence numbers begin here if the stored ones cannot be read; they must not be taken already."""

_INSERT = """INSERT INTO events (seq, event_id, type, label, start, record, recorded_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)"""
_WAITING = "FROM events INDEXED BY events_waiting WHERE delivered_at IS NULL AND expired_at IS NULL"
_PENDING = f"SELECT seq, record {_WAITING} AND seq > ? ORDER BY seq LIMIT ?"
_PENDING_COUNT = f"SELECT count(*) {_WAITING}"
_OPEN_STARTS = "SELECT seq, record FROM open_starts JOIN events USING (seq) ORDER BY seq"
_STORED = "SELECT seq, record, recorded_at, delivered_at, delayed FROM events"
_NEWEST = f"{_STORED} ORDER BY seq DESC LIMIT ?"
_QUERY = f"""{_STORED} WHERE start >= ? AND start < ? AND (? IS NULL OR label = ?)
    ORDER BY seq DESC LIMIT ?"""


class Outbox:
    """The events of one node, ordered by ``seq``. Thread-safe.

    Parameters
    ----------
    database : Database or Path
        The history, or the file to open; it is created along with its directory if missing.
    readonly : bool
        Open the file for reading only; it must exist.
    utc : callable
        Clock for ``recorded_at`` and ``delivered_at``, seconds since 1970.

    Raises
    ------
    OutboxError
        The database cannot be read or written; also raised by every method.
    """

    def __init__(
        self, database: Database | Path, *, readonly: bool = False, utc: Callable[[], float] = time.time
    ) -> None:
        if isinstance(database, Path):
            database = Database(database, open_readonly if readonly else open_writable)
        self._database = database
        self.path = database.path
        self._utc = utc
        self._reader = RecordReader(self.path)

    def append(self, record: EventRecord) -> None:
        self.append_all((record,))

    def append_all(self, records: Iterable[EventRecord]) -> None:
        """Append the records atomically, in one transaction."""
        now = iso_utc(self._utc())
        rows = [(r.seq, r.event_id, r.type, r.label, r.start, r.to_json(), now) for r in records]
        try:
            with self._database.transaction() as connection:
                connection.executemany(_INSERT, rows)
        except OutboxError as error:
            if not (isinstance(error.__cause__, sqlite3.IntegrityError) and self._has(rows)):
                raise

    def pending(self, after_seq: int, limit: int) -> list[tuple[int, str]]:
        """Return (seq, record as JSON) of up to ``limit`` undelivered rows after ``after_seq``, in order."""
        return [(seq, record) for seq, record in self.rows(_PENDING, (after_seq, limit))]

    def pending_count(self) -> int:
        return int(self.rows(_PENDING_COUNT)[0][0])

    def expired_count(self) -> int:
        """Return the number of rows ever given up undelivered."""
        return int(self.rows("SELECT value FROM totals WHERE name = 'expired'")[0][0])

    @property
    def damage(self) -> str | None:
        """What happened to the file, or which rows cannot be read, in one line; None if all is well."""
        return self._database.trouble or self._reader.damage

    def mark_delivered(self, seqs: Iterable[int], *, late: Collection[int] = ()) -> None:
        """Mark rows as acknowledged by the broker; ``late`` are those sent as delayed."""
        now = iso_utc(self._utc())
        rows = [(now, seq in late, seq) for seq in seqs]
        with self._database.transaction() as connection:
            connection.executemany("UPDATE events SET delivered_at = ?, delayed = ? WHERE seq = ?", rows)

    def expire_unreadable(self, seq: int) -> None:
        """Give up on an unreadable row, so that it is never pending again."""
        self.write([("UPDATE events SET expired_at = ? WHERE seq = ?", (iso_utc(self._utc()), seq))])
        self._reader.note(seq, "no JSON object")

    def last_seq(self) -> int:
        """Return the largest seq; 0 if there are no rows."""
        return int(self.rows("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    def next_seq(self) -> int:
        """Return a seq that no row has, for the next record, even if the rows cannot be read now."""
        try:
            return self.last_seq() + 1
        except OutboxError:
            return _UNREAD_FROM + max(0, int(self._utc()))

    def open_starts(self) -> list[EventRecord]:
        """Return starts without an end, in order; their process was killed before writing the end."""
        found = [self._reader.record(seq, record) for seq, record in self.rows(_OPEN_STARTS)]
        return [record for record in found if record is not None]

    def forget_open_starts(self) -> None:
        """Take no start for open any more; those that cannot be read never get an end."""
        self.write([("DELETE FROM open_starts", ())])

    def query(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        label: str | None = None,
        limit: int = 100,
    ) -> list[StoredEvent]:
        """Return records, newest first; :mod:`monitor.history.listing` reads whole events.

        Parameters
        ----------
        since, until : float or None
            Select records whose ``start`` is in [since, until), UTC seconds since 1970.
        label : str or None
            Select records with this label; None selects all.
        limit : int
            Maximum number of rows read.
        """
        if since is None and until is None and label is None:
            return self._reader.all_of(self.rows(_NEWEST, (limit,)))
        first = "" if since is None else iso_utc(since)
        beyond = "~" if until is None else iso_utc(until)  # "~" sorts behind every date
        return self._reader.all_of(self.rows(_QUERY, (first, beyond, label, label, limit)))

    def write(self, statements: Iterable[tuple[str, Sequence[object]]]) -> None:
        """Run SQL statements with their values in one transaction, for data stored alongside events."""
        with self._database.transaction() as connection:
            for sql, values in statements:
                connection.execute(sql, values)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a SELECT with its values, for data stored alongside events."""
        return self._database.rows(sql, values)

    def close(self) -> None:
        self._database.close()

    def _has(self, rows: Sequence[tuple[object, ...]]) -> bool:
        """Whether exactly these rows are stored: a failed commit may have reached the disk."""
        sql = "SELECT event_id, type FROM events WHERE seq = ?"
        return all(self.rows(sql, (row[0],)) == [(row[1], row[2])] for row in rows)
