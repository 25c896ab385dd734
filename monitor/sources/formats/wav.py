"""Compare the header of a WAV or RF64 file with the content of the file.

A crashed recorder, a pipe, or a file above 4 GiB leaves a header with the wrong length. libsndfile
trusts the header and silently drops the rest, so the chunks are checked here as well.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_PLACEHOLDER = 0x7FFF0000
"""Writers that cannot seek back leave a length at or above this in the header; it is ignored."""
_SIZE_SLACK = 16
"""Bytes by which common writers get a length wrong."""
TRAILER = 4096
"""Fewer bytes behind the audio than this are a tag or padding, not hidden audio."""
_UNTIL_THE_END = struct.pack("<I", 0xFFFFFFFF)


@dataclass(frozen=True)
class WavLayout:
    """Position and length of the samples, in bytes.

    Parameters
    ----------
    data_at : int
        Offset of the first sample.
    declared : int or None
        Length of the samples according to the header; None if it states none.
    missing : int
        Bytes that the header states and the file lacks.
    hidden : int
        Bytes after the declared samples that are neither a chunk nor a trailer.
    """

    data_at: int
    declared: int | None
    missing: int
    hidden: int

    @property
    def unfinished(self) -> bool:
        """Whether the recorder never came back to write the length: all of the rest is audio."""
        return self.declared == 0 and self.hidden > 0


def read_layout(path: Path, size: int) -> WavLayout | None:
    """Read the chunks of a file of ``size`` bytes; None if it is not WAV or has no samples."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
            return None
        found = _find_data(file, size)
        if found is None:
            return None
        data_at, declared, riff = found
        if riff is None:
            (riff,) = struct.unpack_from("<I", head, 4)
        promised = 0 if riff >= _PLACEHOLDER and head[:4] == b"RIFF" else riff + 8
        if declared >= _PLACEHOLDER and head[:4] == b"RIFF":
            return WavLayout(data_at, None, _over_slack(promised - size), 0)
        missing = _over_slack(max(promised, data_at + declared) - size)
        behind = data_at + declared + declared % 2
        hidden = 0 if size - behind < TRAILER or _are_chunks(file, behind, size) else size - behind
        return WavLayout(data_at, declared, missing, hidden)


def open_unfinished(path: Path, layout: WavLayout) -> BinaryIO:
    """Open a file as if its header said that the samples reach to the end."""
    return io.BufferedReader(
        _Patched(path, {0: b"RIFF" + _UNTIL_THE_END, layout.data_at - 4: _UNTIL_THE_END})
    )


class _Patched(io.RawIOBase):
    """A read-only view of a file with some bytes replaced.

    Parameters
    ----------
    path : Path
        The file; it stays as it is.
    patches : dict
        Replacement bytes by offset.
    """

    def __init__(self, path: Path, patches: dict[int, bytes]) -> None:
        self._file = path.open("rb", buffering=0)
        self._patches = patches

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed: WriteableBuffer
        start = self._file.tell()
        count = self._file.readinto(buffer) or 0
        for offset, patch in self._patches.items():
            for at, byte in enumerate(patch, offset - start):
                if 0 <= at < count:
                    buffer[at] = byte
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _find_data(file: BinaryIO, size: int) -> tuple[int, int, int | None] | None:
    """Return offset and length of the samples, and the total length if a ds64 chunk states it."""
    position, long_data, long_riff = 12, None, None
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"ds64":
            long_riff, long_data = struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))
        if name == b"data":
            return (
                position + 8,
                long_data if length == 0xFFFFFFFF and long_data is not None else length,
                long_riff,
            )
        position += 8 + length + length % 2
    return None


def _are_chunks(file: BinaryIO, position: int, size: int) -> bool:
    """Whether well-formed chunks fill the file from ``position`` to its end."""
    while size - position >= _SIZE_SLACK:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if not all(0x20 <= byte < 0x7F for byte in name):
            return False
        position += 8 + length + length % 2
    return position <= size + _SIZE_SLACK


def _over_slack(missing: int) -> int:
    return missing if missing > _SIZE_SLACK else 0
