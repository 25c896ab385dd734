"""The folder of the clips: writes each whole or not at all, lists, holds and deletes them.

A clip is written under a hidden name, synchronised and renamed. Whatever happens, a file that ends in
``.flac`` is complete.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from monitor.clips.audio import joined
from monitor.clips.limits import ClipLimits, StoredClip, beyond
from monitor.clips.names import label_of
from monitor.clips.stream import Clip
from monitor.clock import iso_utc
from monitor.errors import ClipError

_PART = ".part"
_PLAUSIBLE = 1735689600.0
"""Files from before this time (2025) were written while the clock was not set."""


class ClipFolder:
    """Clips below ``path``, in a folder per day; anything else there is left alone. Thread-safe.

    Parameters
    ----------
    path : Path
        Made, readable for its owner alone, if it does not exist.
    utc : callable
        Clock, seconds since 1970.

    Every method but :meth:`find` and :meth:`held` raises ClipError if the disk refuses.
    """

    def __init__(self, path: Path, utc: Callable[[], float] = time.time) -> None:
        self.path = path
        self._utc = utc
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the folder, and delete what a process that was killed was writing."""
        try:
            self._make()
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            for part in self.path.glob(f"*/.*.flac{_PART}"):
                with open(part, "rb") as file, suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    part.unlink(missing_ok=True)
        except OSError as error:
            raise self._error(error) from error

    def write(self, clip: Clip) -> None:
        """Write a clip, whole or not at all."""
        target = self.path / clip.path
        part = target.with_name(f".{target.name}{_PART}")
        try:
            self._make()
            target.parent.mkdir(exist_ok=True)
            try:
                with open(part, "w+b") as file:
                    # Held until the file is closed: no other process takes it for a leftover.
                    fcntl.flock(file, fcntl.LOCK_EX)
                    _encode(clip, file)
                    file.flush()
                    os.fsync(file.fileno())
                    part.rename(target)
            finally:
                part.unlink(missing_ok=True)
            _synchronise(target.parent)
        except (OSError, RuntimeError) as error:  # libsndfile reports a full disk as a RuntimeError
            raise self._error(error) from error

    def tidy(self, limits: ClipLimits) -> None:
        """Delete the clips beyond the limits, the oldest first."""
        try:
            with self._lock:
                for clip in beyond(self.stored(), limits, self._utc(), frozenset(self._held)):
                    file = self.path / clip.name
                    file.unlink(missing_ok=True)
                    with suppress(OSError):  # not empty
                        file.parent.rmdir()
        except OSError as error:
            raise self._error(error) from error

    def stored(self) -> list[StoredClip]:
        """Return the complete clips, in any order."""
        return [clip for file in self.path.glob("*/*.flac") if (clip := self._stored(file)) is not None]

    def find(self, name: str) -> Path | None:
        """Return the file of a clip; None if it is not there, or the name is none that we give."""
        file = self.path / name
        if label_of(name) is None or file.is_symlink() or file.parent.is_symlink() or not file.is_file():
            return None
        return file

    @contextmanager
    def held(self, name: str) -> Iterator[Path | None]:
        """Keep a clip from being deleted while it is read; yields what :meth:`find` returns."""
        with self._lock:
            self._held[name] += 1
        try:
            yield self.find(name)
        finally:
            with self._lock:
                self._held[name] -= 1
                self._held += Counter()  # drops zeros

    def _stored(self, file: Path) -> StoredClip | None:
        name = f"{file.parent.name}/{file.name}"
        label = label_of(name)
        if label is None or self.find(name) is None:
            return None
        try:
            facts = file.stat()
            written, now = facts.st_mtime, self._utc()
            if written < _PLAUSIBLE < now:
                os.utime(file, (now, now))  # its age counts from now on
                written = now
        except FileNotFoundError:
            return None
        return StoredClip(name, label, written, facts.st_size)

    def _make(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)

    def _error(self, error: OSError | RuntimeError) -> ClipError:
        reason = getattr(error, "strerror", None) or str(error)
        return ClipError(f"{self.path}: {reason}; clips.path must be a folder with room that we may write")


def _encode(clip: Clip, file: IO[bytes]) -> None:
    """Write FLAC with the onsets in its comment."""
    import soundfile

    onsets = [
        {
            "onset_s": round((mark.position - clip.start) / clip.rate, 3),
            "label": mark.label,
            "event_id": mark.event_id,
        }
        for mark in clip.marks
    ]
    options = {"format": "FLAC", "subtype": "PCM_16"}
    with soundfile.SoundFile(file, "w", clip.rate, 1, **options) as sound:
        sound.title = ", ".join(dict.fromkeys(mark.label for mark in clip.marks))
        sound.date = iso_utc(clip.utc)
        sound.comment = json.dumps(onsets, ensure_ascii=False)
        sound.write(joined(clip.pieces, clip.start, clip.end))


def _synchronise(folder: Path) -> None:
    """Make a rename in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
