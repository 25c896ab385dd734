"""History and outbox in a single SQLite table: an event is on disk before it is published.

With WAL and ``synchronous=FULL``, a completed commit survives ``kill -9`` and a power failure.

All threads share one connection protected by a lock. Appending and marking both write, and SQLite
allows only one writer at a time anyway. With a connection per thread, writers would wait in SQLite's
busy handler, which polls, rather than on a lock, which is handed over immediately.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from monitor.clock import iso_utc
from monitor.errors import OutboxError
from monitor.records import EventRecord

log = logging.getLogger(__name__)

_APPLICATION_ID = 0x534E444D
"""Marks the file as ours, so that another program's database is not mistaken for an old history."""

_BUSY_TIMEOUT_S = 5.0
_NAMED = 5
"""Maximum number of unreadable rows that are listed."""

_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY,
            event_id TEXT NOT NULL,
            type TEXT NOT NULL CHECK (type IN ('start', 'end')),
            label TEXT NOT NULL,
            start TEXT NOT NULL,
            record TEXT NOT NULL,
            recorded_at TEXT NOT NULL,
            delivered_at TEXT,
            delayed INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX events_pending ON events (seq) WHERE delivered_at IS NULL",
        "CREATE INDEX events_start ON events (start)",
        "CREATE INDEX events_event_id ON events (event_id)",
    ),
    ("ALTER TABLE events ADD COLUMN expired_at TEXT",),
    (
        # Events per hour, so that a year can be plotted without reading every event.
        """CREATE TABLE hours (
            label TEXT NOT NULL,
            hour TEXT NOT NULL,
            events INTEGER NOT NULL,
            PRIMARY KEY (label, hour)
        ) WITHOUT ROWID""",
        """INSERT INTO hours SELECT label, substr(start, 1, 13), count(*) FROM events
            WHERE type = 'start' GROUP BY 1, 2""",
        """CREATE TRIGGER events_counted AFTER INSERT ON events WHEN new.type = 'start' BEGIN
            INSERT INTO hours VALUES (new.label, substr(new.start, 1, 13), 1)
            ON CONFLICT DO UPDATE SET events = events + 1;
        END""",
        """CREATE TRIGGER events_uncounted AFTER DELETE ON events WHEN old.type = 'start' BEGIN
            UPDATE hours SET events = events - 1 WHERE label = old.label AND hour = substr(old.start, 1, 13);
            DELETE FROM moments WHERE event_id = old.event_id;
        END""",
        "CREATE INDEX starts_by_time ON events (start, seq) WHERE type = 'start'",
        "CREATE INDEX starts_by_label ON events (label, start, seq) WHERE type = 'start'",
        # Data that the page stores alongside events: see monitor/history/notebook.py.
        """CREATE TABLE moments (
            event_id TEXT PRIMARY KEY,
            start_s REAL NOT NULL,
            hop_s REAL NOT NULL,
            frames INTEGER NOT NULL,
            bands INTEGER NOT NULL,
            picture BLOB,
            embedding BLOB,
            model TEXT NOT NULL
        )""",
        """CREATE TABLE verdicts (
            id INTEGER PRIMARY KEY,
            event_id TEXT UNIQUE,
            label TEXT NOT NULL,
            verdict TEXT NOT NULL CHECK (verdict IN ('right', 'false_alarm', 'missed')),
            moment TEXT NOT NULL,
            embedding BLOB,
            model TEXT NOT NULL,
            made_at TEXT NOT NULL
        )""",
        "CREATE INDEX verdicts_by_label ON verdicts (label, moment)",
        "CREATE TABLE peaks (label TEXT NOT NULL, at TEXT NOT NULL, peak REAL NOT NULL)",
        "CREATE INDEX peaks_by_label ON peaks (label, at)",
    ),
    (
        # Noise per minute, numbered from 1970: see monitor/history/levels.py. Units are tenths of a
        # second and of a dBFS, and hundredths of a dB for the offset.
        """CREATE TABLE levels (
            minute INTEGER PRIMARY KEY,
            duration INTEGER NOT NULL,
            laeq INTEGER NOT NULL,
            lafmax INTEGER NOT NULL,
            lcpeak INTEGER NOT NULL,
            l10 INTEGER NOT NULL,
            l50 INTEGER NOT NULL,
            l90 INTEGER NOT NULL,
            overload INTEGER NOT NULL,
            offset_db INTEGER,
            distribution BLOB NOT NULL
        )""",
    ),
)
"""Entry i migrates schema version i to i + 1; entries are only ever appended."""

