"""The microphone, through PortAudio; the only file that imports sounddevice.

How PortAudio behaves when a device disappears, and how this module responds:

- A stream that ends calls ``finished_callback``; no exception is raised.
- A stream that stalls reports nothing, and ``stop()`` hangs on it: the age of the last audio is
  watched (:mod:`monitor.health.liveness`), and streams are aborted, never stopped.
- ``abort()`` may hang too, if a PulseAudio server dies while PortAudio holds some of its shared
  memory: libpulse then waits for a lock it holds itself. So a thread closes the stream, and is
  abandoned if that takes too long.
- The list of devices is fixed when PortAudio starts. A :class:`Microphone` restarts it to see a
  device that has come back, so there can be only one in a process.
- Each start leaks a few kilobytes, and a missing device may be looked for over months: a child
  process looks, and PortAudio restarts only when the device is present.
- PortAudio cannot terminate while an abandoned stream exists. Until then the old list is used; if
  it lacks the device, only a new process helps: :class:`DriverStuck`.

PortAudio prints its own "Expression … failed" to stderr from C; :mod:`monitor.cli.quiet` keeps that out of
the terminal.
"""

from __future__ import annotations

import atexit
import dataclasses
import gc
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

from monitor.errors import AudioError
from monitor.records import AudioBlock
from monitor.sources.base import DriverStuck, SourceSilent
from monitor.sources.devices import Device, DeviceNotFound, capture_rates, choose_device
from monitor.sources.live import Patience, live_blocks
from monitor.sources.ring import CaptureRing

log = logging.getLogger(__name__)

_CALLBACK_S = 0.02
"""Block length requested from the driver; by default it may call back a thousand times a second."""
_START_S = 5.0
"""A sound server takes up to two seconds to wake a suspended device."""
_CLOSE_S = 2.0
"""Closing a stream normally takes a few milliseconds."""
_POLL_S = 0.1
_LOOK_S = 15.0
"""Limit for a process that lists the devices; a cold start of Python takes seconds on a slow board."""
_STUCK = "PortAudio still hangs while closing an earlier stream; restart sound-monitor"
_NOTHING_TO_TRY = (-9997, -9998)
"""paInvalidSampleRate and paInvalidChannelCount: other parameters may be accepted."""


def list_devices() -> tuple[Device, ...]:
    """Return the microphones that PortAudio knows.

    The list dates from the start of PortAudio in this process.

    Raises
    ------
    AudioError
        If the PortAudio library is missing.
    """
    return _inputs(_driver.load())


def print_devices() -> None:
    """Print :func:`list_devices` as JSON."""
    print(json.dumps([dataclasses.asdict(device) for device in list_devices()]))


class Microphone:
    """An open microphone; a :class:`~monitor.sources.base.LiveSource`.

    Parameters
    ----------
    device : str or int or None
        Index, name or part of the name; None for the default.
    model_rate : int
        Sample rate of the model, Hz; the device is opened at this rate or above if possible.
    buffer_s : float
        Seconds that the buffer holds; when it is full, the oldest audio is dropped.
    stall_s, silence_s : float
        Seconds without audio, and of exact zeros, after which the source counts as lost.
    stop : threading.Event
        Ends :meth:`blocks` within a tenth of a second.

    Raises
    ------
    DeviceNotFound
        See :func:`choose_device`.
    AudioError
        If PortAudio is missing or the device cannot be opened.
    DriverStuck
        If an earlier stream still hangs in PortAudio.
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
        portaudio, chosen = _driver.find(device, stop)
        self.name = chosen.name
        self.overflows = 0
        """Number of losses that the driver reported; it does not report their length."""
        self._model_rate = model_rate
        self._patience = Patience(stall_s, silence_s, _START_S)
        self._stop = stop
        self._stream = self._open(portaudio, chosen, buffer_s)
        try:
            self._stream.start()
        except portaudio.PortAudioError as error:
            self.close()
            raise _driver.refused(chosen, error) from error

    @property
    def dropped(self) -> int:
        """Number of samples of each channel dropped because the reader was too slow."""
        return self._ring.dropped

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield blocks of at most half a second until ``stop`` is set; see :meth:`Source.blocks`."""
        try:
            yield from live_blocks(self._ring, self.rate, self._patience, self._stop)
        except SourceSilent:
            _driver.up_to_date = True  # the device is there
            raise

    def close(self) -> None:
        """Release the device; a stream that does not close within two seconds is abandoned."""
        stream, self._stream = self._stream, None
        if stream is not None:
            _driver.close(stream, self.name)
            # A sounddevice stream refers to itself and keeps this object and the ring alive.
            del stream
            gc.collect()

    def _open(self, portaudio: Any, device: Device, buffer_s: float) -> Any:
        """Open at the first accepted rate, see :func:`capture_rates`, with at most two channels."""
        refusal: Any = None
        rates = capture_rates(self._model_rate, round(device.default_rate))
        # Some microphone arrays can be opened only with all of their channels.
        channels = dict.fromkeys((min(2, device.max_inputs), device.max_inputs))
        for self.rate, count in product(rates, channels):
            self._ring = CaptureRing(max(1, round(buffer_s * self.rate)), count, self.rate)
            try:
                return portaudio.InputStream(
                    device=device.index,
                    samplerate=self.rate,
                    channels=count,
                    dtype="float32",
                    blocksize=round(_CALLBACK_S * self.rate),
                    callback=self._on_audio,
                    finished_callback=self._on_end,
                )
            except portaudio.PortAudioError as error:
                refusal = refusal or error
                if error.args[1:2] and error.args[1] not in _NOTHING_TO_TRY:
                    break
        raise _driver.refused(device, refusal) from refusal

    def _on_audio(self, frames: Any, count: int, time_info: Any, status: Any) -> None:
        """Copy and count the audio; runs in PortAudio's thread."""
        if status.input_overflow:
            self.overflows += 1
        self._ring.write(frames, time.monotonic())

    def _on_end(self) -> None:
        self._ring.end("the device ended the stream")


