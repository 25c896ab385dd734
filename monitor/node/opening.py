"""Which class opens the configured source."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from monitor.config.listening import Audio
from monitor.errors import AudioError, ConfigError
from monitor.sources.base import LiveSource
from monitor.sources.url import masked


def source_opener(
    audio: Audio, rate: int, stop: threading.Event, *, alone: bool = True
) -> Callable[[], LiveSource]:
    """Return a function that opens the configured source afresh on each call.

    Parameters
    ----------
    rate : int
        Sample rate of the model, Hz. ffmpeg delivers exactly this rate, a microphone at least
        this rate if it can.
    alone : bool
        Whether this is the only source of the process; one of several microphones needs a process of its own.

    Raises
    ------
    ConfigError
        The source is not the microphone, "-" or a URL; or it is a Wyoming microphone that is not allowed.
    """
    limits = {"buffer_s": audio.buffer_s, "stall_s": audio.stall_s, "silence_s": audio.silence_s}
    if audio.source == "microphone":
        from monitor.sources.capture import CapturedMicrophone
        from monitor.sources.microphone import Microphone

        opened = Microphone if alone else CapturedMicrophone
        return lambda: opened(audio.device, model_rate=rate, **limits, stop=stop)
    if audio.source == "-":
        from monitor.sources.raw import RawInput

        return lambda: RawInput(
            _standard_input(),
            rate=audio.raw_rate,
            channels=audio.raw_channels,
            sample_format=audio.raw_format,
            **limits,
            stop=stop,
        )
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", audio.source):
        raise ConfigError(f"audio.source is {audio.source!r}: write microphone, - (standard input) or a URL")
    if audio.source.lower().startswith("wyoming:"):
        try:
            from monitor.sources.wyoming import WyomingMicrophone, wyoming_address
        except ImportError as error:
            raise ConfigError(
                f"audio.source {masked(audio.source)}: needs wyoming; pip install wyoming"
            ) from error
        host, port = wyoming_address(audio.source, audio.wyoming_hosts)
        return lambda: WyomingMicrophone(host, port, **limits, stop=stop)
    from monitor.sources.ffmpeg import FfmpegSource

    return lambda: FfmpegSource(audio.source, rate=rate, **limits, stop=stop)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise AudioError("standard input is closed; pipe raw PCM into it")
    return sys.stdin.buffer
