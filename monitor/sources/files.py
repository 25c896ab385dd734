"""Stream recordings from disk: WAV, RF64, FLAC, Ogg and other formats that libsndfile reads."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from monitor.errors import AudioError
from monitor.records import AudioBlock
from monitor.sources.formats.oggflac import open_ogg_flac
from monitor.sources.formats.wav import open_unfinished, read_layout
from monitor.sources.formats.wholeness import unread

if TYPE_CHECKING:
    import soundfile

log = logging.getLogger(__name__)

_WITHOUT_DOT = "wav wave bwf rf64 w64 flac ogg oga opus mp3 aiff aif aifc au snd caf"
SUFFIXES = frozenset(f".{name}" for name in _WITHOUT_DOT.split(" "))
"""Suffixes of recordings in a searched directory; a file given by name is always tried."""

_RATES = range(1000, 768001)
_UNKNOWN = 0x7FFFFFFFFFFFFFFF
"""libsndfile's number of frames if the file does not state its length."""


class FileSource:
    """Reads a recording block by block, with about one second of it in memory.

    Parameters
    ----------
    path : Path
        Recording with a sample rate from 1 to 768 kHz, any number of channels and any subtype.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, not audio, or empty.
    """

    def __init__(self, path: Path) -> None:
        self.name = name = shown_path(path)
        self._path = path
        self._size, modified = _readable(path)
        self._repaired = _repaired(path, self._size)
        self._file = _open(path, self._repaired or path)
        self.rate: int = self._file.samplerate
        self._frames: int = self._file.frames
        try:
            if self.rate not in _RATES:
                raise AudioError(f"{name}: the header states {self.rate} Hz and is damaged")
            if self._frames <= 0:
                raise AudioError(f"{name}: {_empty(path, self._size)}")
        except AudioError:
            self.close()
            raise
        self._estimated = self._frames >= _UNKNOWN or "MPEG" in self._file.format_info + self._file.subtype
        self.duration_s = None if self._frames >= _UNKNOWN else self._frames / self.rate
        """Duration, seconds; None for a FLAC stream whose header does not state its length."""
        self.started_utc = modified - (self.duration_s or 0.0)
        """Start of the recording in seconds since 1970, assuming that it was written in real time."""

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield blocks of one second, each in a new array.

        Raises
        ------
        AudioError
            After the last readable block, if the header states a greater length.
        """
        import soundfile

        position = 0
        while position < self._frames:
            try:
                samples = self._file.read(self.rate, dtype="float32")
            except soundfile.LibsndfileError as error:
                raise self._damaged(position, error.error_string) from error
            if not len(samples):
                if self._estimated and position:
                    break
                raise self._damaged(position, "the data ends early")
            yield AudioBlock(samples, position)
            position += len(samples)
        if left_out := unread(self._path, self._size, position):
            raise self._damaged(position, left_out.reason, left_out.advice)

    def close(self) -> None:
        self._file.close()
        if self._repaired is not None:
            self._repaired.close()

    def _damaged(self, position: int, why: str, advice: str = "copy or record it again") -> AudioError:
        used = f"the first {position / self.rate:.1f} s were used" if position else "nothing could be used"
        return AudioError(f"{self.name}: damaged ({_reason(why)}); {used}; {advice}")


def shown_path(path: Path) -> str:
    """Return a path as text; bytes that are not UTF-8 appear as ``\\xe9``, control characters as ``\\n``."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def find_audio(paths: Sequence[Path]) -> list[Path]:
    """Replace each directory by the recordings in and below it, sorted; keep files as given.

    Hidden files, such as the ``._x.wav`` that macOS writes, are ignored. A directory that several links
    lead to is searched once.

    Raises
    ------
    AudioError
        If a directory contains no recording.
    """
    found: list[Path] = []
    for path in paths:
        if not os.path.isdir(path):  # Path.is_dir raises for a name that is too long
            found.append(path)
            continue
        inside = sorted(
            file
            for file in _files_below(path)
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
        )
        if not inside:
            suffixes = " ".join(sorted(SUFFIXES))
            raise AudioError(f"{shown_path(path)}: no audio in this directory; looked for {suffixes}")
        found += inside
    return found


def _files_below(top: Path) -> Iterator[Path]:
    def report(error: OSError) -> None:
        name = shown_path(Path(error.filename))
        log.warning("%s: cannot be searched (%s) and is left out", name, error.strerror)

    visited: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(top, followlinks=True, onerror=report):
        # Real directories first: of a directory and a link to it, the link is the one left out.
        folders.sort(key=lambda name: (os.path.islink(os.path.join(folder, name)), name))
        with suppress(OSError):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited:
                folders.clear()
                continue
            visited.add((status.st_dev, status.st_ino))
        yield from (Path(folder, name) for name in names)


def _repaired(path: Path, size: int) -> BinaryIO | None:
    """Return the content of a file in a form that libsndfile reads whole; None if the file itself is."""
    layout = read_layout(path, size)
    if layout is not None and layout.unfinished:
        return open_unfinished(path, layout)
    return open_ogg_flac(path)


def _empty(path: Path, size: int) -> str:
    """Say why a file has no samples."""
    if left_out := unread(path, size, 0):
        return f"the header says 0 samples, yet {left_out.reason}; {left_out.advice}"
    return "holds no audio (0 samples); record it again or leave it out"


def _readable(path: Path) -> tuple[int, float]:
    """Return the size in bytes and the modification time of a readable file."""
    name = shown_path(path)
    try:
        status = path.stat()
        # A pipe would block in open() until it has a writer.
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"{name}: not a regular file; give a recording (WAV, FLAC, Ogg)")
        with path.open("rb"):
            pass
    except OSError as error:
        raise AudioError(f"{name}: cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:
        raise AudioError(f"{name}: no file has such a name ({error})") from error
    if not status.st_size:
        raise AudioError(f"{name}: holds no audio (the file is empty); record it again or leave it out")
    return status.st_size, status.st_mtime


def _open(path: Path, content: Path | BinaryIO) -> soundfile.SoundFile:
    import soundfile

    try:
        file = soundfile.SoundFile(os.fsencode(content) if isinstance(content, Path) else content)
    except soundfile.LibsndfileError as error:
        name, reason = shown_path(path), _reason(error.error_string)
        raise AudioError(
            f"{name}: cannot be read as audio ({reason}); convert it: ffmpeg -i OLD NEW.flac"
        ) from error
    # soundfile seeks after each read of a seekable file. Reading on instead is a third cheaper for Ogg,
    # and the only correct way for MP3, whose frames depend on earlier ones.
    file.seekable = lambda: False
    return file


def _reason(text: str) -> str:
    """Return libsndfile's message in a form that fits within a sentence."""
    return text.removeprefix("Error : ").rstrip(".")
