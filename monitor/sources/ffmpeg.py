"""Any input of ffmpeg: cameras (RTSP), radio streams, files in other formats."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from monitor.errors import AudioError
from monitor.records import AudioBlock
from monitor.sources.base import SourceLost, SourceUnusable
from monitor.sources.child import PcmProcess
from monitor.sources.live import Patience, live_blocks
from monitor.sources.pcm import PcmFormat
from monitor.sources.url import masked, without_secrets

_START_S = 20.0
"""Time for a sleeping camera to wake and for ffmpeg to probe the first five seconds."""
_NO_PROTOCOL = "Protocol not found"
_END_S = 2.0
"""Time to wait for ffmpeg's final messages after its audio ended."""


def ffmpeg_command(url: str, rate: int) -> tuple[str, ...]:
    """Return the command that decodes a URL to mono s16le on standard output."""
    # TCP: most cameras lose packets over UDP. Audio only: video is a hundred times as much data.
    rtsp = (
        ("-rtsp_transport", "tcp", "-allowed_media_types", "audio")
        if _scheme(url) in ("rtsp", "rtsps")
        else ()
    )
    # No "-fflags nobuffer": it throws away the seconds that ffmpeg looks at first. Nor does the delay
    # need it: what waited then is read at once, and later packets are handed on as they come.
    quiet = ("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error")
    output = ("-map", "0:a:0", "-ac", "1", "-ar", str(rate), "-f", "s16le", "-flush_packets", "1", "pipe:1")
    return (*quiet, *rtsp, "-i", url, *output)


class FfmpegSource:
    """A URL through an ffmpeg process; a :class:`~monitor.sources.base.LiveSource`.

    A password in the URL is never logged; while ffmpeg runs, other users of this machine can
    see it in the list of processes.

    Parameters
    ----------
    url : str
        Input as given to ``ffmpeg -i``.
    rate : int
        Sample rate to deliver, Hz; ffmpeg resamples and mixes to mono.
    buffer_s : float
        Seconds that the buffer holds; when it is full, the oldest audio is dropped.
    stall_s, silence_s : float
        Seconds without audio, and of exact zeros, after which the source counts as lost.
    stop : threading.Event
        Ends :meth:`blocks` within a tenth of a second.

    Raises
    ------
    AudioError
        If ffmpeg is not installed.
    SourceUnusable
        If the URL holds a NUL character.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: int,
        buffer_s: float,
        stall_s: float,
        silence_s: float,
        stop: threading.Event,
    ) -> None:
        self.name = masked(url)
        self._url = url
        self.rate = rate
        self.overflows = 0
        """Always 0: ffmpeg does not report losses."""
        self._patience = Patience(stall_s, silence_s, _START_S)
        self._stop = stop
        self._last_words = ""
        self._no_protocol = False
        if "\0" in url:
            raise SourceUnusable(f"audio.source {self.name!r}: a URL holds no NUL character; correct it")
        try:
            self._process = PcmProcess(ffmpeg_command(url, rate), self._on_line)
        except FileNotFoundError as error:
            raise AudioError(
                f"{self.name}: needs ffmpeg, which is missing; install it with: sudo apt install ffmpeg"
            ) from error
        self._ring = self._process.start_reading(PcmFormat(rate, 1, "s16le"), buffer_s)

    @property
    def dropped(self) -> int:
        """Number of samples dropped because the reader was too slow."""
        return self._ring.dropped

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield audio as it arrives, until ``stop`` is set.

        Raises
        ------
        SourceLost
            If ffmpeg ended, stalls or delivers digital silence; the message quotes its last line.
        SourceUnusable
            If this ffmpeg does not know the protocol of the URL.
        """
        try:
            yield from live_blocks(self._ring, self.rate, self._patience, self._stop)
        except SourceLost as lost:
            if self._ring.ended is not None:
                self._process.wait_for_words(_END_S)
            if self._no_protocol:
                raise SourceUnusable(
                    f"audio.source {self.name}: ffmpeg does not know the protocol {_scheme(self.name)!r}; "
                    "write rtsp://, http:// or another (ffmpeg -protocols lists them)"
                ) from lost
            words = f": {self._last_words}" if self._last_words else ""
            raise type(lost)(f"{lost}{words}") from lost

    def close(self) -> None:
        """Kill ffmpeg and wait for it to exit."""
        self._process.close()

    def _on_line(self, line: str) -> None:
        words = without_secrets(line, self._url)
        self._no_protocol |= words.endswith(_NO_PROTOCOL)
        self._last_words = words or self._last_words


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()
