"""A history that outlives its file: it waits for the disk, and moves a damaged file aside."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from monitor.delivery.store.database import Database, companions, open_writable, sqlite_errors
from monitor.delivery.store.lock import ProcessLock
from monitor.delivery.store.schema import DamagedError
from monitor.errors import OutboxError, UsageError

log = logging.getLogger(__name__)

_REOPEN_S = 1.0
"""A history that cannot be opened is tried again at most this often."""
_KEPT = 2
"""Maximum number of damaged files kept beside a history."""
_DAMAGE = ("no such table", "no such column", "no such index", "already exists", "duplicate column")
"""Parts of messages that, about our own statements, mean that the file is damaged."""
_REOPENED = ("disk I/O error", "readonly database", "unable to open")
"""Parts of messages after which a new connection may help, for example after a remount."""


class LastingDatabase(Database):
    """The history of a process that must not stop because of a disk.

    It exists even while the file cannot be opened; every use then fails until it can. A damaged file
    is renamed and a new one begun. Only one process at a time may use the file.

    Parameters
    ----------
    path : Path
        The file.
    monotonic, utc : callable
        Clocks, seconds.

    Raises
    ------
    UsageError
        Another process is using the history.
    """

    def __init__(
        self,
        path: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic = monotonic
        self._utc = utc
        self._process_lock: ProcessLock | None = None
        self._usable: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._opened: Callable[[], None] = lambda: None
        self._retry_at = -float("inf")
        self._why: str | None = None
        self._moved: str | None = None
        try:
            super().__init__(path, self._connect)
        except OutboxError as error:
            log.error("%s; events are kept in memory until it can be written", error)

    @property
    def trouble(self) -> str | None:
        return self._why or self._moved

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._usable if self._usable and not self._replaced() else self._reopen()
            try:
                with sqlite_errors(self.path):
                    yield connection
            except OutboxError as error:
                self._judge(error.__cause__)
                raise

    def on_open(self, opened: Callable[[], None]) -> None:
        """Call a function now if the history is open, and after each later opening."""
        with self._lock:
            self._opened = opened
            if self._usable is not None:
                opened()

    def close(self) -> None:
        with self._lock:
            self._drop()
            if self._process_lock is not None:
                self._process_lock.release()
                self._process_lock = None

    def _reopen(self) -> sqlite3.Connection:
        """Open the file again and return the connection."""
        if self._monotonic() < self._retry_at and self._why:
            raise OutboxError(self._why)
        self._drop()
        try:
            self._connection = self._connect(self.path)
        except UsageError as error:
            raise OutboxError(str(error)) from error
        log.info("history %s: open", self.path)
        self._opened()
        if self._usable is None:
            raise OutboxError(f"history {self.path}: damaged again; check the disk")
        return self._connection

    def _connect(self, path: Path) -> sqlite3.Connection:
        """Open the file, or a new one in place of a damaged one; note why if that is impossible."""
        try:
            if self._process_lock is None:
                self._process_lock = ProcessLock(path)
            connection = self._open(path)
        except (OutboxError, UsageError) as error:
            self._why = str(error)
            self._retry_at = self._monotonic() + _REOPEN_S
            raise
        self._usable, self._why = connection, None
        status = path.stat()
        self._inode = status.st_dev, status.st_ino
        return connection

    def _open(self, path: Path) -> sqlite3.Connection:
        try:
            with sqlite_errors(path):
                return open_writable(path)
        except OutboxError as error:
            if not _is_damage(error):
                raise
            self._move_aside(path, error)
        with sqlite_errors(path):
            return open_writable(path)

    def _judge(self, cause: BaseException | None) -> None:
        """Drop the connection if it is of no more use, and the file if it is damaged."""
        if cause is None:
            return
        if _is_damage(cause):
            self._drop()
            self._move_aside(self.path, cause)
        elif any(part in str(cause) for part in _REOPENED):
            self._drop()

    def _move_aside(self, path: Path, error: BaseException) -> None:
        """Rename the file.

        Raises
        ------
        OutboxError
            The place cannot be written.
        """
        reason = error.__cause__ or error
        stamp = datetime.fromtimestamp(self._utc(), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        kept = path.with_name(f"{path.name}.damaged-{stamp}")
        try:
            _make_room(path)
            path.rename(kept)
            for companion, other in zip(companions(path), companions(kept), strict=True):
                with suppress(FileNotFoundError):
                    companion.rename(other)
        except OSError as trouble:
            raise OutboxError(
                f"history {path}: damaged ({reason}), and cannot be moved aside ({trouble.strerror})"
            ) from error
        self._moved = f"history {path}: damaged ({reason}); kept as {kept.name}, a new one was begun"
        log.error("%s", self._moved)

    def _replaced(self) -> bool:
        """Whether the file was deleted or replaced by another one."""
        try:
            status = os.stat(self.path)
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._inode

    def _drop(self) -> None:
        connection, self._usable = self._usable, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _make_room(path: Path) -> None:
    """Delete damaged files beyond the number kept, the smallest first: the largest holds most history."""
    old = [
        one for one in path.parent.glob(f"{path.name}.damaged-*") if one.suffix[-4:] not in ("-wal", "-shm")
    ]
    old.sort(key=lambda one: one.stat().st_size, reverse=True)
    for one in old[_KEPT - 1 :]:
        for file in (one, *companions(one)):
            file.unlink(missing_ok=True)


def _is_damage(error: BaseException) -> bool:
    """Whether the file is to blame, and neither the disk nor a lock."""
    if isinstance(error, OutboxError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, sqlite3.OperationalError):
        return any(part in str(error) for part in _DAMAGE)
    # SQLite's own verdict of a corrupt file has no class of its own in Python.
    damage = DamagedError, UnicodeDecodeError, sqlite3.DataError
    return isinstance(error, damage) or type(error) is sqlite3.DatabaseError
