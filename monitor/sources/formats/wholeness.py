"""Check whether a decoder that reached its end has read the whole file.

libsndfile ends silently after the first of several concatenated recordings (``cat a.ogg b.ogg``, the
titles of an internet radio), and where an Ogg or MP3 file is truncated. These checks read only headers.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from monitor.sources.formats.mp3 import count_samples
from monitor.sources.formats.wav import TRAILER, read_layout

_FLAC_START = b"fLaC"
_FLAC_STREAMINFO = (b"\x00\x00\x00\x22", b"\x80\x00\x00\x22")
_STARTS = (b"ID3", b"fLaC", b"OggS", b"RIFF")
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


def unread(path: Path, size: int, frames: int) -> Unread | None:
    """Return what a decoder does not read of a file of ``size`` bytes; None if it reads all.

    Parameters
    ----------
    path : Path
        A recording that was decoded to its apparent end.
    size : int
        Its length in bytes.
    frames : int
        Number of frames that the decoder returned.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic == b"OggS":
            return _ogg(file, size)
        if magic == _FLAC_START:
            return _flac(file)
        if magic[:3] == b"ID3" or (magic[:1] == b"\xff" and magic[1:2] >= b"\xe0"):
            return _mp3(file, size, frames)
        if end := _declared_end(file, size):
            return _missing(end - size) if end > size else _behind(size - end)
    layout = read_layout(path, size)
    if layout is None:
        return None
    if layout.missing:
        return _missing(layout.missing)
    if layout.hidden and not layout.unfinished:
        return _behind(layout.hidden, "to read all of it: ffmpeg -ignore_length 1 -i OLD NEW.flac")
    return None


def _behind(count: int, advice: str = _JOINED) -> Unread:
    return Unread(f"{count} bytes lie behind what the header says", advice)


def _declared_end(file: BinaryIO, size: int) -> int:
    """Return where an AIFF, AU, CAF or W64 file ends by its header if that is elsewhere; else 0."""
    head, end = file.read(24), 0
    if head[:4] == b"FORM":
        end = 8 + int.from_bytes(head[4:8], "big")
    elif head[:4] == b".snd" and head[8:12] != b"\xff" * 4:
        end = int.from_bytes(head[4:8], "big") + int.from_bytes(head[8:12], "big")
    elif head[:4] == b"riff":
        end = int.from_bytes(head[16:24], "little")
    elif head[:4] == b"caff":
        end = _caf_end(file, size)
    # A length of 0 is that of a pipe or a crashed recorder; libsndfile then reads to the end, but for AU.
    unstated = end <= 8 or end >= 1 << 62
    return 0 if unstated or -_SLACK <= size - end < TRAILER else end


def _caf_end(file: BinaryIO, size: int) -> int:
    """Walk the chunks up to the end of the file or to another file behind this one."""
    position = 8
    while position + 12 <= size:
        file.seek(position)
        name, length = struct.unpack(">4sq", file.read(12))
        if name == b"caff":
            return position
        if length < 0:
            return 0  # to the end of the file
        position += 12 + length
    return position


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


def _mp3(file: BinaryIO, size: int, frames: int) -> Unread | None:
    """Compare the length in the encoder's header with the file, without one its frames with those read."""
    start = 0
    head = file.read(10)
    if head[:3] == b"ID3" and len(head) == 10:
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    file.seek(start)
    frame = file.read(64)
    end = start + _mp3_length(frame)
    if end == start:
        return _mp3_rest(file, start, frames)
    if end > size + _SLACK:
        return _missing(end - size)
    file.seek(end)
    behind = file.read(4)
    if behind.startswith(_STARTS) or (behind[:1] == b"\xff" and behind[1:2] >= b"\xe0"):
        return Unread(f"{size - end} bytes of another part lie behind what the header says", _JOINED)
    return None


def _mp3_rest(file: BinaryIO, start: int, frames: int) -> Unread | None:
    """Without a header, libsndfile estimates the length from the first bit rate, and stops there."""
    samples, rate = count_samples(file, start)
    if samples - frames < rate:
        return None
    return Unread(f"{(samples - frames) / rate:.1f} s lie behind the length that was estimated", _JOINED)


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
