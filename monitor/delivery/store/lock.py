"""One process per history, enforced by a lock that the system releases however its holder dies."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from monitor.errors import OutboxError, UsageError

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
"""A link in a folder that others may write must not choose the file that is truncated."""


class ProcessLock:
    """Holds ``<history>.lock`` from construction until :meth:`release`.

    The file is never deleted: otherwise a third process could lock a new file of the same name
    while a second one is still waiting for the old file.

    Parameters
    ----------
    history : Path
        The history database.

    Raises
    ------
    UsageError
        Another process holds the lock.
    OutboxError
        The lock file cannot be created.
    """

    def __init__(self, history: Path) -> None:
        path = history.with_name(f"{history.name}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, _FLAGS, 0o600)
        except OSError as error:
            raise OutboxError(
                f"{path}: cannot make the lock file ({error.strerror}); set history.path to a writable place"
            ) from error
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise OutboxError(f"{path}: is no ordinary file; delete it, or set history.path")
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise UsageError(
                f"{path}: another sound-monitor (pid {holder}) uses this history;"
                " stop it, or give this one its own history.path and node"
            ) from None
        # A full disk may refuse the number; the lock holds all the same.
        with suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> ProcessLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
