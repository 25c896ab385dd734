"""One of several microphones, in a process of its own.

PortAudio fixes its list of devices when it starts, and a restart ends the streams of all microphones in its
process; a stream that hangs in it would hold up the others too. So with several sources, each microphone has
a process, which is killed and started anew when its device is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from monitor.errors import AudioError
from monitor.records import AudioBlock
from monitor.sources.base import SourceLost
from monitor.sources.child import PcmProcess
from monitor.sources.live import Patience, live_blocks
from monitor.sources.microphone import Microphone
from monitor.sources.pcm import PcmFormat

_PROGRAM = "import monitor.sources.capture as c; c.capture()"
_START_S = 20.0
"""A cold start of Python and of a sound server takes seconds on a slow board."""
_END_S = 2.0
_FOREVER_S = 1e9


class CapturedMicrophone:
    """A microphone behind a process; a :class:`~monitor.sources.base.LiveSource`.

    Parameters
    ----------
    device, model_rate, buffer_s, stall_s, silence_s, stop
        As for :class:`~monitor.sources.microphone.Microphone`.

    Raises
    ------
    AudioError
        The device cannot be opened.
    """

    def __init__(
        self,
        device: str | int | None,
        *,
        model_rate: int,
        buffer_s: float,
        stall_s: float,
        silence_s: float,
        stop: threading.Event,
    ) -> None:
        self.overflows = 0
        """Number of losses that the driver reported; it does not report their length."""
        self._error = "the process of the microphone ended"
        self._patience = Patience(stall_s, silence_s)
        self._stop = stop
        wanted = json.dumps({"device": device, "model_rate": model_rate, "buffer_s": buffer_s})
        self._process = PcmProcess((sys.executable, "-c", _PROGRAM, wanted), self._on_line)
        try:
            opened = self._process.first_line(_START_S, stop)
            if opened is None:
                self._process.wait_for_words(_END_S)
                raise AudioError(self._error)
            about = json.loads(opened)
            self.name, self.rate = about["name"], about["rate"]
            pcm = PcmFormat(self.rate, about["channels"], "f32le")
            self._ring = self._process.start_reading(pcm, buffer_s)
        except BaseException:
            self.close()
            raise

    @property
    def dropped(self) -> int:
        """Number of samples of each channel dropped because the reader was too slow."""
        return self._ring.dropped

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield blocks until ``stop`` is set; see :meth:`Source.blocks`."""
        try:
            yield from live_blocks(self._ring, self.rate, self._patience, self._stop)
        except SourceLost as lost:
            if self._ring.ended is None:
                raise
            self._process.wait_for_words(_END_S)
            raise type(lost)(self._error) from lost

    def close(self) -> None:
        """Kill the process, and with it PortAudio, whatever state it is in."""
        self._process.close()

    def _on_line(self, line: str) -> None:
        # Other lines are PortAudio's and the sound server's own.
        if line.startswith("{"):
            words = json.loads(line)
            self.overflows = words.get("overflows", self.overflows)
            self._error = words.get("error", self._error)


def capture() -> None:
    """Write a line about the microphone, then its PCM, until it is lost; run in the child."""
    wanted = json.loads(sys.argv[1])
    with contextlib.suppress(BrokenPipeError):
        try:
            # It does not judge what it hears: the reader of the PCM does.
            _write(Microphone(**wanted, stall_s=_FOREVER_S, silence_s=_FOREVER_S, stop=threading.Event()))
        except AudioError as error:
            _tell({"error": str(error)})
    # Neither a hanging PortAudio nor a pipe without a reader may hold up the end.
    os._exit(0)


def _write(microphone: Microphone) -> None:
    output, expected, overflows = sys.stdout.buffer, 0, 0
    for block in microphone.blocks():
        if expected == 0:
            channels = 1 if block.samples.ndim == 1 else block.samples.shape[1]
            about = {"name": microphone.name, "rate": microphone.rate, "channels": channels}
            output.write(f"{json.dumps(about)}\n".encode())
        # Audio is missing where the monitor stood still for as long as the buffer lasts.
        lost = microphone.overflows + (block.position != expected)
        expected = block.position + len(block.samples)
        output.write(block.samples.astype("<f4").tobytes())
        output.flush()
        if lost > overflows:
            overflows = lost
            _tell({"overflows": overflows})


def _tell(words: dict[str, Any]) -> None:
    sys.stderr.write(f"{json.dumps(words)}\n")
    sys.stderr.flush()
