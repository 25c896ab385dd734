"""The microphone, through PortAudio: the one file that knows sounddevice.

What PortAudio does when a device goes away, and what is done about it:

- A stream that ends calls ``finished_callback``; no exception is raised anywhere.
- A stream that stalls says nothing, and ``stop()`` on it hangs: so age is watched
  (:mod:`monitor.health.liveness`) and streams are aborted, never stopped.
- ``abort()`` may hang too: when a PulseAudio server dies while PortAudio's thread holds a piece
  of its shared memory, libpulse waits for the piece with the lock in hand that is needed to
  give it back. So a stream is closed in a thread, and left behind when that takes too long.
- The list of devices is frozen when PortAudio starts: every :class:`Microphone` starts it
  anew, so that a device that came back is seen. Hence one at a time in a process. PortAudio
  cannot end before a stream that was left behind; until then the old list must do, which is
  right for the devices of a sound server; else only a new process helps: :class:`DriverStuck`.

PortAudio's own "Expression … failed" on stderr is left alone: it comes from C at the very
moment that something is wrong, and to silence it would mean to silence the whole process.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from monitor.errors import AudioError
from monitor.records import AudioBlock
from monitor.sources.base import DriverStuck
from monitor.sources.live import Patience, live_blocks
from monitor.sources.ring import CaptureRing

log = logging.getLogger(__name__)

_RATES = (48000, 44100, 16000, 32000, 22050, 96000, 8000)
"""Tried in this order when a device refuses the rate that it calls its own, Hz."""
_CALLBACK_S = 0.02
"""Length of the pieces asked of the driver; left to itself it may call a thousand times a second."""
_START_S = 5.0
"""A sound server that wakes up a sleeping device takes up to two seconds."""
_CLOSE_S = 2.0
"""A stream that can be closed at all takes some milliseconds."""
_NOTHING_TO_TRY = (-9997, -9998)
"""PortAudio's paInvalidSampleRate and paInvalidChannelCount: another form may be accepted."""

_left_behind: list[threading.Thread] = []
"""Those in which the closing of a stream hangs; like PortAudio itself, one list a process."""


@dataclass(frozen=True)
class Device:
    """A device with at least one input.

    default_rate : Hz, the device's own as far as PortAudio can tell
    """

    index: int
    name: str
    host_api: str
    max_inputs: int
    default_rate: float
    is_default: bool


class DeviceNotFound(AudioError):  # noqa: N818 — a state that a daemon may wait out
    """No device of that name or index is there now."""


def list_devices() -> tuple[Device, ...]:
    """The microphones that PortAudio sees.

    The list is as old as PortAudio's start in this process.

    Raises
    ------
    AudioError : the PortAudio library is missing
    """
    return _inputs(_portaudio())


def no_device_advice() -> str:
    """What a person can do when there is no microphone at all."""
    return (
        "no microphone found; plug one in and check that `arecord -l` lists it, that this user is in the "
        "group audio (sudo usermod -aG audio $USER, then log in again), and that the sound server, if any, "
        "runs for this user"
    )


def choose_device(devices: Sequence[Device], wanted: str | int | None) -> Device:
    """Find the device by index, by name, or by a part of its name (case does not matter).

    None takes the default. Of devices with the same name the first is taken.

    Raises
    ------
    DeviceNotFound : none fits, with what there is
    AudioError : a part of a name fits several
    """
    if not devices:
        raise DeviceNotFound(f"microphone {_spell(wanted)}: {no_device_advice()}")
    if isinstance(wanted, str):
        text = wanted.casefold()
        fits = [device for device in devices if device.name.casefold() == text]
        fits = fits or [device for device in devices if text in device.name.casefold()]
    else:
        fits = [d for d in devices if (d.is_default if wanted is None else d.index == wanted)]
    if not fits:
        raise DeviceNotFound(
            f"microphone {_spell(wanted)}: not there; choose audio.device from: {_names(devices)}"
        )
    if len({device.name for device in fits}) > 1:
        raise AudioError(
            f"microphone {_spell(wanted)}: fits {len(fits)} devices; "
            f"write more of the name in audio.device: {_names(fits)}"
        )
    return fits[0]


