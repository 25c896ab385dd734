"""Event times follow the sound card's drift and the system clock's steps."""

from __future__ import annotations

import logging
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import FileClock, LiveClock, iso_utc, parse_utc
from monitor.records import AudioBlock

RATE = 16000
BLOCK = 1600
BOOTED = 1_780_000_000.0
"""UTC of monotonic zero: in 2026."""


class World:
    """A sound card, a monotonic clock and a system clock that can be set."""

    def __init__(self, card_rate: float = RATE, utc_offset: float = BOOTED) -> None:
        self.now = 100.0
        self.utc_offset = utc_offset
        self._card_rate = card_rate
        self._position = 0
        self._began = self.now
        self.clock = LiveClock(RATE, monotonic=lambda: self.now, utc=lambda: self.now + self.utc_offset)

    def hear(self, seconds: float, late_s: np.ndarray | float = 0.0) -> None:
        """Let audio flow; block ``i`` arrives ``late_s[i]`` after its last sample was heard."""
        for late in np.broadcast_to(late_s, round(seconds * RATE / BLOCK)):
            end = self._position + BLOCK
            self.now = max(self.now, self._began + end / self._card_rate + float(late))
            self.clock.observe(AudioBlock(np.zeros(BLOCK, np.float32), self._position, self.now))
            self._position = end

    def lose(self, seconds: float) -> None:
        """Let the driver lose audio without saying so, while the process is stopped."""
        self._began += seconds
        self.now += seconds

    @property
    def error_s(self) -> float:
        """How far the clock is from when the newest sample was heard."""
        heard = self._began + self._position / self._card_rate + self.utc_offset
        return self.clock.utc_at(self._position / RATE) - heard


def test_a_files_clock_counts_from_its_start() -> None:
    clock = FileClock(1000.0)
    assert (clock.utc_at(2.5), clock.state) == (1002.5, "file")
    assert FileClock(0.0, "deterministic").state == "deterministic"


def test_before_any_audio_the_time_is_now() -> None:
    world = World()
    assert world.clock.utc_at(5.0) == world.now + BOOTED


def test_blocks_that_come_late_do_not_move_the_times() -> None:
    world = World()
    world.hear(300, np.random.default_rng(0).exponential(0.02, 3000))
    assert 0 <= world.error_s < 0.002


def test_one_block_in_time_corrects_a_late_beginning_at_once() -> None:
    world = World()
    world.hear(0.1, 0.4)
    assert world.error_s == pytest.approx(0.4)
    world.hear(1.0)
    assert world.error_s == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("drift", [-200e-6, -50e-6, 50e-6, 200e-6])
def test_a_card_that_drifts_is_followed_within_two_minutes_of_drift(drift: float) -> None:
    world = World(card_rate=RATE * (1 + drift))
    late_s = np.random.default_rng(1).exponential(0.005, 600)
    for _ in range(60):
        world.hear(60, late_s)
        assert abs(world.error_s) < 120 * abs(drift) + 0.002
    # Without a new fit the hour would have brought this:
    assert 3600 * abs(drift) > 4 * (120 * abs(drift) + 0.002)


def test_a_step_of_the_system_clock_moves_the_times_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.hear(10)
    world.utc_offset += 3600.0
    with caplog.at_level(logging.INFO):
        world.hear(10)
    assert world.error_s == pytest.approx(0.0, abs=1e-6)
    assert [record.message for record in caplog.records] == [
        "the system clock was set by +3600.0 s; event times follow it"
    ]


def test_a_system_clock_that_is_slewed_is_followed_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            world.utc_offset += 0.01
            world.hear(0.1)
    assert world.error_s == pytest.approx(0.0, abs=1e-6)
    assert caplog.records == []


def test_a_board_that_boots_in_the_past_says_unsynced_until_its_clock_is_set() -> None:
    world = World(utc_offset=0.0)
    world.hear(1)
    assert world.clock.state == "unsynced"
    world.utc_offset = BOOTED
    world.hear(1)
    assert world.clock.state == "synced"
    assert world.error_s == pytest.approx(0.0, abs=1e-6)


def test_lost_audio_does_not_shift_the_times_of_what_follows() -> None:
    world = World()
    world.hear(5)
    end = world._position + 10 * RATE
    world._position = end
    world.hear(5)
    assert world.error_s == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("before_s", [0.3, 30.0, 59.0, 130.0])
@pytest.mark.parametrize("lost_s", [1.5, 40.0, 4000.0])
def test_audio_that_the_driver_lost_in_silence_shifts_the_times_for_seconds_only(
    before_s: float, lost_s: float
) -> None:
    world = World()
    world.hear(before_s, 0.05)
    world.lose(lost_s)
    world.hear(10, 0.05)
    assert abs(world.error_s) < 0.1


def test_audio_that_is_late_for_seconds_and_then_caught_up_with_was_not_lost() -> None:
    world = World()
    world.hear(30)
    world.hear(8, 20 - np.arange(80) / 10)  # a stall, then the backlog
    world.hear(20)
    assert abs(world.error_s) < 0.01


def test_blocks_without_an_arrival_teach_nothing() -> None:
    world = World()
    world.clock.observe(AudioBlock(np.zeros(BLOCK, np.float32), 0))
    assert world.clock.utc_at(5.0) == world.now + BOOTED


@given(st.integers(0, 250_000_000_000_000))
def test_written_times_are_read_back_to_the_millisecond(milliseconds: int) -> None:
    text = iso_utc(milliseconds / 1000)
    assert len(text) == len("2026-01-31T12:00:00.000Z")
    assert round(parse_utc(text) * 1000) == milliseconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (0.9994, "1970-01-01T00:00:00.999Z"),
        (0.9996, "1970-01-01T00:00:01.000Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250Z"),
    ],
)
def test_times_are_rounded_to_the_nearest_millisecond(seconds: float, text: str) -> None:
    assert iso_utc(seconds) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-01T22:00:00Z",
        "2026-05-01T22:00:00",
        "2026-05-02 00:00:00+02:00",
        "2026-05-01T22:00:00.000+00:00",
    ],
)
def test_times_are_read_with_and_without_an_offset(text: str) -> None:
    assert parse_utc(text) == datetime(2026, 5, 1, 22, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59"]
)
def test_what_is_no_time_of_a_recording_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 — the caller says what to write
        parse_utc(text)
