"""The connection to a history in SQLite.

With WAL and ``synchronous=FULL``, a completed commit survives ``kill -9`` and a power failure.

All threads share one connection protected by a lock. Appending and marking both write, and SQLite
allows only one writer at a time anyway. With a connection per thread, writers would wait in SQLite's
busy handler, which polls, rather than on a lock, which is handed over immediately.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from monitor.delivery.store.schema import MIGRATIONS, migrate, schema_version
from monitor.errors import OutboxError

_BUSY_TIMEOUT_S = 5.0


class Database:
    """A history, open until :meth:`close`. Thread-safe.

    Parameters
    ----------
    path : Path
        The file.
    connect : callable
        Opens it: :func:`open_writable` or :func:`open_readonly`.

    Raises
    ------
    OutboxError
        The history cannot be read or written; also raised by every method.
    """

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self.path = path
        self._lock = threading.RLock()
        with sqlite_errors(path):
            self._connection = connect(path)

    @property
    def trouble(self) -> str | None:
        """What happened to the file since the start, in one line; None if all is well."""
        return None

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """Lock the connection and yield it."""
        with self._lock, sqlite_errors(self.path):
            yield self._connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Lock the connection and yield it in a transaction, which is committed on exit."""
        with self.using() as connection, _transaction(connection):
            yield connection

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a SELECT with its values."""
        with self.using() as connection:
            return connection.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._lock, sqlite_errors(self.path):
            self._connection.close()


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into OutboxError."""
    try:
        yield
    # An error message may quote a damaged name that is no UTF-8.
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise OutboxError(f"history {path}: {error}; check the disk, or set history.path") from error


def open_writable(path: Path) -> sqlite3.Connection:
    """Open a history, and make it if there is none; only its owner may read it.

    Raises
    ------
    OutboxError
        It cannot be created there, is not ours, or a newer version wrote it.
    sqlite3.Error
        It cannot be written or is damaged.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutboxError(
            f"history {path}: no directory there ({error.strerror}); set history.path to a writable place"
        ) from error
    # SQLite gives its companions the same mode. What cannot be opened here, it reports itself.
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    connection = _connect(str(path), path)
    try:
        schema_version(connection, path)  # another program's file is not even touched
        _keep_private(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Takes the write lock even if there is nothing to migrate, so that an unwritable file
        # is detected now rather than at the first event.
        with _transaction(connection):
            migrate(connection, path)
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
    if not os.path.isfile(path):  # Path.is_file raises for a name that is too long
        raise OutboxError(f"history {path}: there is none yet; start sound-monitor run, or set history.path")
    connection = _connect(f"file:{quote(str(path))}?mode=ro", path)
    try:
        if schema_version(connection, path) != len(MIGRATIONS):
            raise OutboxError(f"history {path}: an earlier version wrote it; start sound-monitor run once")
    except BaseException:
        connection.close()
        raise
    return connection


def _keep_private(path: Path) -> None:
    """Let nobody else read the file; an earlier version made it readable by all."""
    for file in (path, *companions(path)):
        with suppress(OSError):
            file.chmod(0o600)


def companions(path: Path) -> tuple[Path, Path]:
    """Return the paths of the write-ahead log and of its index."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


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
