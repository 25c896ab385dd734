"""The zip archive of text files behind a flatbuffer: written the same every time, read with suspicion."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from monitor.errors import PackageError

_MAX_ENTRY_BYTES = 1 << 20
_MAX_ARRAY_BYTES = 4 << 20
"""A head that rejects has up to 340 rows, of 1024 numbers with YAMNet."""

_MAX_ENTRIES = 16
_MAX_DIRECTORY_BYTES = 1 << 16
_DIRECTORY_END = b"PK\x05\x06"
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
"""What reading an entry raises: a broken archive, a method or a password of other people's."""


def write_archive(path: Path, head: bytes, files: Mapping[str, str | bytes]) -> None:
    """Write ``head`` followed by a zip of the files, atomically; the same input gives the same bytes."""
    content = io.BytesIO(head)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content.getvalue())
    partial.replace(path)


def read_entries(path: Path, data: bytes) -> tuple[int, dict[str, str]]:
    """Return the end of the flatbuffer and the appended text files by name."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return len(data), {}
    # Checked before the directory is parsed, which takes a hundred times its size in memory.
    at = data.rfind(_DIRECTORY_END)
    if at < 0 or int.from_bytes(data[at + 12 : at + 16], "little") > _MAX_DIRECTORY_BYTES:
        raise PackageError(f"{path}: its archive has a directory over {_MAX_DIRECTORY_BYTES >> 10} KiB")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) > _MAX_ENTRIES or any(info.file_size > most_bytes(info.filename) for info in infos):
                raise PackageError(
                    f"{path}: its archive holds more than {_MAX_ENTRIES} files or one over "
                    f"{_MAX_ENTRY_BYTES >> 20} MiB (an array {_MAX_ARRAY_BYTES >> 20}); not a package of ours"
                )
            methods = {info.compress_type for info in infos}
            if not methods <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise PackageError(f"{path}: its archive is compressed by other means than deflate")
            texts = [info for info in infos if info.filename.endswith((".txt", ".json"))]
            if len({info.filename for info in texts}) != len(texts):
                raise PackageError(f"{path}: its archive holds a file twice; package it again")
            end = min((info.header_offset for info in infos), default=len(data))
            return end, {i.filename: read_entry(archive, i.filename).decode("utf-8-sig") for i in texts}
    except DAMAGE as error:
        raise PackageError(f"{path}: the archive with labels and card is damaged ({error})") from error


def read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """Unpack an entry, up to the size stated in its header, which may be less than its actual size."""
    with archive.open(name) as entry:
        return entry.read(most_bytes(name) + 1)


def most_bytes(name: str) -> int:
    """Return how large an entry may be."""
    return _MAX_ARRAY_BYTES if name.endswith(".npy") else _MAX_ENTRY_BYTES
