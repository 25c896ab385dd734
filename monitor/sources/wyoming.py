"""A microphone served over Wyoming, the protocol of voice satellites; the only file that imports wyoming.

A microphone service (wyoming-mic-external, go2rtc) listens, and sends audio to each client that connects.
A satellite is such a client and this source is another, so that one microphone serves voice and sounds.

Wyoming has no authentication: only this machine and hosts that the config names are connected to. Nothing
that a peer sends is trusted: headers, payloads and formats have limits, and what exceeds them ends the
connection.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from wyoming.event import Event, read_event

from monitor.errors import AudioError, ConfigError
from monitor.records import AudioBlock
from monitor.sources.base import SourceLost
from monitor.sources.live import Patience, live_blocks
from monitor.sources.pcm import PacedWriter, PcmFormat, SampleFormat
from monitor.sources.ring import CaptureRing
from monitor.sources.url import masked

_CONNECT_S = 5.0
_START_S = 10.0
"""Time for a service to start its microphone and to say its format."""
_POLL_S = 0.1
_MOST_HEADER = 1 << 16
_MOST_PAYLOAD = 1 << 20
"""Largest header and payload, bytes; a service sends a tenth of a second at a time."""
_RECEIVED = 1 << 16
_FORMATS: dict[int, SampleFormat] = {2: "s16le", 4: "s32le"}
_RATES, _CHANNELS = range(8000, 96001), range(1, 9)
"""What a microphone may declare: the buffer is made for it."""
_NOT_WYOMING = "what answers there does not speak Wyoming"


def wyoming_address(url: str, hosts: Sequence[str]) -> tuple[str, int]:
    """Return host and port of a Wyoming URL.

    Parameters
    ----------
    hosts : sequence of str
        Hosts, as written in the URL, that may be connected to beside this machine.

    Raises
    ------
    ConfigError
        Host or port is missing, or the host is not allowed.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise ConfigError(
            f"audio.source {masked(url)}: write wyoming://HOST:PORT, for example wyoming://localhost:10600"
        )
    if not _is_loopback(host) and host not in [allowed.lower() for allowed in hosts]:
        raise ConfigError(
            f"audio.source {masked(url)}: Wyoming has no authentication; if the network is trusted, "
            f"add {host} to audio.wyoming_hosts"
        )
    return host, port


