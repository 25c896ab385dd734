"""When a source counts as lost, and how long to wait before the next attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.liveness import Backoff, Liveness

SOUND, ZEROS = False, True


def liveness() -> Liveness:
    return Liveness(stall_s=3, silence_s=10, start_s=5, now=100)


def reason_of(machine: Liveness, now: float) -> str | None:
    return machine.stalled(now) or machine.silent(now)


@pytest.mark.parametrize(
    ("fed", "now", "reason"),
    [
        ((), 104.9, None),
        ((), 105, "no audio for 5 s"),
        (((101, SOUND),), 103.9, None),
        (((101, SOUND),), 104, "no audio for 3 s"),
        (((104.9, SOUND),), 107.8, None),
        (((101, ZEROS), (103, ZEROS), (105, ZEROS), (107, ZEROS), (109, ZEROS), (110.9, ZEROS)), 110.9, None),
        (
            ((101, ZEROS), (103, ZEROS), (105, ZEROS), (107, ZEROS), (109, ZEROS), (111, ZEROS)),
            111,
            "digital silence for 10 s",
        ),
        (((101, ZEROS), (103, SOUND), (105, ZEROS), (107, ZEROS), (109, ZEROS), (112, ZEROS)), 112, None),
        (((101, SOUND), (110, ZEROS)), 111, "digital silence for 10 s"),
        (((101, ZEROS),), 115, "no audio for 3 s"),
    ],
)
def test_age_alone_tells_that_a_source_is_lost(
    fed: tuple[tuple[float, bool], ...], now: float, reason: str | None
) -> None:
    machine = liveness()
    for at, all_zero in fed:
        machine.feed(at, all_zero)
    assert reason_of(machine, now) == reason


@given(st.lists(st.floats(0, 2.9), max_size=50))
def test_sound_at_less_than_the_limit_apart_keeps_a_source_alive(gaps: list[float]) -> None:
    machine, now = liveness(), 100.0
    for gap in gaps:
        now += gap
        assert reason_of(machine, now) is None
        machine.feed(now, SOUND)


def test_a_stall_limit_above_the_start_limit_holds_at_the_start_too() -> None:
    machine = Liveness(stall_s=8, silence_s=10, start_s=5, now=0)
    assert machine.stalled(7.9) is None
    assert machine.stalled(8) == "no audio for 8 s"


@pytest.mark.parametrize("values", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1)])
def test_limits_that_are_not_above_zero_are_refused(values: tuple[float, float, float]) -> None:
    stall_s, silence_s, start_s = values
    with pytest.raises(ValueError, match="must be above 0"):
        Liveness(stall_s=stall_s, silence_s=silence_s, start_s=start_s, now=0)


def test_backoff_doubles_to_its_cap_and_starts_again_after_a_success() -> None:
    backoff = Backoff()
    assert [backoff.next_s() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.next_s() == 1


@pytest.mark.parametrize("values", [(0, 2, 30), (5, 2, 4), (1, 0.5, 30)])
def test_a_backoff_that_makes_no_sense_is_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="first_s"):
        Backoff(*values)
