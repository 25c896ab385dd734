"""Select a microphone from a list of devices; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.errors import AudioError


@dataclass(frozen=True)
class Device:
    """A device with at least one input.

    Parameters
    ----------
    default_rate : float
        Native sample rate as reported by PortAudio, Hz.
    """

    index: int
    name: str
    host_api: str
    max_inputs: int
    default_rate: float
    is_default: bool


class DeviceNotFound(AudioError):  # noqa: N818 — a state that a daemon may wait out
    """No device with that name or index is present."""


_USUAL_RATES = (48000, 96000, 44100, 32000, 22050, 16000, 8000)
"""Sample rates that hardware and sound servers offer, Hz."""
_BEST_RATE = 48000
"""Native rate of most converters, Hz: nothing upstream has to resample."""


def capture_rates(model_rate: int, device_rate: int) -> tuple[int, ...]:
    """Return the sample rates to try on a device in order of preference, Hz.

    Rates that cover the model's bandwidth come first: 48 kHz, the model's rate, the device's native
    rate, then the others from the lowest. Of the lower ones, the highest comes first.
    """
    rates = {*_USUAL_RATES, model_rate, device_rate}
    whole = sorted(rate for rate in rates if rate >= model_rate)
    preferred = [rate for rate in (_BEST_RATE, model_rate, device_rate) if rate >= model_rate]
    poorer = sorted(rates - set(whole), reverse=True)
    return tuple(dict.fromkeys((*preferred, *whole, *poorer)))


def no_device_advice() -> str:
    """Return advice for a system without any microphone."""
    return (
        "no microphone found; plug one in and check that `arecord -l` lists it, that this user is in the "
        "group audio (sudo usermod -aG audio $USER, then log in again), and that the sound server, if any, "
        "runs for this user"
    )


def choose_device(devices: Sequence[Device], wanted: str | int | None) -> Device:
    """Find a device by index, by name, or by part of its name, ignoring case.

    None selects the default. Of several devices with the same name the first is selected.

    Raises
    ------
    DeviceNotFound
        If none matches; the message lists the devices.
    AudioError
        If part of a name matches several.
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
            f"microphone {_spell(wanted)}: not found; choose audio.device from: {_names(devices)}"
        )
    if len({device.name for device in fits}) > 1:
        raise AudioError(
            f"microphone {_spell(wanted)}: matches {len(fits)} devices; "
            f"write more of the name in audio.device: {_names(fits)}"
        )
    return fits[0]


def _spell(wanted: str | int | None) -> str:
    return "(default)" if wanted is None else repr(wanted)


def _names(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.index} {device.name!r}" for device in devices)
