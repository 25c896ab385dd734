"""A real PortAudio on a real sound server: what it hears, and how it notices that it hears no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pulse import PATIENCE_S, PulseServer, write_tone

from monitor.errors import AudioError
from monitor.records import AudioBlock
from monitor.sources.base import DriverStuck, SourceLost
from monitor.sources.capture import CapturedMicrophone
from monitor.sources.devices import DeviceNotFound
from monitor.sources.microphone import Microphone, list_devices

STALL_S = 1.0
SILENCE_S = 1.0


def open_microphone(
    device: str | int | None = None,
    *,
    model_rate: int = 32000,
    silence_s: float = 60.0,
    stop: threading.Event | None = None,
) -> Microphone:
    return Microphone(
        device,
        model_rate=model_rate,
        buffer_s=5.0,
        stall_s=STALL_S,
        silence_s=silence_s,
        stop=stop or threading.Event(),
    )


@pytest.fixture
def microphone(pulse: PulseServer) -> Iterator[Microphone]:
    opened = open_microphone()
    yield opened
    opened.close()


def listen(microphone: Microphone | CapturedMicrophone, seconds: float) -> np.ndarray:
    """The first channel of what comes, checked to be without gaps."""
    heard: list[np.ndarray] = []
    expected = 0
    for block in microphone.blocks():
        assert block.position == expected
        assert block.samples.dtype == np.float32
        expected += len(block.samples)
        heard.append(block.samples.reshape(len(block.samples), -1)[:, 0])
        if expected >= seconds * microphone.rate:
            break
    return np.concatenate(heard)


def wait_until_lost(
    microphone: Microphone | CapturedMicrophone, trouble: Callable[[], None] | None = None
) -> tuple[str, float]:
    """Why it was lost, and seconds since ``trouble``, which is made at the first block."""
    began = time.monotonic()
    try:
        for block in microphone.blocks():
            assert time.monotonic() - began < PATIENCE_S
            if trouble and not block.position:
                trouble()
                began = time.monotonic()
    except SourceLost as lost:
        return str(lost), time.monotonic() - began
    pytest.fail("blocks() ended without a word")


def close_at_once(microphone: Microphone | CapturedMicrophone) -> None:
    began = time.monotonic()
    microphone.close()
    assert time.monotonic() - began < 3.0


def hears_again(pulse: PulseServer, folder: Path) -> None:
    again = open_microphone()
    player = pulse.player(write_tone(folder / "tone.wav", hz=880.0, duration_s=2.0))
    assert np.abs(listen(again, 1.5)).max() > 0.1
    player.wait(PATIENCE_S)
    close_at_once(again)


def test_a_played_tone_is_heard_with_its_frequency(
    pulse: PulseServer, microphone: Microphone, tmp_path: Path
) -> None:
    player = pulse.player(write_tone(tmp_path / "tone.wav", hz=440.0, duration_s=3.0))
    heard = listen(microphone, 2.5)
    player.kill()
    player.wait(PATIENCE_S)
    loud = heard[np.abs(heard) > 0.01]
    assert len(loud) > 0.5 * microphone.rate
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * microphone.rate / len(heard) == pytest.approx(440.0, abs=2.0)
    # Not the maximum: where a busy machine loses samples, resampling overshoots.
    assert np.quantile(np.abs(loud), 0.95) == pytest.approx(0.25, abs=0.02)
    assert (microphone.dropped, microphone.overflows) == (0, 0)


def test_blocks_carry_the_moment_of_their_last_sample(microphone: Microphone) -> None:
    blocks: list[AudioBlock] = []
    for block in microphone.blocks():
        assert block.arrived is not None
        assert 0 <= time.monotonic() - block.arrived < 1.0
        blocks.append(block)
        if block.position > microphone.rate:
            break
    first, last = blocks[0], blocks[-1]
    assert first.arrived is not None
    assert last.arrived is not None
    ends = [block.position + len(block.samples) for block in (first, last)]
    assert last.arrived - first.arrived == pytest.approx((ends[1] - ends[0]) / microphone.rate, abs=0.3)


def test_a_killed_server_is_noticed_and_a_new_one_is_heard_by_a_new_microphone(
    pulse: PulseServer, microphone: Microphone, tmp_path: Path
) -> None:
    _, after_s = wait_until_lost(microphone, pulse.kill)
    assert after_s < 5.0
    close_at_once(microphone)
    with pytest.raises(AudioError):
        open_microphone()
    pulse.start()
    hears_again(pulse, tmp_path)


def test_a_muted_microphone_is_lost_to_digital_silence(pulse: PulseServer, tmp_path: Path) -> None:
    pulse.mute(True)
    player = pulse.player(write_tone(tmp_path / "tone.wav", hz=440.0, duration_s=3.0))
    microphone = open_microphone(silence_s=SILENCE_S)
    reason, _ = wait_until_lost(microphone)
    assert reason == "digital silence for 1 s"
    close_at_once(microphone)
    player.kill()
    player.wait(PATIENCE_S)


def test_a_source_that_never_delivers_is_lost_by_age_and_closes_at_once(pulse: PulseServer) -> None:
    pulse.add_mute_source()
    microphone = open_microphone()
    reason, after_s = wait_until_lost(microphone)
    assert reason == "no audio for 5 s"
    assert after_s < 10.0
    close_at_once(microphone)


def test_a_source_that_stops_delivering_is_lost_by_age(pulse: PulseServer, microphone: Microphone) -> None:
    reason, after_s = wait_until_lost(microphone, pulse.freeze)
    pulse.thaw()
    assert reason == "no audio for 1 s"
    assert STALL_S <= after_s < 5.0
    close_at_once(microphone)


def test_closing_does_not_wait_for_a_server_that_hangs(pulse: PulseServer, tmp_path: Path) -> None:
    microphone = open_microphone()
    wait_until_lost(microphone, pulse.freeze)
    close_at_once(microphone)
    pulse.thaw()
    hears_again(pulse, tmp_path)


def test_a_new_microphone_does_not_wait_for_a_server_that_hangs_once_it_is_told_to_stop(
    pulse: PulseServer, microphone: Microphone
) -> None:
    stop = threading.Event()
    pulse.freeze()
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(AudioError, match="does not list its devices"):
        open_microphone(stop=stop)
    assert time.monotonic() - began < 5.0
    timer.join()
    pulse.thaw()


class _Stuck:
    """Stands for a stream in which libpulse and PortAudio's thread wait for each other."""

    def __init__(self) -> None:
        self.freed = threading.Event()

    def abort(self) -> None:
        self.freed.wait()

    def close(self) -> None:
        pass


