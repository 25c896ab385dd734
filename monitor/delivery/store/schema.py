"""Schema of the history: its tables, and how an older file is brought up to date."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from monitor.errors import OutboxError

_APPLICATION_ID = 0x534E444D
"""Marks the file as ours, so that another program's database is not mistaken for an old history."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
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
    (
        # Counting what waits for the broker must not read the rows.
        "DROP INDEX events_pending",
        """CREATE INDEX events_waiting ON events (seq)
            WHERE delivered_at IS NULL AND expired_at IS NULL""",
        # Starts without an end, so that the next run finds them without a search.
        "CREATE TABLE open_starts (seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL)",
        """INSERT INTO open_starts SELECT seq, event_id FROM events AS s WHERE type = 'start' AND NOT EXISTS
            (SELECT 1 FROM events AS e WHERE e.event_id = s.event_id AND e.type = 'end' AND e.seq > s.seq)""",
        """CREATE TRIGGER events_opened AFTER INSERT ON events WHEN new.type = 'start' BEGIN
            INSERT INTO open_starts VALUES (new.seq, new.event_id);
        END""",
        """CREATE TRIGGER events_closed AFTER INSERT ON events WHEN new.type = 'end' BEGIN
            DELETE FROM open_starts WHERE event_id = new.event_id;
        END""",
        """CREATE TRIGGER events_forgotten AFTER DELETE ON events WHEN old.type = 'start' BEGIN
            DELETE FROM open_starts WHERE seq = old.seq;
        END""",
        # Totals that outlive the rows that they count.
        "CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO totals SELECT 'expired', count(*) FROM events WHERE expired_at IS NOT NULL",
        """CREATE TRIGGER events_expired AFTER UPDATE OF expired_at ON events
            WHEN old.expired_at IS NULL AND new.expired_at IS NOT NULL BEGIN
            UPDATE totals SET value = value + 1 WHERE name = 'expired';
        END""",
    ),
)
"""Entry i migrates schema version i to i + 1; entries are only ever appended."""


class DamagedError(OutboxError):
    """The file is a history of ours, but this version cannot use it."""


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a history up to date; call within a transaction.

    Raises
    ------
    OutboxError
        Another program made the file, or a newer version wrote it.
    """
    version = schema_version(connection, path)
    if version == len(MIGRATIONS):
        return
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def schema_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of a history, 0 for an empty file.

    Raises
    ------
    OutboxError
        Another program made the file, or a newer version wrote it.
    """
    with closing(connection.cursor()) as cursor:
        (version,) = cursor.execute("PRAGMA user_version").fetchone()
        (application,) = cursor.execute("PRAGMA application_id").fetchone()
        tables = {name for (name,) in cursor.execute("SELECT name FROM sqlite_master")}
    if application != _APPLICATION_ID and "events_event_id" in tables:
        raise DamagedError(f"history {path}: the file's header is damaged")
    if application != _APPLICATION_ID and (tables or version):
        raise OutboxError(f"history {path}: made by another program; set history.path to another file")
    if not 0 <= version <= len(MIGRATIONS):
        raise DamagedError(
            f"history {path}: schema {version} is newer than this version's {len(MIGRATIONS)};"
            " upgrade sound-monitor, or set history.path to another file"
        )
    return int(version)