class _Driver:
    """PortAudio in this process; a singleton like PortAudio itself."""

    def __init__(self) -> None:
        self._closing: list[threading.Thread] = []  # those that hang while closing
        self.up_to_date = False
        """Whether the list of devices is known to be current."""

    @property
    def stuck(self) -> bool:
        """Whether an abandoned stream still hangs; a sound server that resumes frees it."""
        self._closing = [closing for closing in self._closing if closing.is_alive()]
        return bool(self._closing)

    def load(self) -> Any:
        """Return the sounddevice module; loading it starts PortAudio."""
        try:
            import sounddevice
        except OSError as error:
            raise AudioError(
                "the PortAudio library is missing; install it with: sudo apt install libportaudio2"
            ) from error
        # Our streams are closed already; Pa_Terminate at exit would wait for an abandoned one.
        atexit.unregister(sounddevice._exit_handler)
        return sounddevice

    def find(self, wanted: str | int | None, stop: threading.Event) -> tuple[Any, Device]:
        """Return the sounddevice module and the device, after refreshing PortAudio's list if needed."""
        known = "sounddevice" in sys.modules
        portaudio = self.load()
        if known and not self.up_to_date:
            choose_device(_devices_now(stop), wanted)
            if not self.stuck:
                _restart(portaudio)
        self.up_to_date = False
        try:
            return portaudio, choose_device(_inputs(portaudio), wanted)
        except DeviceNotFound as error:
            if self.stuck:
                raise DriverStuck(f"{error}; {_STUCK}") from error
            raise

    def close(self, stream: Any, name: str) -> None:
        """Close the stream, or abandon it if that hangs."""

        def close() -> None:
            stream.abort()
            stream.close()

        # The thread keeps the stream alive: PortAudio may still call back into it.
        closing = threading.Thread(target=close, name="portaudio close", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)
        if closing.is_alive():
            log.warning("microphone %r: PortAudio hangs while closing it; the stream is abandoned", name)
            self._closing.append(closing)

    def refused(self, device: Device, error: Any) -> AudioError:
        what = f"microphone {device.name!r}: cannot be opened ({error.args[0] if error.args else error})"
        if self.stuck:
            return DriverStuck(f"{what}; {_STUCK}")
        return AudioError(
            f"{what}; is another program using it? "
            "choose another with audio.device (sound-monitor devices lists them)"
        )


_driver = _Driver()


def _restart(portaudio: Any) -> None:
    # There is no public API for this (python-sounddevice issues 382, 493).
    while portaudio._initialized:
        portaudio._terminate()
    try:
        portaudio._initialize()
    except portaudio.PortAudioError as error:
        raise AudioError(f"PortAudio does not start ({error}); check the sound server") from error


def _devices_now(stop: threading.Event) -> tuple[Device, ...]:
    """Return the devices that a new process finds."""
    program = "import monitor.sources.microphone as m; m.print_devices()"
    deadline = time.monotonic() + _LOOK_S
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as looking:
        while True:
            try:
                found, _ = looking.communicate(timeout=_POLL_S)
                break
            except subprocess.TimeoutExpired:
                if stop.is_set() or time.monotonic() > deadline:
                    looking.kill()
    if looking.returncode:
        raise AudioError("PortAudio does not list its devices; check the sound server")
    return tuple(Device(**device) for device in json.loads(found))


def _inputs(portaudio: Any) -> tuple[Device, ...]:
    apis = [api["name"] for api in portaudio.query_hostapis()]
    try:
        default = portaudio.query_devices(kind="input")["index"]
    except portaudio.PortAudioError:
        default = None
    return tuple(
        Device(
            index=device["index"],
            name=device["name"],
            host_api=apis[device["hostapi"]],
            max_inputs=device["max_input_channels"],
            default_rate=device["default_samplerate"],
            is_default=device["index"] == default,
        )
        for device in portaudio.query_devices()
        if device["max_input_channels"] > 0
    )
