"""Raw PCM on standard input: ``arecord -t raw -f S16_LE -r 16000 | sound-monitor run --source -``."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import BinaryIO

from monitor.errors import AudioError
from monitor.records import AudioBlock
from monitor.sources.base import SourceLost
from monitor.sources.live import Patience, live_blocks
from monitor.sources.pcm import PcmFormat, PcmReader, SampleFormat


class RawInput:
    """Interleaved samples without a header; a :class:`~monitor.sources.base.LiveSource` that may end.

    Known limit: if a writer stalls within a frame and continues after the source was reopened, its
    samples are misaligned and become noise.

    Parameters
    ----------
    stream : BinaryIO
        Stream with a file descriptor; it is not closed.
    rate, channels, sample_format
        Format of the samples; it cannot be verified.
    buffer_s : float
        Seconds that the buffer holds.
    stall_s, silence_s : float
        Seconds without audio, and of exact zeros, after which the source counts as lost.
    stop : threading.Event
        Ends :meth:`blocks` within a tenth of a second.

    Raises
    ------
    AudioError
        If the stream is a terminal.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        rate: int,
        channels: int,
        sample_format: SampleFormat,
        buffer_s: float,
        stall_s: float,
        silence_s: float,
        stop: threading.Event,
    ) -> None:
        self.name = "standard input"
        if os.isatty(stream.fileno()):
            raise AudioError(
                "standard input is a terminal; pipe raw PCM into it: "
                f"arecord -t raw -f S16_LE -r {rate} -c {channels} | sound-monitor run --source -"
            )
        self.rate = rate
        self.overflows = 0
        """Always 0: only the writer knows."""
        self._patience = Patience(stall_s, silence_s)
        self._stop = stop
        self._reader = PcmReader(stream.fileno(), PcmFormat(rate, channels, sample_format), buffer_s)

    @property
    def dropped(self) -> int:
        """Number of samples of each channel dropped because the reader was too slow."""
        return self._reader.ring.dropped

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield audio until its end, or until ``stop`` is set.

        Raises
        ------
        SourceLost
            If the writer stalls or writes digital silence.
        """
        try:
            yield from live_blocks(self._reader.ring, self.rate, self._patience, self._stop)
        except SourceLost:
            if self._reader.ring.ended is None:
                raise

    def close(self) -> None:
        """Stop reading."""
        self._reader.close()