def test_a_stream_that_can_never_be_closed_is_left_behind(
    pulse: PulseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    microphone = open_microphone()
    stream, stuck = microphone._stream, _Stuck()
    stream.abort()
    stream.close()
    microphone._stream = stuck
    close_at_once(microphone)
    try:
        hears_again(pulse, tmp_path)
        pulse.kill()
        with pytest.raises(DeviceNotFound):
            open_microphone()
        pulse.start()
        hears_again(pulse, tmp_path)
        # Stands for a list that was made when the device was not there.
        monkeypatch.setattr("monitor.sources.microphone._inputs", lambda _: ())
        with pytest.raises(DriverStuck, match="restart sound-monitor"):
            open_microphone()
    finally:
        stuck.freed.set()


def test_stop_ends_the_blocks(pulse: PulseServer) -> None:
    stop = threading.Event()
    microphone = open_microphone(stop=stop)
    for count, _ in enumerate(microphone.blocks()):
        if count == 3:
            stop.set()
        assert count <= 3
    assert stop.is_set()
    close_at_once(microphone)
    microphone.close()


def test_devices_are_found_by_part_of_the_name_and_by_index(pulse: PulseServer) -> None:
    open_microphone().close()  # PortAudio of this process now knows this server
    devices = list_devices()
    assert [device.name for device in devices if device.is_default] == ["default"]
    pulse_device = next(device for device in devices if device.name == "pulse")
    for wanted in ("PULSE", "puls", pulse_device.index):
        microphone = open_microphone(wanted)
        assert microphone.name == "pulse"
        microphone.close()


@pytest.mark.parametrize("model_rate", [16000, 32000])
def test_a_device_is_opened_at_a_rate_that_holds_what_the_model_hears(
    pulse: PulseServer, model_rate: int
) -> None:
    microphone = open_microphone(model_rate=model_rate)
    assert microphone.rate == 48000
    assert len(listen(microphone, 0.2)) >= 0.2 * 48000
    microphone.close()


def test_a_device_that_knows_one_rate_only_is_opened_at_it(
    pulse: PulseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sounddevice

    class Fixed(sounddevice.InputStream):
        """As hardware without a sound server before it: it refuses every rate but its own."""

        def __init__(self, samplerate: int, **settings: object) -> None:
            if samplerate != 16000:
                raise sounddevice.PortAudioError("Invalid sample rate", -9997)
            super().__init__(samplerate=samplerate, **settings)

    monkeypatch.setattr(sounddevice, "InputStream", Fixed)
    microphone = open_microphone()
    assert microphone.rate == 16000
    assert len(listen(microphone, 0.2)) >= 0.2 * 16000
    microphone.close()


def test_an_unknown_device_is_answered_with_the_names_that_exist(pulse: PulseServer) -> None:
    with pytest.raises(DeviceNotFound, match=r"'Blue Yeti': not found.*'pulse'.*'default'"):
        open_microphone("Blue Yeti")


def test_without_any_device_the_message_says_what_to_do(pulse: PulseServer) -> None:
    (Path(pulse.changes["HOME"]) / ".asoundrc").unlink()
    pulse.kill()
    with pytest.raises(DeviceNotFound, match="arecord -l"):
        open_microphone()


def open_captured(device: str | None = None) -> CapturedMicrophone:
    return CapturedMicrophone(
        device, model_rate=32000, buffer_s=5.0, stall_s=STALL_S, silence_s=60.0, stop=threading.Event()
    )


def test_a_microphone_in_a_process_of_its_own_hears_the_same(pulse: PulseServer, tmp_path: Path) -> None:
    captured = open_captured()
    player = pulse.player(write_tone(tmp_path / "tone.wav", hz=440.0, duration_s=3.0))
    heard = listen(captured, 2.5)
    player.kill()
    player.wait(PATIENCE_S)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * captured.rate / len(heard) == pytest.approx(440.0, abs=2.0)
    assert (captured.dropped, captured.overflows, captured.rate) == (0, 0, 48000)
    close_at_once(captured)


def test_one_of_several_microphones_is_lost_and_found_without_touching_the_other(pulse: PulseServer) -> None:
    other, lost = open_captured(), open_captured()
    lost.close()
    wait_until_lost(lost)
    listen(other, 0.5)
    again = open_captured()
    listen(again, 0.5)
    assert other.dropped == 0
    for one in (again, other):
        close_at_once(one)


def test_why_a_microphone_in_a_process_of_its_own_is_lost_or_refused_is_said(pulse: PulseServer) -> None:
    with pytest.raises(AudioError, match=r"'Blue Yeti': not found; choose audio.device from: .*'pulse'"):
        open_captured("Blue Yeti")
    captured = open_captured()
    reason, seconds = wait_until_lost(captured, pulse.kill)
    assert reason in ("the device ended the stream", f"no audio for {STALL_S:g} s")
    assert seconds < STALL_S + 2
    close_at_once(captured)
