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

    Known limit: a writer that stalls in the middle of a frame and goes on after the source
    was opened again is out of step, and heard as noise.

    Parameters
    ----------
    stream : has a file descriptor; stays open
    rate, channels, sample_format : what the writer writes; nobody can check it
    buffer_s : seconds kept while nobody reads
    stall_s, silence_s : seconds without audio, and of exact zeros, after which it is lost
    stop : ends :meth:`blocks` within a tenth of a second

    Raises
    ------
    AudioError : the stream is a terminal
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
        """Always 0: the writer alone knows."""
        self._patience = Patience(stall_s, silence_s)
        self._stop = stop
        self._reader = PcmReader(stream.fileno(), PcmFormat(rate, channels, sample_format), buffer_s)

    @property
    def dropped(self) -> int:
        """Samples of each channel that were lost because nobody read in time."""
        return self._reader.ring.dropped

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield audio until its end, or until ``stop`` is set.

        Raises
        ------
        SourceLost : the writer stalls or writes digital silence
        """
        try:
            yield from live_blocks(self._reader.ring, self.rate, self._patience, self._stop)
        except SourceLost:
            if self._reader.ring.ended is None:
                raise

    def close(self) -> None:
        """Stop reading."""
        self._reader.close()
