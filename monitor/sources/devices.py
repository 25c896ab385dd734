"""Which microphones there are, and which one is meant; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.errors import AudioError


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


_USUAL_RATES = (48000, 96000, 44100, 32000, 22050, 16000, 8000)
"""Rates that hardware or sound servers offer, Hz."""
_BEST_RATE = 48000
"""What most converters run at themselves: nobody has to resample before us."""


def capture_rates(model_rate: int, device_rate: int) -> tuple[int, ...]:
    """Return the rates at which a device is tried, the best first, Hz.

    Those that hold all that the model hears come first: 48 kHz, the model's own, what the device calls
    its own, then the others from the lowest. Of the rest, which lose treble, the highest comes first.
    """
    rates = {*_USUAL_RATES, model_rate, device_rate}
    whole = sorted(rate for rate in rates if rate >= model_rate)
    preferred = [rate for rate in (_BEST_RATE, model_rate, device_rate) if rate >= model_rate]
    poorer = sorted(rates - set(whole), reverse=True)
    return tuple(dict.fromkeys((*preferred, *whole, *poorer)))


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


def _spell(wanted: str | int | None) -> str:
    return "(default)" if wanted is None else repr(wanted)


def _names(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.index} {device.name!r}" for device in devices)
