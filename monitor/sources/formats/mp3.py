"""Count the samples of an MP3 file by walking its frames, without decoding."""

from __future__ import annotations

import mmap
from typing import BinaryIO

_RATES_1 = (44100, 48000, 32000)
_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_DIVISOR = {3: 1, 2: 2, 0: 4}
"""Of the sample rate, by the version bits: MPEG 1, 2 and 2.5."""
_LAYER_3 = 1


def count_samples(file: BinaryIO, start: int) -> tuple[int, int]:
    """Return the samples of one channel and the rate of the first frame, Hz; (0, 1) if it is not layer III.

    Ends at the first bytes from ``start`` on that are no frame.
    """
    samples, first_rate = 0, 1
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        while (frame := _frame(content[start : start + 4])) is not None:
            length, count, rate = frame
            if start + length > len(content):
                break
            first_rate = rate if not samples else first_rate
            samples += count
            start += length
    return samples, first_rate


def _frame(head: bytes) -> tuple[int, int, int] | None:
    """Return length in bytes, samples and rate of the frame with this header; None if it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bits, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version not in _DIVISOR or layer != _LAYER_3 or bits in (0, 15) or rate == 3:
        return None
    hz = _RATES_1[rate] // _DIVISOR[version]
    count, kbits = (1152, _KBITS_1[bits]) if version == 3 else (576, _KBITS_2[bits])
    return count // 8 * 1000 * kbits // hz + padding, count, hz
