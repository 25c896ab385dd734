"""Raw PCM through a pipe: every format, live or not, to its end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import AudioError
from monitor.sources.base import SourceLost
from monitor.sources.pcm import PcmFormat, PcmReader, SampleFormat
from monitor.sources.raw import RawInput

RATE = 8000
PATIENCE_S = 20.0


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    ends = os.pipe()
    with open(ends[0], "rb") as reading, open(ends[1], "wb", buffering=0) as writing:
        yield reading, writing


@pytest.fixture
def raw(pipe: tuple[BinaryIO, BinaryIO]) -> Iterator[Callable[..., RawInput]]:
    """Opens a RawInput on the pipe and closes it at the end."""
    opened: list[RawInput] = []

    def open_raw(**changes: object) -> RawInput:
        values: dict[str, object] = {
            "rate": RATE,
            "channels": 1,
            "sample_format": "s16le",
            "buffer_s": 0.5,
            "stall_s": 60.0,
            "silence_s": 60.0,
            "stop": threading.Event(),
        }
        opened.append(RawInput(pipe[0], **{**values, **changes}))  # type: ignore[arg-type]
        return opened[-1]

    yield open_raw
    for source in opened:
        source.close()


def ramp(count: int) -> np.ndarray:
    return (np.arange(1, count + 1) % 32000).astype("<i2")


def write_all(stream: BinaryIO, data: bytes) -> threading.Thread:
    def write() -> None:
        view = memoryview(data)
        while view:
            view = view[stream.write(view) :]
        stream.close()

    writer = threading.Thread(target=write)
    writer.start()
    return writer


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(
    ("sample_format", "dtype", "full_scale"),
    [("s16le", "<i2", 2**15), ("s32le", "<i4", 2**31), ("f32le", "<f4", 1)],
)
def test_each_format_is_scaled_to_full_scale_one(
    sample_format: SampleFormat, dtype: str, full_scale: int, channels: int
) -> None:
    values = np.array([-1.0, -0.5, 0.0, 0.25, 0.5, 0.75] * channels)
    data = (values * full_scale).astype(dtype).tobytes()
    pcm = PcmFormat(RATE, channels, sample_format)
    samples = pcm.decode(data)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, values.reshape(6, channels))
    assert pcm.frame_bytes * 6 == len(data)


@given(st.lists(st.integers(1, 40), max_size=30), st.integers(1, 3))
def test_writes_of_any_size_are_joined_to_whole_frames(sizes: list[int], channels: int) -> None:
    data = ramp(sum(sizes)).tobytes()[: sum(sizes)]
    ends = os.pipe()
    reader = PcmReader(ends[0], PcmFormat(RATE, channels, "s16le"), buffer_s=1.0)
    for size in sizes:
        os.write(ends[1], data[:size])
        data = data[size:]
    os.close(ends[1])
    heard = [
        block.samples.reshape(-1, channels) for block in iter(lambda: reader.ring.read(7, PATIENCE_S), None)
    ]
    reader.close()
    os.close(ends[0])
    frames = sum(sizes) // (2 * channels)
    expected = ramp(frames * channels).reshape(-1, channels) / np.float32(2**15)
    np.testing.assert_array_equal(np.concatenate([np.zeros((0, channels)), *heard]), expected)


def test_what_comes_faster_than_real_time_is_held_back_and_nothing_is_lost(
    pipe: tuple[BinaryIO, BinaryIO], raw: Callable[..., RawInput]
) -> None:
    samples = ramp(40 * RATE)
    source = raw(buffer_s=0.5)
    writer = write_all(pipe[1], samples.tobytes())
    time.sleep(0.3)  # a reader that comes late, as one that loads a model first
    heard = list(source.blocks())
    writer.join()
    assert source.dropped == 0
    np.testing.assert_array_equal(
        np.concatenate([block.samples for block in heard]), samples / np.float32(2**15)
    )


def test_what_comes_in_real_time_is_never_held_back_and_the_oldest_goes(
    pipe: tuple[BinaryIO, BinaryIO], raw: Callable[..., RawInput]
) -> None:
    source = raw(buffer_s=0.5)
    began = time.monotonic()
    for part in np.split(ramp(2 * RATE), 40):  # nobody reads meanwhile
        pipe[1].write(part.tobytes())
        time.sleep(0.05)  # the pace of a live writer
    assert time.monotonic() - began < PATIENCE_S
    pipe[1].close()
    heard = list(source.blocks())
    assert source.dropped > 0
    assert heard[0].position == source.dropped
    last = heard[-1]
    assert last.position + len(last.samples) == 2 * RATE
    assert sum(len(block.samples) for block in heard) + source.dropped == 2 * RATE
    assert heard[0].samples[0] == ramp(2 * RATE)[heard[0].position] / np.float32(2**15)


def test_the_end_of_the_input_ends_the_blocks_without_an_error(
    pipe: tuple[BinaryIO, BinaryIO], raw: Callable[..., RawInput]
) -> None:
    source = raw(channels=2)
    pipe[1].write(ramp(2001).tobytes()[:-1])
    pipe[1].close()
    heard = list(source.blocks())
    assert np.concatenate([block.samples for block in heard]).shape == (1000, 2)


def test_a_writer_that_stalls_is_lost_and_can_be_opened_again(
    pipe: tuple[BinaryIO, BinaryIO], raw: Callable[..., RawInput]
) -> None:
    source = raw(stall_s=0.2)
    pipe[1].write(ramp(100).tobytes())
    with pytest.raises(SourceLost, match=r"no audio for 0\.2 s"):
        list(source.blocks())
    source.close()
    again = raw()
    pipe[1].write(ramp(50).tobytes())
    pipe[1].close()
    assert [(block.position, len(block.samples)) for block in again.blocks()] == [(0, 50)]


def test_stop_ends_a_silent_input(raw: Callable[..., RawInput]) -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    assert list(raw(stop=stop).blocks()) == []


def read_raw(stream: BinaryIO) -> RawInput:
    return RawInput(
        stream,
        rate=RATE,
        channels=1,
        sample_format="s16le",
        buffer_s=0.5,
        stall_s=60.0,
        silence_s=60.0,
        stop=threading.Event(),
    )


def test_a_file_on_standard_input_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.raw"
    path.write_bytes(ramp(3 * RATE).tobytes())
    with path.open("rb") as stream:
        source = read_raw(stream)
        assert sum(len(block.samples) for block in source.blocks()) == 3 * RATE
        assert source.dropped == 0
        source.close()


def test_a_terminal_is_refused_with_an_example() -> None:
    leader, follower = os.openpty()
    with (
        open(leader, "rb", buffering=0),
        open(follower, "rb", buffering=0) as terminal,
        pytest.raises(AudioError, match="standard input is a terminal; pipe raw PCM into it: arecord"),
    ):
        read_raw(terminal)
