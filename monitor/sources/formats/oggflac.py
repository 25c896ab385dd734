"""FLAC inside Ogg, which libsndfile does not read: unpacked to the plain FLAC that it does.

Reference: https://xiph.org/flac/ogg_mapping.html
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MARK = b"\x7fFLAC"
_MAPPING_HEADER = 9
"""Bytes of the first packet before the marker of plain FLAC."""
_BEGINS = 2


def open_ogg_flac(path: Path) -> BinaryIO | None:
    """Return the first stream of an Ogg FLAC file as a temporary file of plain FLAC, else None."""
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return None
        file.seek(0)
        packets = _packets(file)
        first = next(packets, b"")
        if not first.startswith(_MARK):
            return None
        plain = tempfile.TemporaryFile()  # noqa: SIM115 — the caller closes it
        plain.write(first[_MAPPING_HEADER:])
        plain.writelines(packets)
        plain.seek(0)
        return plain


def _packets(file: BinaryIO) -> Iterator[bytes]:
    """Yield the complete packets of the first stream."""
    packet, stream = b"", None
    while len(header := file.read(27)) == 27 and header[:4] == b"OggS":
        lengths = file.read(header[26])
        content = file.read(sum(lengths))
        if stream is not None and header[5] & _BEGINS:
            return  # another recording, which the check of the pages reports
        stream = stream or header[14:18]
        if header[14:18] != stream or len(content) < sum(lengths):
            continue
        start = 0
        for length in lengths:
            packet += content[start : start + length]
            start += length
            if length < 255:
                yield packet
                packet = b""
