"""The microphone, through PortAudio: the one file that knows sounddevice.

What PortAudio does when a device goes away, and what is done about it:

- A stream that ends calls ``finished_callback``; no exception is raised anywhere.
- A stream that stalls says nothing, and ``stop()`` on it hangs: so age is watched
  (:mod:`monitor.health.liveness`) and streams are aborted, never stopped.
- ``abort()`` may hang too: when a PulseAudio server dies while PortAudio's thread holds a piece
  of its shared memory, libpulse waits for the piece with the lock in hand that is needed to
  give it back. So a stream is closed in a thread, and left behind when that takes too long.
- The list of devices is frozen when PortAudio starts: a :class:`Microphone` starts it anew, so
  that a device that came back is seen. Hence one at a time in a process.
- Each start leaks some kilobytes (ALSA's plugins are loaded and unloaded), and while a device
  is away it is looked for every few seconds, for months perhaps: so a new process looks, and
  PortAudio starts anew only when the device is there.
- PortAudio cannot end before a stream that was left behind. Until then the old list must do; it
  is right for the devices of a sound server, else only a new process helps: :class:`DriverStuck`.

PortAudio's own "Expression … failed" on stderr is left alone: it comes from C at the very
moment that something is wrong, and to silence it would mean to silence the whole process.
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
"""Length of the pieces asked of the driver; left to itself it may call a thousand times a second."""
_START_S = 5.0
"""A sound server that wakes up a sleeping device takes up to two seconds."""
_CLOSE_S = 2.0
"""A stream that can be closed at all takes some milliseconds."""
_POLL_S = 0.1
_LOOK_S = 15.0
"""For a process that lists the devices; a cold start of Python on a slow board takes some seconds."""
_STUCK = "PortAudio still hangs in closing an earlier stream; start sound-monitor again"
_NOTHING_TO_TRY = (-9997, -9998)
"""PortAudio's paInvalidSampleRate and paInvalidChannelCount: another form may be accepted."""


def list_devices() -> tuple[Device, ...]:
    """The microphones that PortAudio sees.

    The list is as old as PortAudio's start in this process.

    Raises
    ------
    AudioError : the PortAudio library is missing
    """
    return _inputs(_driver.load())


def print_devices() -> None:
    """Print :func:`list_devices` as JSON."""
    print(json.dumps([dataclasses.asdict(device) for device in list_devices()]))


class Microphone:
    """A device that is open and delivers; a :class:`~monitor.sources.base.LiveSource`.

    Parameters
    ----------
    device : index, (part of the) name, or None for the default
    model_rate : Hz that the model wants; the device is opened at a rate that holds it, if it can be
    buffer_s : seconds kept while nobody reads; then the oldest go
    stall_s, silence_s : seconds without audio, and of exact zeros, after which it is lost
    stop : ends :meth:`blocks` within a tenth of a second

    Raises
    ------
    DeviceNotFound : see :func:`choose_device`
    AudioError : PortAudio is missing, or the device cannot be opened
    DriverStuck : it cannot be opened while an earlier stream hangs in PortAudio
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
        """Times that the driver reported lost audio; how much, it does not say."""
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
        """Samples of each channel that were lost because nobody read in time."""
        return self._ring.dropped

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield audio as it comes, half a second at most at once, until ``stop`` is set.

        Raises
        ------
        SourceLost : the stream ended or stalls
        SourceSilent : it delivers digital silence
        """
        try:
            yield from live_blocks(self._ring, self.rate, self._patience, self._stop)
        except SourceSilent:
            _driver.up_to_date = True  # the device is there
            raise

    def close(self) -> None:
        """Give the device back; a stream that cannot be closed within two seconds is left behind."""
        stream, self._stream = self._stream, None
        if stream is not None:
            _driver.close(stream, self.name)
            # A stream of sounddevice is in a cycle with itself, and holds us and the ring.
            del stream
            gc.collect()

    def _open(self, portaudio: Any, device: Device, buffer_s: float) -> Any:
        """Open in the first form that the device accepts: see :func:`capture_rates`, two channels at most."""
        refusal: Any = None
        rates = capture_rates(self._model_rate, round(device.default_rate))
        # Some arrays of microphones can be opened with all of their channels only.
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
        """PortAudio's thread: copy, count, return."""
        if status.input_overflow:
            self.overflows += 1
        self._ring.write(frames, time.monotonic())

    def _on_end(self) -> None:
        self._ring.end("the device ended the stream")


class _Driver:
    """PortAudio in this process; like PortAudio itself there is one only."""

    def __init__(self) -> None:
        self._closing: list[threading.Thread] = []  # those that hang
        self.up_to_date = False
        """Whether its list of devices is known to be right."""

    @property
    def stuck(self) -> bool:
        """Whether a stream that was left behind still hangs; a sound server that woke up frees it."""
        self._closing = [closing for closing in self._closing if closing.is_alive()]
        return bool(self._closing)

    def load(self) -> Any:
        """The sounddevice module; PortAudio starts when it is loaded first."""
        try:
            import sounddevice
        except OSError as error:
            raise AudioError(
                "the PortAudio library is missing; install it with: sudo apt install libportaudio2"
            ) from error
        # Our streams are closed; at exit Pa_Terminate would wait for one that was left behind.
        atexit.unregister(sounddevice._exit_handler)
        return sounddevice

    def find(self, wanted: str | int | None, stop: threading.Event) -> tuple[Any, Device]:
        """The sounddevice module, and the device in PortAudio's list, which is renewed if need be."""
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
        """Close the stream, or leave it behind when that hangs."""

        def close() -> None:
            stream.abort()
            stream.close()

        # The thread keeps the stream alive: PortAudio may still call back into it.
        closing = threading.Thread(target=close, name="portaudio close", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)
        if closing.is_alive():
            log.warning("microphone %r: PortAudio hangs in closing it; it is left behind", name)
            self._closing.append(closing)

    def refused(self, device: Device, error: Any) -> AudioError:
        what = f"microphone {device.name!r}: cannot be opened ({error.args[0] if error.args else error})"
        if self.stuck:
            return DriverStuck(f"{what}; {_STUCK}")
        return AudioError(
            f"{what}; does another program hold it? "
            "choose another with audio.device (sound-monitor devices lists them)"
        )


_driver = _Driver()


def _restart(portaudio: Any) -> None:
    # There is no public way (python-sounddevice issues 382, 493).
    while portaudio._initialized:
        portaudio._terminate()
    try:
        portaudio._initialize()
    except portaudio.PortAudioError as error:
        raise AudioError(f"PortAudio does not start ({error}); is the sound server all right?") from error


def _devices_now(stop: threading.Event) -> tuple[Device, ...]:
    """The list of a new process."""
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
        raise AudioError("PortAudio does not list its devices; is the sound server all right?")
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
