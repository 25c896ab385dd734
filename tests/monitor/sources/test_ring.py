"""Laws of the capture ring: in order, nothing twice, what is lost is counted and jumped over."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.ring import CaptureRing

RATE = 1000


def numbered(start: int, count: int, channels: int) -> np.ndarray:
    """Frames that carry their own position; channel c adds c/4."""
    frames = np.arange(start, start + count, dtype=np.float32)[:, None]
    return frames + np.arange(channels, dtype=np.float32) / 4


steps = st.lists(st.tuples(st.sampled_from(["write", "read"]), st.integers(0, 25)), max_size=60)


@given(steps, st.integers(1, 20), st.integers(1, 3))
def test_every_frame_is_read_once_in_order_or_counted_as_dropped(
    actions: list[tuple[str, int]], capacity: int, channels: int
) -> None:
    ring = CaptureRing(capacity, channels, RATE)
    written = expected = lost = 0
    for action, count in [*actions, ("read", written + capacity)]:
        if action == "write":
            ring.write(numbered(written, count, channels), arrived=0.0)
            written += count
            continue
        block = ring.read(count, timeout_s=0)
        if block is None:
            assert count == 0 or expected == written
            continue
        lost += block.position - expected
        expected = block.position + len(block.samples)
        assert 0 < len(block.samples) <= min(count, capacity)
        frames = numbered(block.position, len(block.samples), channels)
        np.testing.assert_array_equal(block.samples, frames[:, 0] if channels == 1 else frames)
    assert expected == written
    assert ring.dropped == lost


@given(st.integers(1, 20), st.integers(0, 60))
def test_what_is_kept_is_the_newest(capacity: int, count: int) -> None:
    ring = CaptureRing(capacity, 1, RATE)
    ring.write(numbered(0, count, 1), arrived=0.0)
    block = ring.read(1000, timeout_s=0)
    kept = [] if block is None else block.samples.tolist()
    assert kept == list(range(max(0, count - capacity), count))


def test_a_block_belongs_to_its_reader() -> None:
    ring = CaptureRing(4, 1, RATE)
    ring.write(numbered(0, 4, 1), arrived=0.0)
    block = ring.read(4, timeout_s=0)
    ring.write(numbered(100, 4, 1), arrived=0.0)
    assert block is not None
    assert block.samples.tolist() == [0, 1, 2, 3]


def test_arrival_is_that_of_the_last_sample_of_the_block() -> None:
    ring = CaptureRing(1000, 1, RATE)
    ring.write(numbered(0, 500, 1), arrived=7.5)
    blocks = [ring.read(200, timeout_s=0) for _ in range(3)]
    assert [block and block.arrived for block in blocks] == pytest.approx([7.2, 7.4, 7.5])


def test_a_waiting_reader_is_woken_by_a_write_and_by_the_end() -> None:
    ring = CaptureRing(10, 1, RATE)
    for act in (lambda: ring.write(numbered(0, 1, 1), arrived=0.0), lambda: ring.end("over")):
        writer = threading.Timer(0.05, act)
        writer.start()
        block = ring.read(10, timeout_s=20)
        writer.join()
        assert (block is None) == (ring.ended is not None)


def test_only_the_first_reason_of_an_end_counts_and_the_rest_can_be_read() -> None:
    ring = CaptureRing(10, 1, RATE)
    ring.write(numbered(0, 3, 1), arrived=0.0)
    ring.end("first")
    ring.end("second")
    block = ring.read(10, timeout_s=0)
    assert ring.ended == "first"
    assert block is not None
    assert len(block.samples) == 3
    assert ring.read(10, timeout_s=20) is None


def test_room_is_waited_for() -> None:
    ring = CaptureRing(10, 1, RATE)
    ring.write(numbered(0, 8, 1), arrived=0.0)
    assert ring.wait_for_room(2, timeout_s=0)
    assert not ring.wait_for_room(3, timeout_s=0)
    reader = threading.Timer(0.05, lambda: ring.read(1, timeout_s=0))
    reader.start()
    assert ring.wait_for_room(3, timeout_s=20)
    reader.join()


def test_two_threads_lose_nothing_but_what_is_counted() -> None:
    ring = CaptureRing(64, 2, RATE)
    total = 20000

    def write() -> None:
        for start in range(0, total, 10):
            ring.write(numbered(start, 10, 2), arrived=0.0)
        ring.end("done")

    writer = threading.Thread(target=write)
    writer.start()
    expected = lost = 0
    while expected < total:
        block = ring.read(17, timeout_s=20)
        if block is not None:
            np.testing.assert_array_equal(block.samples, numbered(block.position, len(block.samples), 2))
            lost += block.position - expected
            expected = block.position + len(block.samples)
    writer.join()
    assert lost == ring.dropped


@pytest.mark.parametrize("values", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_ring_without_room_channels_or_rate_is_refused(values: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        CaptureRing(*values)
