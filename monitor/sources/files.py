"""Recordings on disk: WAV, RF64, FLAC, Ogg and whatever else libsndfile reads, streamed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from monitor.errors import AudioError
from monitor.records import AudioBlock
from monitor.sources.wav import open_unfinished, read_layout
from monitor.sources.wholeness import unread

if TYPE_CHECKING:
    import soundfile

SUFFIXES = frozenset({".wav", ".flac", ".ogg"})
"""What counts as a recording when a directory is searched; a file named outright is always tried."""

_RATES = range(1000, 768001)
_UNKNOWN = 0x7FFFFFFFFFFFFFFF
"""libsndfile's number of frames when the file does not tell."""


class FileSource:
    """Reads a recording block by block; never holds more than about a second of it.

    Parameters
    ----------
    path : any rate from 1 to 768 kHz, any number of channels, any subtype

    Raises
    ------
    AudioError : the file is missing, unreadable, not audio, or holds none
    """

    def __init__(self, path: Path) -> None:
        self.name = name = shown_path(path)
        self._path = path
        self._size, modified = _readable(path)
        layout = read_layout(path, self._size)
        self._repaired = open_unfinished(path, layout) if layout and layout.unfinished else None
        self._file = _open(path, self._repaired or path)
        self.rate: int = self._file.samplerate
        self._frames: int = self._file.frames
        try:
            if self.rate not in _RATES:
                raise AudioError(f"{name}: claims {self.rate} samples a second; the header is damaged")
            if self._frames <= 0:
                raise AudioError(f"{name}: holds no audio (0 samples); record it again or leave it out")
        except AudioError:
            self.close()
            raise
        self.duration_s = None if self._frames >= _UNKNOWN else self._frames / self.rate
        """None for a FLAC stream whose writer could not go back to say how long it became."""
        self.started_utc = modified - (self.duration_s or 0.0)
        """Seconds since 1970 at which the recording began, if it was written as it was made."""

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield blocks of a second, each an array of its own.

        Raises
        ------
        AudioError : after the last readable block, when the header promised more
        """
        import soundfile

        position = 0
        while position < self._frames:
            try:
                samples = self._file.read(self.rate, dtype="float32")
            except soundfile.LibsndfileError as error:
                raise self._damaged(position, error.error_string) from error
            if not len(samples):
                if self.duration_s is None and position:
                    return
                raise self._damaged(position, "the data ends early")
            yield AudioBlock(samples, position)
            position += len(samples)
        if left_out := unread(self._path, self._size):
            raise self._damaged(position, left_out.reason, left_out.advice)

    def close(self) -> None:
        self._file.close()
        if self._repaired is not None:
            self._repaired.close()

    def _damaged(self, position: int, why: str, advice: str = "copy or record it again") -> AudioError:
        used = f"the first {position / self.rate:.1f} s were used" if position else "nothing could be used"
        return AudioError(f"{self.name}: damaged ({_reason(why)}); {used}; {advice}")


def shown_path(path: Path) -> str:
    """A path as text; bytes of its name that are no UTF-8 appear as ``\\xe9``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def find_audio(paths: Sequence[Path]) -> list[Path]:
    """Files as given, directories replaced by the recordings in and below them, sorted.

    Hidden files (such as the ``._x.wav`` that macOS leaves) are no recordings.

    Raises
    ------
    AudioError : a directory without any recording
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
        )
        if not inside:
            suffixes = " ".join(sorted(SUFFIXES))
            raise AudioError(f"{shown_path(path)}: no audio in this directory; looked for {suffixes}")
        found += inside
    return found


def _readable(path: Path) -> tuple[int, float]:
    """Size in bytes and time of the last change of a file that can be read."""
    name = shown_path(path)
    try:
        status = path.stat()
        # A pipe would block in open() until somebody writes to it.
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"{name}: is no regular file; give a recording (WAV, FLAC, Ogg)")
        with path.open("rb"):
            pass
    except OSError as error:
        raise AudioError(f"{name}: cannot be read ({error.strerror}); check the path") from error
    if not status.st_size:
        raise AudioError(f"{name}: holds no audio (the file is empty); record it again or leave it out")
    return status.st_size, status.st_mtime


def _open(path: Path, content: Path | BinaryIO) -> soundfile.SoundFile:
    import soundfile

    try:
        file = soundfile.SoundFile(os.fsencode(content) if isinstance(content, Path) else content)
    except soundfile.LibsndfileError as error:
        name, reason = shown_path(path), _reason(error.error_string)
        raise AudioError(f"{name}: cannot be read as audio ({reason}); convert it to WAV or FLAC") from error
    # soundfile seeks after each read of a seekable file. Read on instead: a third cheaper for Ogg, and
    # the only right way for MP3, whose frames lean on the ones before.
    file.seekable = lambda: False
    return file


def _reason(text: str) -> str:
    """libsndfile's words, fit for the middle of a sentence."""
    return text.removeprefix("Error : ").rstrip(".")
