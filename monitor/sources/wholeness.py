"""Check whether a decoder that reached its end has read the whole file.

libsndfile ends silently after the first of several concatenated recordings (``cat a.ogg b.ogg``, the
titles of an internet radio), and where an Ogg or MP3 file is truncated. These checks read only headers.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from monitor.sources.wav import read_layout

_FLAC_START = b"fLaC"
_FLAC_STREAMINFO = (b"\x00\x00\x00\x22", b"\x80\x00\x00\x22")
_OGG_BEGINS, _OGG_ENDS = 2, 4
_JOINED = "to read all of it: ffmpeg -i OLD NEW.flac"
_SLACK = 16
"""Bytes by which encoders get a length wrong."""


@dataclass(frozen=True)
class Unread:
    """What a decoder did not read.

    Parameters
    ----------
    reason : str
        Reason for the message "damaged (…)".
    advice : str
        What the user can do.
    """

    reason: str
    advice: str = "copy or record it again"


def unread(path: Path, size: int) -> Unread | None:
    """Return what a decoder does not read of a file of ``size`` bytes; None if it reads all.

    Parameters
    ----------
    path : Path
        A recording that was decoded to its apparent end.
    size : int
        Its length in bytes.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic == b"OggS":
            return _ogg(file, size)
        if magic == _FLAC_START:
            return _flac(file)
        if magic[:3] == b"ID3" or (magic[:1] == b"\xff" and magic[1:2] >= b"\xe0"):
            return _mp3(file, size)
    layout = read_layout(path, size)
    if layout is None:
        return None
    if layout.missing:
        return _missing(layout.missing)
    if layout.hidden and not layout.unfinished:
        return Unread(
            f"{layout.hidden} bytes lie behind what the header says",
            "to read all of it: ffmpeg -ignore_length 1 -i OLD NEW.flac",
        )
    return None


def _parts(count: int) -> Unread:
    return Unread(f"only the first of {count} parts was used", _JOINED)


def _missing(count: int) -> Unread:
    return Unread(f"{count} bytes that the header promises are missing")


def _ogg(file: BinaryIO, size: int) -> Unread | None:
    """Check the pages: each part begins with marked pages, and each of its streams must end."""
    parts, beginning = 0, False
    open_streams: set[bytes] = set()
    while header := file.read(27):
        if header[:4] != b"OggS"[: len(header)]:
            return None  # tags behind the audio, or damage, which the decoder has met
        table = file.read(header[26]) if len(header) == 27 else b""
        if len(header) < 27 or len(table) < header[26] or file.seek(sum(table), 1) > size:
            return Unread("the last page is truncated")
        flags, stream = header[5], header[14:18]
        begins = bool(flags & _OGG_BEGINS)
        if begins and not beginning:
            parts += 1
            open_streams.clear()
        beginning = begins
        open_streams |= {stream}
        if flags & _OGG_ENDS:
            open_streams.discard(stream)
    if parts > 1:
        return _parts(parts)
    return Unread("the end of the stream is missing") if open_streams else None


def _flac(file: BinaryIO) -> Unread | None:
    """Count the stream headers: marker, then a STREAMINFO block of 34 bytes."""
    parts = 1
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(_FLAC_START, 4)
        while at >= 0:
            parts += content[at + 4 : at + 8] in _FLAC_STREAMINFO
            at = content.find(_FLAC_START, at + 4)
    return _parts(parts) if parts > 1 else None


def _mp3(file: BinaryIO, size: int) -> Unread | None:
    """Compare the length in the encoder's header with the file."""
    start = 0
    head = file.read(10)
    if head[:3] == b"ID3" and len(head) == 10:
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    file.seek(start)
    frame = file.read(64)
    end = start + _mp3_length(frame)
    if end == start:
        return None
    if end > size + _SLACK:
        return _missing(end - size)
    file.seek(end)
    behind = file.read(3)
    if behind == b"ID3" or (behind[:1] == b"\xff" and behind[1:2] >= b"\xe0"):
        return Unread(f"{size - end} bytes of another part lie behind what the header says", _JOINED)
    return None


def _mp3_length(frame: bytes) -> int:
    """Return the bytes of audio stated in a Xing or Info header; 0 without one."""
    if len(frame) < 56 or frame[0] != 0xFF:
        return 0
    version_1, mono = frame[1] & 0x18 == 0x18, frame[3] >> 6 == 3
    at = 4 + ((17 if mono else 32) if version_1 else (9 if mono else 17))
    flags = frame[at + 7]
    if frame[at : at + 4] not in (b"Xing", b"Info") or not flags & 2:
        return 0
    at += 12 if flags & 1 else 8
    return int.from_bytes(frame[at : at + 4], "big")