class Microphone:
    """A device that is open and delivers; a :class:`~monitor.sources.base.LiveSource`.

    Parameters
    ----------
    device : index, (part of the) name, or None for the default
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
        buffer_s: float,
        stall_s: float,
        silence_s: float,
        stop: threading.Event,
    ) -> None:
        portaudio = _portaudio(fresh=True)
        chosen = choose_device(_inputs(portaudio), device)
        self.name = chosen.name
        self.overflows = 0
        """Times that the driver reported lost audio; how much, it does not say."""
        self._patience = Patience(stall_s, silence_s, _START_S)
        self._stop = stop
        self._stream = self._open(portaudio, chosen, buffer_s)
        try:
            self._stream.start()
        except portaudio.PortAudioError as error:
            self.close()
            raise _refused(chosen, error) from error

    @property
    def dropped(self) -> int:
        """Samples of each channel that were lost because nobody read in time."""
        return self._ring.dropped

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield audio as it comes, half a second at most at once, until ``stop`` is set.

        Raises
        ------
        SourceLost : the stream ended, stalls or delivers digital silence
        """
        return live_blocks(self._ring, self.rate, self._patience, self._stop)

    def close(self) -> None:
        """Give the device back; a stream that cannot be closed within two seconds is left behind."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        # The thread keeps the stream alive: PortAudio may still call back into it.
        closing = threading.Thread(target=_close, args=(stream,), name="portaudio close", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)
        if closing.is_alive():
            log.warning("microphone %r: PortAudio hangs in closing it; it is left behind", self.name)
            _left_behind.append(closing)

    def _open(self, portaudio: Any, device: Device, buffer_s: float) -> Any:
        """Open in the first form that the device accepts: its own rate, two channels at most."""
        refusal: Any = None
        rates = dict.fromkeys((round(device.default_rate), *_RATES))
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
        raise _refused(device, refusal) from refusal

    def _on_audio(self, frames: Any, count: int, time_info: Any, status: Any) -> None:
        """PortAudio's thread: copy, count, return."""
        if status.input_overflow:
            self.overflows += 1
        self._ring.write(frames, time.monotonic())

    def _on_end(self) -> None:
        self._ring.end("the device ended the stream")


def _portaudio(*, fresh: bool = False) -> Any:
    """The sounddevice module; ``fresh`` = with the devices of this moment."""
    known = "sounddevice" in sys.modules
    try:
        import sounddevice
    except OSError as error:
        raise AudioError(
            "the PortAudio library is missing; install it with: sudo apt install libportaudio2"
        ) from error
    # Our streams are closed; at exit Pa_Terminate would wait for one that was left behind.
    atexit.unregister(sounddevice._exit_handler)
    if fresh and known and not _is_stuck():
        # There is no public way (python-sounddevice issues 382, 493).
        while sounddevice._initialized:
            sounddevice._terminate()
        try:
            sounddevice._initialize()
        except sounddevice.PortAudioError as error:
            raise AudioError(f"PortAudio does not start ({error}); is the sound server all right?") from error
    return sounddevice


def _close(stream: Any) -> None:
    stream.abort()
    stream.close()


def _is_stuck() -> bool:
    """Whether a stream that was left behind still hangs; a sound server that woke up frees it."""
    _left_behind[:] = [closing for closing in _left_behind if closing.is_alive()]
    return bool(_left_behind)


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


def _refused(device: Device, error: Any) -> AudioError:
    reason = error.args[0] if error.args else error
    if _is_stuck():
        return DriverStuck(
            f"microphone {device.name!r}: cannot be opened ({reason}), and PortAudio still hangs in closing "
            "an earlier stream; start sound-monitor again"
        )
    return AudioError(
        f"microphone {device.name!r}: cannot be opened ({reason}); does another program hold it? "
        "choose another with audio.device (sound-monitor devices lists them)"
    )


def _spell(wanted: str | int | None) -> str:
    return "(default)" if wanted is None else repr(wanted)


def _names(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.index} {device.name!r}" for device in devices)