class WyomingMicrophone:
    """A client of a microphone service; a :class:`~monitor.sources.base.LiveSource`.

    Parameters
    ----------
    host, port
        See :func:`wyoming_address`.
    buffer_s : float
        Seconds that the buffer holds; when it is full, the oldest audio is dropped.
    stall_s, silence_s : float
        Seconds without audio, and of exact zeros, after which the source counts as lost.
    stop : threading.Event
        Ends :meth:`blocks` within a tenth of a second.

    Raises
    ------
    AudioError
        Nothing listens there, or it sends no audio of a supported format.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        buffer_s: float,
        stall_s: float,
        silence_s: float,
        stop: threading.Event,
    ) -> None:
        self.name = f"wyoming://{f'[{host}]' if ':' in host else host}:{port}"
        self.overflows = 0
        """Always 0: the protocol does not report losses."""
        self._buffer_s = buffer_s
        self._patience = Patience(stall_s, silence_s)
        self._stop = stop
        self._closing = threading.Event()
        self._begun = threading.Condition()
        self._pcm: PcmFormat | None = None
        self._error: str | None = None
        try:
            self._connection = socket.create_connection((host, port), _CONNECT_S)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise AudioError(f"{self.name}: cannot be connected to ({reason})") from error
        self._connection.settimeout(None)
        self._thread = threading.Thread(target=self._read, name="wyoming", daemon=True)
        self._thread.start()
        self._wait_for_audio()

    @property
    def dropped(self) -> int:
        """Number of samples of each channel dropped because the reader was too slow."""
        return self._ring.dropped

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield audio as it arrives, until ``stop`` is set; see :meth:`Source.blocks`."""
        yield from live_blocks(self._ring, self.rate, self._patience, self._stop)

    def close(self) -> None:
        """Disconnect."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()

    def _wait_for_audio(self) -> None:
        deadline = time.monotonic() + _START_S
        with self._begun:
            while self._pcm is None and self._error is None:
                if self._stop.is_set() or time.monotonic() > deadline:
                    self._error = f"no audio for {_START_S:.0f} s"
                self._begun.wait(_POLL_S)
        if self._pcm is None:
            self.close()
            raise AudioError(f"{self.name}: {self._error}")

    def _read(self) -> None:
        """Take events until the connection ends; runs in a thread."""
        try:
            for event in _events(self._connection):
                self._take(event)
        except SourceLost as lost:
            with self._begun:
                self._error = self._error or str(lost)
                if self._pcm is not None:
                    self._ring.end(str(lost))
                self._begun.notify_all()

    def _take(self, event: Event) -> None:
        if event.type == "audio-stop":
            raise SourceLost("the microphone service stopped its audio")
        if event.type not in ("audio-start", "audio-chunk"):
            return
        pcm = _format(event)
        if self._pcm is None:
            self._begin(pcm)
        elif pcm != self._pcm:
            raise SourceLost("the microphone service changed its format")
        if event.payload and event.type == "audio-chunk":
            if len(event.payload) % pcm.frame_bytes:
                raise SourceLost("the microphone service sent part of a sample")
            self._writer.write(pcm.decode(event.payload))

    def _begin(self, pcm: PcmFormat) -> None:
        with self._begun:
            self.rate = pcm.rate
            self._ring = CaptureRing(max(1, round(self._buffer_s * pcm.rate)), pcm.channels, pcm.rate)
            self._writer = PacedWriter(self._ring, pcm.rate, self._closing)
            self._pcm = pcm
            self._begun.notify_all()


class _BoundedReader:
    """What the package needs of a file, over a socket; refuses what is too large for an event with audio."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()

    def readline(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > _MOST_HEADER:
                raise SourceLost(f"{_NOT_WYOMING}: a header of more than {_MOST_HEADER >> 10} KiB")
            self._receive()
        return self._taken(end + 1)

    def read(self, size: int) -> bytes:
        if type(size) is not int or not 0 <= size <= _MOST_PAYLOAD:
            raise SourceLost(f"{_NOT_WYOMING}: an event of no size or of more than {_MOST_PAYLOAD >> 20} MiB")
        while len(self._received) < size:
            self._receive()
        return self._taken(size)

    def _receive(self) -> None:
        try:
            data = self._connection.recv(_RECEIVED)
        except OSError as error:
            raise SourceLost(f"the connection broke ({os.strerror(error.errno or 0)})") from error
        if not data:
            raise SourceLost("the microphone service closed the connection")
        self._received += data

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken


def _events(connection: socket.socket) -> Iterator[Event]:
    """Yield what a peer sends.

    Raises
    ------
    SourceLost
        The connection ended, or what came is no event.
    """
    reader = cast(BinaryIO, _BoundedReader(connection))
    while True:
        try:
            event = read_event(reader)
        except (AttributeError, KeyError, TypeError, RecursionError) as error:
            raise SourceLost(_NOT_WYOMING) from error
        if event is None:
            raise SourceLost(_NOT_WYOMING)
        yield event


def _format(event: Event) -> PcmFormat:
    data = event.data if isinstance(event.data, dict) else {}
    rate, width, channels = (_whole(data.get(key)) for key in ("rate", "width", "channels"))
    if rate not in _RATES or width not in _FORMATS or channels not in _CHANNELS:
        raise SourceLost(
            "the microphone service sends another format than 8 to 96 kHz, 16 or 32 bits, 1 to 8 channels"
        )
    return PcmFormat(rate, channels, _FORMATS[width])


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
