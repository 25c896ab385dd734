"""The sliding window is the tail of everything heard, behind a filled past."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.features.window import SlidingWindow

WARMUPS: tuple[Literal["repeat", "silence"], ...] = ("repeat", "silence")
pushes = st.integers(1, 12).flatmap(
    lambda length: st.tuples(st.just(length), st.lists(st.integers(1, length), min_size=1, max_size=40))
)


def naive(heard: np.ndarray, length: int, warmup: str) -> np.ndarray:
    """The last ``length`` rows, read off all rows heard by the definition."""
    if len(heard) >= length:
        return heard[len(heard) - length :]
    missing = length - len(heard)
    if warmup == "silence":
        past = np.full((missing, *heard.shape[1:]), -1.0)
    else:
        laps = -(-missing // len(heard))
        past = np.concatenate([heard] * laps)[laps * len(heard) - missing :]
    return np.concatenate([past, heard])


@pytest.mark.parametrize("warmup", WARMUPS)
@given(pushed=pushes)
def test_each_push_gives_the_last_rows_behind_a_filled_past(
    warmup: Literal["repeat", "silence"], pushed: tuple[int, list[int]]
) -> None:
    length, counts = pushed
    rows = np.arange(1.0, 2.0 * sum(counts) + 1, dtype=np.float32).reshape(-1, 2)
    window = SlidingWindow(length, (2,), warmup=warmup, silence=-1.0)
    end = 0
    for count in counts:
        given_window = window.push(rows[end : end + count])
        end += count
        np.testing.assert_array_equal(given_window, naive(rows[:end], length, warmup))
        assert given_window.flags.c_contiguous


@pytest.mark.parametrize("warmup", WARMUPS)
def test_after_reset_nothing_of_the_stream_before_is_left(warmup: Literal["repeat", "silence"]) -> None:
    used = SlidingWindow(5, (), warmup=warmup)
    for value in range(1, 30):
        used.push(np.full(3, value, np.float32))
    used.reset()
    fresh = SlidingWindow(5, (), warmup=warmup)
    for value in (7, 8, 9):
        rows = np.array([value, value + 0.5], np.float32)
        np.testing.assert_array_equal(used.push(rows), fresh.push(rows))


def test_silence_may_be_a_row_of_its_own_per_band() -> None:
    window = SlidingWindow(3, (2,), warmup="silence", silence=np.array([-4.0, -6.0], np.float32))
    np.testing.assert_array_equal(
        window.push(np.ones((1, 2), np.float32)), [[-4.0, -6.0], [-4.0, -6.0], [1.0, 1.0]]
    )
