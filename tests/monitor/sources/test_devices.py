"""Which device a name means; and what is said without PortAudio."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import AudioError
from monitor.sources.devices import Device, DeviceNotFound, capture_rates, choose_device


def device(index: int, name: str, *, default: bool = False) -> Device:
    return Device(index, name, "ALSA", 2, 44100.0, default)


DEVICES = (
    device(0, "HDA Intel: Analog (hw:0,0)"),
    device(2, "USB Audio: #1 (hw:1,0)"),
    device(3, "USB Audio: #2 (hw:2,0)"),
    device(5, "pulse"),
    device(6, "pulse monitor"),
    device(7, "default", default=True),
)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 7),
        (2, 2),
        ("hda intel", 0),
        ("HW:2", 3),
        ("pulse", 5),
        ("PULSE", 5),
        ("monitor", 6),
    ],
)
def test_a_device_is_meant_by_index_name_or_part_of_the_name(wanted: str | int | None, index: int) -> None:
    assert choose_device(DEVICES, wanted).index == index


def test_of_equal_names_the_first_is_taken() -> None:
    twins = (device(1, "USB mic"), device(4, "USB mic"))
    assert choose_device(twins, "usb").index == 1


@pytest.mark.parametrize("wanted", ["Yeti", 1, 99, -1])
def test_an_unknown_device_is_answered_with_what_there_is(wanted: str | int) -> None:
    with pytest.raises(
        DeviceNotFound, match=r"not found; choose audio\.device from: 0 'HDA Intel.*7 'default'"
    ):
        choose_device(DEVICES, wanted)


def test_a_part_of_several_names_is_refused_with_these() -> None:
    with pytest.raises(AudioError, match=r"'usb': matches 2 devices.*#1.*#2") as refused:
        choose_device(DEVICES, "usb")
    assert not isinstance(refused.value, DeviceNotFound)
    assert "HDA" not in str(refused.value)


rates = st.sampled_from([8000, 16000, 22050, 32000, 44100, 48000, 96000, 192000])


@given(rates, rates)
def test_rates_that_hold_what_the_model_hears_are_tried_before_poorer_ones(model: int, device: int) -> None:
    tried = capture_rates(model, device)
    assert {model, device, 48000, 44100} <= set(tried)
    assert len(set(tried)) == len(tried)
    whole = [rate >= model for rate in tried]
    assert whole == sorted(whole, reverse=True)
    poorer = tried[sum(whole) :]
    assert list(poorer) == sorted(poorer, reverse=True)


def test_48_khz_comes_first_and_then_the_models_own_rate() -> None:
    assert capture_rates(32000, 44100) == (48000, 32000, 44100, 96000, 22050, 16000, 8000)
    assert capture_rates(16000, 16000)[:3] == (48000, 16000, 22050)


@pytest.mark.parametrize("wanted", [None, "USB", 3])
def test_without_any_device_the_message_says_what_to_do(wanted: str | int | None) -> None:
    with pytest.raises(DeviceNotFound, match=r"no microphone found; plug one in.*arecord -l.*group audio"):
        choose_device((), wanted)


def test_a_missing_portaudio_is_named_with_the_cure() -> None:
    program = """
import ctypes.util
ctypes.util.find_library = lambda name: None
import _sounddevice
class Lib:
    def dlopen(self, name): raise OSError("PortAudio library not found")
_sounddevice.ffi = Lib()
from monitor.errors import AudioError
from monitor.sources.microphone import list_devices
try:
    list_devices()
except AudioError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (
        done.stdout == "the PortAudio library is missing; install it with: sudo apt install libportaudio2\n"
    )


def test_nothing_but_an_open_microphone_loads_portaudio() -> None:
    program = "import sys, monitor.sources.microphone; sys.exit('sounddevice' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