_INSERT = """INSERT INTO events (seq, event_id, type, label, start, record, recorded_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)"""
_PENDING = """SELECT seq, record FROM events
    WHERE delivered_at IS NULL AND expired_at IS NULL AND seq > ? ORDER BY seq LIMIT ?"""
_PENDING_COUNT = "SELECT count(*) FROM events WHERE delivered_at IS NULL AND expired_at IS NULL"
_OPEN_STARTS = """SELECT seq, record FROM events AS s WHERE type = 'start' AND NOT EXISTS
    (SELECT 1 FROM events AS e WHERE e.event_id = s.event_id AND e.type = 'end' AND e.seq > s.seq)
    ORDER BY seq"""
_QUERY = """SELECT seq, record, recorded_at, delivered_at, delayed FROM events
    WHERE start >= ? AND start < ? AND (? IS NULL OR label = ?) ORDER BY seq DESC LIMIT ?"""


@dataclass(frozen=True)
class StoredEvent:
    """A stored record and its delivery status.

    Parameters
    ----------
    record : EventRecord
        The record.
    recorded_at : str
        When it was stored, UTC ISO 8601.
    delivered_at : str or None
        When the broker acknowledged it, UTC ISO 8601; None until then.
    delayed : bool
        Whether it was published late, with ``delayed: true``.
    """

    record: EventRecord
    recorded_at: str
    delivered_at: str | None
    delayed: bool


class Outbox:
    """The events of one node, ordered by ``seq``. Thread-safe.

    Parameters
    ----------
    path : Path
        The database; created along with its directory if missing.
    readonly : bool
        Open for reading only; the file must exist (for ``sound-monitor events``).
    utc : callable
        Clock for ``recorded_at`` and ``delivered_at``, seconds since 1970.

    Raises
    ------
    OutboxError
        The database cannot be read or written; also raised by every method.
    """

    def __init__(self, path: Path, *, readonly: bool = False, utc: Callable[[], float] = time.time) -> None:
        self.path = path
        self._utc = utc
        self._lock = threading.Lock()
        self._unreadable: set[int] = set()
        with self._errors():
            self._connection = open_readonly(path) if readonly else _open(path)

    def append(self, record: EventRecord) -> None:
        self.append_all((record,))

    def append_all(self, records: Iterable[EventRecord]) -> None:
        """Append the records atomically, in one transaction."""
        now = iso_utc(self._utc())
        rows = [(r.seq, r.event_id, r.type, r.label, r.start, r.to_json(), now) for r in records]
        with self._errors(), self._lock, _transaction(self._connection):
            self._connection.executemany(_INSERT, rows)

    def pending(self, after_seq: int, limit: int) -> list[tuple[int, str]]:
        """Return (seq, record as JSON) of up to ``limit`` undelivered rows after ``after_seq``, in order."""
        return [(seq, record) for seq, record in self._select(_PENDING, (after_seq, limit))]

    def pending_count(self) -> int:
        return int(self._select(_PENDING_COUNT)[0][0])

    def expired_count(self) -> int:
        """Return the number of rows given up undelivered."""
        return int(self._select("SELECT count(*) FROM events WHERE expired_at IS NOT NULL")[0][0])

    @property
    def damage(self) -> str | None:
        """One-line description of the unreadable rows found so far; None if there are none."""
        if not self._unreadable:
            return None
        rows = ", ".join(str(seq) for seq in sorted(self._unreadable)[:_NAMED])
        more = ", …" if len(self._unreadable) > _NAMED else ""
        return f"history {self.path}: passed over what cannot be read (seq {rows}{more})"

    def mark_delivered(self, seqs: Iterable[int], *, late: Collection[int] = ()) -> None:
        """Mark rows as acknowledged by the broker; ``late`` are those sent as delayed."""
        now = iso_utc(self._utc())
        rows = [(now, seq in late, seq) for seq in seqs]
        with self._errors(), self._lock, _transaction(self._connection):
            self._connection.executemany(
                "UPDATE events SET delivered_at = ?, delayed = ? WHERE seq = ?", rows
            )

    def expire_unreadable(self, seq: int) -> None:
        """Give up on an unreadable row, so that it is never pending again."""
        with self._errors(), self._lock, _transaction(self._connection):
            self._connection.execute(
                "UPDATE events SET expired_at = ? WHERE seq = ?", (iso_utc(self._utc()), seq)
            )
        self._note_unreadable(seq, "no JSON object")

    def last_seq(self) -> int:
        """Return the largest seq; 0 if there are no rows."""
        return int(self._select("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    def open_starts(self) -> list[EventRecord]:
        """Return starts without an end, in order; their process was killed before writing the end."""
        found = [self._read(seq, record) for seq, record in self._select(_OPEN_STARTS)]
        return [record for record in found if record is not None]

    def query(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        label: str | None = None,
        limit: int = 100,
    ) -> list[StoredEvent]:
        """Return events, newest first.

        Parameters
        ----------
        since, until : float or None
            Select events whose ``start`` is in [since, until), UTC seconds since 1970.
        label : str or None
            Select events with this label; None selects all.
        limit : int
            Maximum number of rows read.
        """
        first = "" if since is None else iso_utc(since)
        beyond = "~" if until is None else iso_utc(until)  # "~" sorts behind every date
        rows = self._select(_QUERY, (first, beyond, label, label, limit))
        return [
            StoredEvent(record, recorded_at, delivered_at, bool(delayed))
            for seq, text, recorded_at, delivered_at, delayed in rows
            if (record := self._read(seq, text)) is not None
        ]

    def write(self, statements: Iterable[tuple[str, Sequence[object]]]) -> None:
        """Run SQL statements with their values in one transaction, for data stored alongside events."""
        with self._errors(), self._lock, _transaction(self._connection):
            for sql, values in statements:
                self._connection.execute(sql, values)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a SELECT with its values, for data stored alongside events."""
        return self._select(sql, values)

    def close(self) -> None:
        with self._errors(), self._lock:
            self._connection.close()

    def _read(self, seq: int, text: str) -> EventRecord | None:
        """Parse a record; None if it is corrupt or was written by an incompatible version."""
        try:
            return EventRecord.from_json(text)
        except ValueError as error:
            self._note_unreadable(seq, str(error).splitlines()[0])
            return None

    def _note_unreadable(self, seq: int, reason: str) -> None:
        if seq not in self._unreadable:
            log.warning(
                "history %s: event record %d cannot be read (%s); passed over", self.path, seq, reason
            )
        self._unreadable.add(seq)

    def _select(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._errors(), self._lock:
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutboxError(f"history {self.path}: {error}; check the disk, or set history.path") from error


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutboxError(
            f"history {path}: no directory there ({error.strerror}); set history.path to a writable place"
        ) from error
    connection = _connect(str(path), path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Takes the write lock even if there is nothing to migrate, so that an unwritable file
        # is detected now rather than at the first event.
        with _transaction(connection):
            _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_readonly(path: Path) -> sqlite3.Connection:
    """Open a history for reading; the connection may be used from any thread, one at a time.

    Raises
    ------
    OutboxError
        The history does not exist, was written by another version, or cannot be read.
    """
    if not path.is_file():
        raise OutboxError(f"history {path}: there is none yet; start sound-monitor run, or set history.path")
    connection = _connect(f"file:{quote(str(path))}?mode=ro", path)
    try:
        if _version(connection, path) != len(_MIGRATIONS):
            raise OutboxError(f"history {path}: an earlier version wrote it; start sound-monitor run once")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(database: str, path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            database,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            uri=database.startswith("file:"),
        )
        # SQLite has no checksums: one corrupt byte must not hide the rows around it.
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        return connection
    except sqlite3.OperationalError as error:
        raise OutboxError(f"history {path}: {error}; set history.path to a writable place") from error


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection, path)
    if version == len(_MIGRATIONS):
        return
    for statements in _MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    with closing(connection.cursor()) as cursor:
        (version,) = cursor.execute("PRAGMA user_version").fetchone()
        (application,) = cursor.execute("PRAGMA application_id").fetchone()
        (tables,) = cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != _APPLICATION_ID and (tables or version):
        raise OutboxError(f"history {path}: made by another program; set history.path to another file")
    if version > len(_MIGRATIONS):
        raise OutboxError(
            f"history {path}: schema {version} is newer than this version's {len(_MIGRATIONS)};"
            " upgrade sound-monitor, or set history.path to another file"
        )
    return int(version)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # If the disk is full, SQLite may already have rolled back.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
